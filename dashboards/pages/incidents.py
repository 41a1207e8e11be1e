"""事件处置: what is open, who holds it; what happened, what was done, what is still owed?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, dcc, html, no_update
from dash import ctx as call

from dashboards import events, figures, formats
from dashboards.callbacks import Callbacks
from dashboards.context import Context
from dashboards.parts import (
    STATUS_TONES,
    Piece,
    button,
    card,
    chip,
    empty,
    extra,
    graph,
    grid,
    icon,
    incident_title,
    link,
    pairs,
    problems,
    severity,
    status_word,
    table,
)
from dashboards.shell import notice
from dashboards.state import parse_state
from soc import audit
from soc.cases import AlertFilter, AlertRow, IncidentRow, Note
from soc.incidents import OPEN, TRANSITIONS, VERDICTS
from soc.model import LEVELS, Event, Level

title = "incidents"
permission = "incidents:read"
path = "/incidents"
has_objects = True
group, symbol, place = "operations", "urgent", 30
_MOST_ALERTS = 200
_MOST_EVENTS = 60
_NOTE_ICONS = {"opened": "flag", "joined": "link", "comment": "message", "status": "check", "owner": "user"}


def layout(ctx: Context) -> html.Div:
    return _page(ctx) if ctx.rest else _list(ctx)


# ---------------------------------------------------------------- the list


def _list(ctx: Context) -> html.Div:
    head = [html.H1(ctx.t("incidents")), html.Span(className="s-sp"), html.Span(ctx.t("live"), className="s-fresh")]
    return html.Div(
        [
            html.Div(head, className="s-head"),
            problems(ctx),
            html.Div(
                html.Div(
                    _segments(ctx),
                    id="incidents-segments",
                    className="s-seg",
                    role="group",
                    **extra({"aria-label": ctx.t("status")}),
                ),
                className="s-row",
            ),
            html.Section(
                grid(ctx, "incidents-grid", _columns(ctx), label=ctx.t("incidents")),
                className="s-card",
                style={"flex": 1, "minHeight": 360, "overflow": "hidden"},
            ),
            dcc.Store(id="incidents-grid-chosen"),
            dcc.Interval(id="incidents-tick", interval=5_000),
            dcc.Store(id="incidents-mark"),
        ],
        className="s-page s-fill",
    )


def _columns(ctx: Context) -> list[dict[str, Any]]:
    return [
        {"field": "word", "headerName": ctx.t("level"), "width": 92, "cellRenderer": "Severity"},
        {"field": "number", "headerName": ctx.t("number"), "width": 110, "cellRenderer": "Incident"},
        {"field": "name", "headerName": ctx.t("incident"), "flex": 1, "minWidth": 260, "cellRenderer": "TwoLines"},
        {"field": "status", "headerName": ctx.t("stage"), "width": 150, "cellRenderer": "Chip"},
        {"field": "owner", "headerName": ctx.t("owner"), "width": 130, "cellRenderer": "Text"},
        {
            "field": "matches",
            "headerName": ctx.t("matches"),
            "width": 96,
            "type": "rightAligned",
            "cellClass": "s-num ag-right-aligned-cell",
        },
        {"field": "first", "headerName": ctx.t("first_activity"), "width": 168, "cellClass": "s-num"},
        {"field": "age", "headerName": ctx.t("last_activity"), "width": 128, "cellRenderer": "Titled"},
    ]


def _row(ctx: Context, one: IncidentRow) -> dict[str, Any]:
    verdict = f"{ctx.t('verdict')}: {ctx.t(one.verdict)}" if one.verdict else ""
    lasted = ctx.t("lasted", duration=formats.duration(one.last - one.first, ctx.language))
    return {
        "id": str(one.id),
        "level": one.level,
        "word": ctx.t(one.level),
        "number": one.number,
        "href": f"/incidents/{one.id}",
        "name": incident_title(ctx, one.title),
        "under": " · ".join(part for part in (ctx.t("sample") if one.sample else "", lasted, verdict) if part),
        "status": ctx.t(one.status),
        "tone": STATUS_TONES.get(one.status, ""),
        "owner": one.owner or "—",
        "matches": formats.whole(one.alerts),
        "first": formats.stamp(one.first),
        "age": formats.ago(one.last, ctx.now, ctx.language),
        "age_title": formats.stamp(one.last),
    }


def _segments(ctx: Context) -> list[Piece]:
    count = ctx.services.cases.count_incidents
    chosen = _statuses(ctx)
    made = [_segment("", count(OPEN), ctx.t("not_closed"), chosen == OPEN)]
    return made + [_segment(status, count((status,)), ctx.t(status), chosen == (status,)) for status in TRANSITIONS]


def _segment(value: str, number: int, word: str, pressed: bool) -> html.Button:
    shown = [html.B(formats.whole(number)), html.Span(word, className="s-2")]
    return html.Button(
        shown, id={"type": "incidents-segment", "value": value}, type="button", **extra({"aria-pressed": str(pressed).lower()})
    )


def _statuses(ctx: Context) -> tuple[str, ...]:
    return tuple(one for one in ctx.state.statuses if one in TRANSITIONS) or OPEN


# ---------------------------------------------------------------- one incident


def _page(ctx: Context) -> html.Div:
    found = _find(ctx, ctx.rest)
    if found is None:
        return html.Div(
            html.Section(
                [html.H1(ctx.t("no_incident"), className="s-sr"), empty(ctx, "no_incident", symbol="urgent")], className="s-card"
            ),
            className="s-page",
        )
    return html.Div(
        [
            dcc.Store(id="incident-id", data=found.id),
            dcc.Interval(id="incident-tick", interval=3_000),
            html.Div(_news(ctx, None, found), id="incident-news", hidden=True),
            html.Div(_body(ctx, found), id="incident-body", className="s-col"),
        ],
        className="s-page",
    )


def _find(ctx: Context, id_: object) -> IncidentRow | None:
    text = str(id_).removeprefix("INC-")
    return ctx.services.cases.incident(int(text)) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _body(ctx: Context, one: IncidentRow) -> list[Piece]:
    alerts = ctx.services.cases.alerts(AlertFilter(incident=one.id), limit=_MOST_ALERTS, order="time")
    ids = list(dict.fromkeys(event for row in alerts for event in row.alert.events))[:_MOST_EVENTS]
    seen = ctx.services.store.get(ids) if ctx.may("events:read") else {}
    behind = sorted(seen.values(), key=lambda event: int(str(event.get("@timestamp", 0))))
    notes = ctx.services.cases.notes(one.id)
    left = [_timeline(ctx, one, alerts), _alerts(ctx, alerts), _events(ctx, behind, len(ids))]
    right = [_deeds(ctx, one), _summary(ctx, one, notes), _entities(ctx, one), _history(ctx, notes), _trail(ctx, one)]
    return [
        dcc.Store(id="incident-version", data=[one.version, one.alerts]),
        _header(ctx, one, len(alerts)),
        html.Div([html.Div(left, className="s-col"), html.Div(right, className="s-col")], className="s-two-col"),
    ]


def _header(ctx: Context, one: IncidentRow, alerts: int) -> html.Section:
    chips = [severity(ctx, one.level), chip(ctx.t(one.status), STATUS_TONES.get(one.status, ""))]
    chips += [chip(ctx.t(one.verdict), "s-line", "check")] if one.verdict else []
    chips += [chip(ctx.t("sample"), "s-line")] if one.sample else []
    facts: tuple[list[Any], ...] = (
        [icon("user", 14), " ", ctx.t("owner"), " ", one.owner or ctx.t("no_owner")],
        [ctx.t("alerts"), f" {formats.whole(alerts)} · ", ctx.t("matches_count", count=formats.whole(one.alerts))],
        [ctx.t("last_activity"), " ", formats.stamp(one.last)],
    )
    return html.Section(
        html.Div(
            [
                html.Div(
                    [
                        link(ctx.t("incidents"), path, "s-12"),
                        html.Span("/", className="s-3"),
                        *chips,
                        html.Span(className="s-sp"),
                        html.Span(one.number, className="s-mono s-3"),
                    ],
                    className="s-row",
                ),
                html.H1(incident_title(ctx, one.title), style={"marginTop": 6}),
                html.Div(
                    [html.Span(fact) for fact in facts],
                    className="s-row s-2 s-12 s-num s-wrap",
                    style={"gap": 18, "marginTop": 5},
                ),
                _steps(ctx, one),
            ],
            className="s-inc",
        ),
        className="s-card",
    )


def _steps(ctx: Context, one: IncidentRow) -> html.Ol:
    order = list(TRANSITIONS)
    now_at = order.index(one.status) if one.status in order else 0
    made = []
    for index, status in enumerate(order):
        closed = one.status == "closed"
        class_ = "s-done" if index < now_at or closed else "s-now" if index == now_at else ""
        under = (
            formats.stamp(one.opened)
            if index == 0
            else formats.stamp(one.closed)
            if status == "closed" and closed
            else ctx.t("in_progress")
            if index == now_at
            else "\u00a0"
        )
        current = {"aria-current": "step"} if index == now_at else {}
        made.append(html.Li([html.B(ctx.t(f"step_{status}")), html.Span(under)], className=f"s-step {class_}", **extra(current)))
    return html.Ol(made, className="s-steps", **extra({"aria-label": ctx.t("stage")}))


def _timeline(ctx: Context, one: IncidentRow, alerts: list[AlertRow]) -> html.Section:
    """Alerts by the host or user they are about."""
    points: list[tuple[int, str, Level, str]] = []
    for row in alerts:
        about = next(
            (entity for entity in row.alert.entities if entity.kind == "host"),
            row.alert.entities[0] if row.alert.entities else None,
        )
        title = _inert(ctx.t(row.alert.rule.title))
        points.append((row.alert.time, about.name[:28] if about else "—", row.alert.rule.level, title))
    if not points:
        return card(ctx.t("timeline"), empty(ctx, "no_match"))
    lanes = list(dict.fromkeys(lane for _, lane, *_ in points))
    kept = lanes[:8]
    shown = [point if point[1] in kept else (point[0], kept[-1], point[2], point[3]) for point in points]
    drawn = figures.timeline(
        [_inert(lane) for lane in reversed(kept)],
        [(t, _inert(lane), level, text) for t, lane, level, text in shown],
        {level: ctx.t(level) for level in LEVELS},
    )
    sub = ctx.t("timeline_sub", duration=formats.duration(one.last - one.first, ctx.language))
    return card(
        ctx.t("timeline"),
        graph("incident-timeline", drawn, ctx.t("timeline_label", count=len(points)), max(120, 46 * len(kept) + 40)),
        sub=sub,
    )


def _inert(text: str) -> str:
    """Plotly understands a little HTML in its texts: log data must not be any."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _alerts(ctx: Context, alerts: list[AlertRow]) -> html.Section:
    rows = []
    for row in alerts:
        alert = row.alert
        name = (
            link(ctx.t(alert.rule.title), f"/alerts?t=30d&st=new,triage,incident,closed&sel={alert.id}")
            if ctx.may("alerts:read")
            else ctx.t(alert.rule.title)
        )
        about = ", ".join(entity.name for entity in alert.entities[:3])
        rows.append(
            (
                severity(ctx, alert.rule.level),
                name,
                html.Span(about, className="s-2"),
                html.Span(formats.stamp(alert.time), className="s-num s-2 s-nw"),
                formats.whole(alert.count),
                status_word(ctx, row),
            )
        )
    heads = [ctx.t(name) for name in ("level", "alert", "entities", "time", "count", "status")]
    return card(
        ctx.t("related_alerts"), table(heads, rows, (4,), ctx.t("related_alerts")), sub=ctx.t("in_all", count=len(alerts))
    )


def _events(ctx: Context, behind: list[Event], known: int) -> html.Section:
    if not ctx.may("events:read"):
        return card(ctx.t("events_behind_title"), empty(ctx, "no_permission"))
    if not behind:
        return card(ctx.t("events_behind_title"), html.P(ctx.t("events_gone"), className="s-2"))
    rows = [
        (
            html.Span(events.shown("@timestamp", event.get("@timestamp", "")), className="s-num s-nw"),
            html.Span(str(event.get("host.name", "—")), className="s-nw"),
            html.Span(str(event.get("user.name", "—"))),
            html.Details(
                [
                    html.Summary(str(event.get("message", ""))[:240], style={"cursor": "pointer"}),
                    events.raw_line(event),
                    events.fields(event, 40),
                ]
            ),
        )
        for event in behind
    ]
    heads = [ctx.t("time"), ctx.t("kind_host"), ctx.t("kind_user"), ctx.t("event_message")]
    return card(
        ctx.t("events_behind_title"),
        table(heads, rows, label=ctx.t("events_behind_title")),
        sub=ctx.t("events_behind", shown=len(behind), count=known),
    )


# ---------------------------------------------------------------- what can be done


def _deeds(ctx: Context, one: IncidentRow) -> Piece:
    """Comment, take, move along, close: what the state and the person's role permit."""
    if not ctx.may("incidents:write"):
        return html.Div()
    next_ = [status for status in TRANSITIONS if status in TRANSITIONS[one.status] and status != "closed"]
    word = ctx.t("reopen") if one.status == "closed" else ""
    moves = [
        button(word or ctx.t("move_to", status=ctx.t(status)), "chevron-right", id={"type": "move", "value": status})
        for status in next_
    ]
    mine = one.owner == ctx.person.name
    take = button(
        ctx.t("give_back") if mine else ctx.t("claim"),
        "user",
        id={"type": "take", "value": "" if mine else ctx.person.name},
        key="A",
    )
    parts: list[Piece] = [
        dmc.Textarea(
            id="incident-text",
            label=ctx.t("comment_or_reason"),
            autosize=True,
            minRows=3,
            maxRows=10,
            placeholder=ctx.t("comment_hint"),
        ),
        html.Div(
            [button(ctx.t("add_comment"), "message", "s-pri", id="incident-comment"), take, *moves],
            className="s-row s-wrap",
            style={"marginTop": 8},
        ),
    ]
    if "closed" in TRANSITIONS[one.status] and ctx.may("incidents:close"):
        choices = [{"value": verdict, "label": ctx.t(verdict)} for verdict in VERDICTS]
        close = [
            html.Div(
                dmc.Select(
                    id="incident-verdict",
                    data=choices,
                    placeholder=ctx.t("verdict"),
                    size="xs",
                    **extra({"aria-label": ctx.t("verdict")}),
                ),
                style={"flex": 1, "maxWidth": 190},
            ),
            button(ctx.t("close_incident"), "check", id="incident-close"),
            html.Span(ctx.t("close_needs"), className="s-3 s-12"),
        ]
        parts.append(
            html.Div(
                close, className="s-row s-wrap", style={"marginTop": 10, "borderTop": "1px solid var(--line)", "paddingTop": 10}
            )
        )
    return card(ctx.t("handling"), html.Div(parts))


def _summary(ctx: Context, one: IncidentRow, notes: list[Note]) -> html.Section:
    claimed = next((note.time for note in notes if note.kind == "owner" and note.after), None)
    rows: list[tuple[Piece, Piece]] = [
        (ctx.t("first_activity"), formats.stamp(one.first)),
        (
            ctx.t("detected_at"),
            f"{formats.stamp(one.opened)} ({ctx.t('dwell', duration=formats.duration(one.opened - one.first, ctx.language))})",
        ),
        (ctx.t("claimed_after"), formats.duration(claimed - one.opened, ctx.language) if claimed else "—"),
        (ctx.t("last_activity"), formats.stamp(one.last)),
        (ctx.t("closed_at"), formats.stamp(one.closed)),
    ]
    return card(ctx.t("summary"), html.Div(pairs(rows), className="s-num"))


def _entities(ctx: Context, one: IncidentRow) -> html.Section:
    found = ctx.services.cases.incident_entities(one.id)
    return card(ctx.t("entities"), events.entities(ctx, found) if found else "—", sub=str(len(found)))


def _history(ctx: Context, notes: list[Note]) -> html.Section:
    made = []
    for note in reversed(notes[-200:]):
        text, said = _said(ctx, note)
        head: list[Any] = [html.B(ctx.t("system") if note.actor == "system" else note.actor), " ", text]
        made.append(
            html.Li(
                [
                    html.Span(icon(_NOTE_ICONS.get(note.kind, "dots"), 12), className="s-dot"),
                    html.Span(head),
                    html.Span(
                        formats.ago(note.time, ctx.now, ctx.language), className="s-3 s-12 s-num", title=formats.stamp(note.time)
                    ),
                    html.P(said) if said else None,
                ]
            )
        )
    return card(ctx.t("history"), html.Ol(made, className="s-history"), sub=str(len(notes)))


def _said(ctx: Context, note: Note) -> tuple[str, str]:
    if note.kind == "status":
        return ctx.t("did_status", before=ctx.t(note.before), after=ctx.t(note.after)), note.text
    if note.kind == "owner":
        return (ctx.t("did_owner", owner=note.after) if note.after else ctx.t("did_no_owner")), note.text
    if note.kind == "joined":
        return ctx.t("did_join", count=note.after), ""
    if note.kind == "opened":
        return ctx.t("did_open", count=note.after), ""
    return ctx.t("did_comment"), note.text


def _trail(ctx: Context, one: IncidentRow) -> Piece:
    if not ctx.may("audit:read"):
        return html.Div()
    found = audit.records(ctx.services.cases.engine, f"incident/{one.id}", 100)
    rows = [
        (
            html.Span(formats.stamp(record.time), className="s-num s-nw"),
            record.actor,
            html.Span(record.action, className="s-mono"),
            ctx.t(f"outcome_{record.outcome}"),
            html.Span(record.hash[:8], className="s-mono", title=record.hash),
        )
        for record in found
    ]
    heads = [ctx.t(name) for name in ("time", "who", "action", "outcome", "hash")]
    return card(ctx.t("audit_trail"), table(heads, rows, label=ctx.t("audit_trail")), sub=str(len(found)))


def _news(ctx: Context, before: object, found: IncidentRow) -> Piece:
    del before
    return html.Div(
        [
            icon("refresh"),
            html.Span(ctx.t("incident_changed", number=found.number)),
            html.Span(className="s-sp"),
            button(ctx.t("load"), "refresh", id="incident-load"),
        ],
        className="s-note s-low",
        role="status",
    )


# ---------------------------------------------------------------- callbacks


def register(on: Callbacks) -> None:
    _register_list(on)
    _register_page(on)


def _register_list(on: Callbacks) -> None:
    @on.on(
        permission, Output("incidents-grid", "getRowsResponse"), Input("incidents-grid", "getRowsRequest"), State("url", "search")
    )
    def rows(ctx: Context, asked: dict[str, Any] | None, search: str | None) -> Any:
        if not asked:
            return no_update
        ctx = replace(ctx, state=parse_state(search))
        start = max(0, int(asked["startRow"]))
        found = ctx.services.cases.incidents(
            _statuses(ctx), limit=min(int(asked["endRow"]) - start, 500), offset=start, levels=ctx.state.levels
        )
        return {"rowData": [_row(ctx, one) for one in found], "rowCount": ctx.services.cases.count_incidents(_statuses(ctx))}

    @on.on(
        permission,
        Output("url", "search", allow_duplicate=True),
        Input({"type": "incidents-segment", "value": ALL}, "n_clicks"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def narrow(_ctx: Context, clicks: list[int | None], search: str | None) -> Any:
        pressed = call.triggered_id
        if not any(clicks) or not isinstance(pressed, dict):
            return no_update
        value = str(pressed["value"])
        return parse_state(search).but(statuses=(value,) if value else ()).search()

    @on.on(
        permission,
        Output("incidents-segments", "children"),
        Output("incidents-mark", "data"),
        Input("incidents-tick", "n_intervals"),
        Input("url", "search"),
        State("url", "pathname"),
        State("incidents-mark", "data"),
        prevent_initial_call=True,
    )
    def look(ctx: Context, _ticks: int | None, search: str | None, where: str | None, mark: object) -> Any:
        if where != path:
            return no_update, no_update
        ctx = replace(ctx, state=parse_state(search))
        newest = ctx.services.cases.incidents(_statuses(ctx), limit=50)
        fresh = f"{search}|{[(one.id, one.version, one.alerts) for one in newest]}"
        return (no_update, no_update) if fresh == mark else (_segments(ctx), fresh)

    on.in_browser(
        """function (mark) {
            if (!mark || !document.getElementById("incidents-grid")) return window.dash_clientside.no_update;
            window.dash_ag_grid.getApiAsync("incidents-grid").then(function (api) {
                var view = mark.split("|")[0];
                if (window.socIncidentsView === view) api.refreshInfiniteCache(); else api.purgeInfiniteCache();
                window.socIncidentsView = view;
            });
            return window.dash_clientside.no_update;
        }""",
        Output("incidents-segments", "title"),
        Input("incidents-mark", "data"),
        prevent_initial_call=True,
    )
    on.in_browser(
        """function (cell) {
            if (!cell || !cell.rowId) return window.dash_clientside.no_update;
            return "/incidents/" + cell.rowId;
        }""",
        Output("url", "pathname", allow_duplicate=True),
        Input("incidents-grid", "cellClicked"),
        prevent_initial_call=True,
    )


def _register_page(on: Callbacks) -> None:
    @on.on(
        permission,
        Output("incident-news", "hidden"),
        Input("incident-tick", "n_intervals"),
        State("incident-id", "data"),
        State("incident-version", "data"),
        prevent_initial_call=True,
    )
    def look(ctx: Context, _ticks: int, id_: object, version: object) -> Any:
        found = _find(ctx, id_)
        return found is None or [found.version, found.alerts] == version

    @on.on(
        permission,
        Output("incident-body", "children", allow_duplicate=True),
        Output("incident-news", "hidden", allow_duplicate=True),
        Input("incident-load", "n_clicks"),
        State("incident-id", "data"),
        prevent_initial_call=True,
    )
    def load(ctx: Context, clicks: int | None, id_: object) -> Any:
        found = _find(ctx, id_)
        return (_body(ctx, found), True) if clicks and found else (no_update, no_update)

    @on.on(
        "incidents:write",
        Output("incident-body", "children", allow_duplicate=True),
        Output("incident-news", "hidden", allow_duplicate=True),
        Output("s-notice", "data", allow_duplicate=True),
        Input("incident-comment", "n_clicks"),
        Input({"type": "take", "value": ALL}, "n_clicks"),
        Input({"type": "move", "value": ALL}, "n_clicks"),
        State("incident-id", "data"),
        State("incident-version", "data"),
        State("incident-text", "value"),
        prevent_initial_call=True,
    )
    def act(
        ctx: Context,
        said: int | None,
        took: list[int | None],
        moved: list[int | None],
        id_: object,
        seen: object,
        text: str | None,
    ) -> Any:
        found, pressed = _find(ctx, id_), call.triggered_id
        if found is None or not (said or any(took) or any(moved)):
            return no_update, no_update, no_update
        actor, actions, version = ctx.person.actor, ctx.services.actions, _version(seen)
        if pressed == "incident-comment":
            actions.comment(actor, found.id, text or "")
        elif isinstance(pressed, dict) and pressed["type"] == "take":
            actions.assign(actor, found.id, ctx.person.name if pressed["value"] else "", version)
        elif isinstance(pressed, dict):
            actions.change_status(actor, found.id, str(pressed["value"]), text or "", version)
        return _again(ctx, found.id)

    @on.on(
        "incidents:close",
        Output("incident-body", "children", allow_duplicate=True),
        Output("incident-news", "hidden", allow_duplicate=True),
        Output("s-notice", "data", allow_duplicate=True),
        Input("incident-close", "n_clicks"),
        State("incident-id", "data"),
        State("incident-version", "data"),
        State("incident-text", "value"),
        State("incident-verdict", "value"),
        prevent_initial_call=True,
    )
    def close(ctx: Context, clicks: int | None, id_: object, seen: object, text: str | None, verdict: str | None) -> Any:
        found = _find(ctx, id_)
        if not clicks or found is None:
            return no_update, no_update, no_update
        if not verdict or not (text or "").strip():
            return no_update, no_update, notice(ctx.t("close_needs"), bad=True)
        ctx.services.actions.change_status(ctx.person.actor, found.id, "closed", text or "", _version(seen), verdict)
        return _again(ctx, found.id)


def _again(ctx: Context, id_: int) -> Any:
    found = ctx.services.cases.incident(id_)
    assert found is not None
    return _body(ctx, found), True, notice(ctx.t("done_audited", number=audit.length(ctx.services.cases.engine)))


def _version(seen: object) -> int | None:
    first = seen[0] if isinstance(seen, list) and seen else None
    return first if isinstance(first, int) else None
