"""告警研判: which of these matter, and what is done with each, fast?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dash import ALL, Input, Output, State, dcc, html, no_update
from dash import ctx as call

from dashboards import events, figures, formats
from dashboards.callbacks import Callbacks
from dashboards.context import Context
from dashboards.parts import (
    STATUS_TONES,
    Piece,
    button,
    chip,
    empty,
    extra,
    graph,
    grid,
    icon,
    link,
    problems,
    severity,
    spans,
    status_word,
)
from dashboards.queries import DEEPEST_ROW, alert_filter
from dashboards.shell import notice
from dashboards.state import parse_state
from soc.cases import AlertFilter, AlertRow
from soc.model import LEVELS

title = "alerts"
permission = "alerts:read"
path = "/alerts"
group, symbol, place = "operations", "bell", 20
_DAY = 86_400_000_000
_VERDICTS = (("true_positive", "T"), ("false_positive", "F"), ("benign", "B"), ("", "U"))


def layout(ctx: Context) -> html.Div:
    head = [
        html.H1(ctx.t("alerts")),
        spans(ctx),
        html.Span(className="s-sp"),
        html.Span(ctx.t("live"), className="s-fresh"),
        button("", "refresh", "s-pri", id="alerts-load", hidden=True),
    ]
    search = html.Div(
        [
            icon("search", 15),
            html.Label(ctx.t("alerts_search"), htmlFor="alerts-q", className="s-sr"),
            dcc.Input(
                id="alerts-q", type="text", value=ctx.state.text, placeholder=ctx.t("alerts_search"), debounce=True, maxLength=200
            ),
            html.Kbd("/", className="s-kbd"),
        ],
        className="s-query",
    )
    return html.Div(
        [
            html.Div(head, className="s-head"),
            problems(ctx),
            html.Div(
                [
                    html.Div(
                        _segments(ctx),
                        id="alerts-segments",
                        className="s-seg",
                        role="group",
                        **extra({"aria-label": ctx.t("level")}),
                    ),
                    html.Div(
                        graph("alerts-trend", _trend(ctx), ctx.t("alert_trend_label"), 62),
                        className="s-card",
                        style={"flex": 1, "padding": "4px 10px 2px", "minWidth": 0},
                    ),
                ],
                className="s-row",
                style={"gap": 12, "alignItems": "stretch"},
            ),
            html.Div(search, className="s-row"),
            html.Div(
                [
                    html.Section(
                        [
                            grid(ctx, "alerts-grid", _columns(ctx), label=ctx.t("alerts")),
                            html.Div(_foot(ctx, ctx.now), id="alerts-foot", className="s-foot"),
                        ],
                        className="s-card",
                    ),
                    html.Aside(
                        _pane(ctx, ctx.state.chosen),
                        id="alerts-pane",
                        className="s-card",
                        **extra({"aria-label": ctx.t("alert_detail")}),
                    ),
                ],
                className="s-split",
            ),
            dcc.Store(id="alerts-asof", data=ctx.now),
            dcc.Store(id="alerts-changed", data=0),
            dcc.Store(id="alerts-grid-chosen", data=ctx.state.chosen),
            dcc.Interval(id="alerts-tick", interval=2_000),
        ],
        className="s-page s-fill",
    )


def _columns(ctx: Context) -> list[dict[str, Any]]:
    return [
        {"field": "word", "headerName": ctx.t("level"), "width": 92, "cellRenderer": "Severity"},
        {"field": "name", "headerName": ctx.t("alert_entity"), "flex": 1, "minWidth": 200, "cellRenderer": "TwoLines"},
        {
            "field": "count",
            "headerName": ctx.t("count"),
            "width": 76,
            "type": "rightAligned",
            "cellClass": "s-num ag-right-aligned-cell",
        },
        {"field": "age", "headerName": ctx.t("latest"), "width": 104, "cellRenderer": "Titled"},
        {"field": "status", "headerName": ctx.t("status"), "width": 112, "cellRenderer": "Chip"},
        {"field": "incident", "headerName": ctx.t("incident"), "width": 104, "cellRenderer": "Incident"},
    ]


def _row(ctx: Context, row: AlertRow) -> dict[str, Any]:
    one = row.alert
    under = " · ".join(entity.name for entity in one.entities[:4]) or one.source
    return {
        "id": one.id,
        "level": one.rule.level,
        "word": ctx.t(one.rule.level),
        "name": ctx.t(one.rule.title),
        "under": (ctx.t("sample") + " · " if one.sample else "") + under,
        "count": one.count,
        "age": formats.ago(one.raised, ctx.now, ctx.language),
        "age_title": formats.stamp(one.raised),
        "status": status_word(ctx, row),
        "tone": "" if row.verdict else STATUS_TONES.get(row.status, ""),
        "incident": f"INC-{row.incident:05d}" if row.incident else "",
        "href": f"/incidents/{row.incident}",
    }


def _segments(ctx: Context) -> list[Piece]:
    """Counts that are filters: everything not closed, then each level."""
    counts = ctx.queries.alert_levels(ctx.person.permissions, _rounded(ctx, alert_filter(replace(ctx.state, levels=()), ctx.now)))
    made = [
        _segment(
            "",
            sum(counts.values()),
            html.Span(ctx.t("not_closed" if not ctx.state.statuses else "in_view"), className="s-2"),
            not ctx.state.levels,
        )
    ]
    return made + [_segment(level, counts[level], severity(ctx, level), level in ctx.state.levels) for level in reversed(LEVELS)]


def _segment(value: str, count: int, word: Piece, pressed: bool) -> html.Button:
    return html.Button(
        [html.B(formats.whole(count)), word],
        id={"type": "alerts-segment", "value": value},
        type="button",
        **extra({"aria-pressed": str(pressed).lower()}),
    )


def _rounded(_ctx: Context, where: AlertFilter) -> AlertFilter:
    """To the second, so that people who look at once share the answer."""
    since, until = where.since or 0, where.until or 0
    return replace(where, since=since - since % 1_000_000, until=until - until % 1_000_000 + 1_000_000)


def _trend(ctx: Context) -> Any:
    trend = ctx.queries.alert_trend(ctx.person.permissions, ctx.state)
    names = {level: ctx.t(level) for level in LEVELS}
    drawn = figures.severity_bars(
        trend.since, trend.until, trend.width, trend.counts, names, margin={"l": 0, "r": 2, "t": 2, "b": 0}
    )
    drawn.update_yaxes(nticks=3)
    return drawn


def _foot(ctx: Context, asof: int) -> list[Piece]:
    count = ctx.services.cases.count_alerts(alert_filter(ctx.state, ctx.now, asof))
    more = ctx.t("narrow_down", most=formats.whole(DEEPEST_ROW)) if count > DEEPEST_ROW else ""
    return [
        html.Span(ctx.t("alerts_found", count=formats.whole(count)), className="s-num"),
        html.Span(more, className="s-3 s-12"),
        html.Span(className="s-sp"),
        html.Span([ctx.t("as_of"), " ", formats.clock(asof)], className="s-3 s-12 s-num"),
    ]


# ---------------------------------------------------------------- the reading pane


def _pane(ctx: Context, id_: str | None) -> list[Piece]:
    row = ctx.services.cases.alert(id_) if id_ else None
    if row is None:
        return [html.Div(empty(ctx, "no_alert_chosen", symbol="bell"), className="s-pane")]
    one = row.alert
    seen = list(ctx.services.store.get(one.events[:5]).values()) if ctx.may("events:read") else []
    parts = [_top(ctx, row), _why(ctx, row), _entities(ctx, row), _prevalence(ctx, row), *_lines(ctx, row, seen), _rule(ctx, row)]
    return [html.Div(parts, className="s-pane", tabIndex="0"), *([_verdicts(ctx, row)] if ctx.may("alerts:triage") else [])]


def _top(ctx: Context, row: AlertRow) -> html.Div:
    one = row.alert
    chips = [
        severity(ctx, one.rule.level),
        chip(ctx.t("status_incident" if row.status == "incident" else row.status), STATUS_TONES.get(row.status, "")),
    ]
    chips += [chip(ctx.t(row.verdict), "s-line", "check")] if row.verdict else []
    chips += [chip(ctx.t("sample"), "s-line")] if one.sample else []
    home = (
        link(f"INC-{row.incident:05d}", f"/incidents/{row.incident}", "s-btn", "urgent")
        if row.incident and ctx.may("incidents:read")
        else None
    )
    when = [formats.stamp(one.time), " · ", one.dataset or one.source]
    return html.Div(
        [
            html.Div([*chips, html.Span(className="s-sp"), home], className="s-row"),
            html.H2(ctx.t(one.rule.title)),
            html.Div(when, className="s-2 s-12 s-num"),
        ],
        className="s-sec",
    )


def _section(symbol_: str, heading: str, *body: Piece) -> html.Div:
    return html.Div([html.H3([icon(symbol_, 14), heading]), *body], className="s-sec")


def _why(ctx: Context, row: AlertRow) -> html.Div:
    one = row.alert
    said = html.P(
        [ctx.t("why_text", count=formats.whole(one.count), rule=ctx.t(one.rule.title)), one.rule.description], className="s-why"
    )
    return _section("help-circle", ctx.t("why"), said)


def _entities(ctx: Context, row: AlertRow) -> html.Div:
    return _section("target", ctx.t("entities"), events.entities(ctx, row.alert.entities))


def _prevalence(ctx: Context, row: AlertRow) -> html.Div:
    """How usual this is: of the rule, and of its first entity."""
    cases, one = ctx.services.cases, row.alert
    since = [ctx.now - days * _DAY for days in (1, 7, 30)]
    cells: list[Piece] = [html.Span(ctx.t("alerts")), *(html.Span(ctx.t(name)) for name in ("span_24h", "span_7d", "span_30d"))]
    rows = [(ctx.t("this_rule"), [AlertFilter(rule=one.rule.id, since=start) for start in since])]
    if one.entities:
        rows.append(
            (
                ctx.t("this_entity", name=one.entities[0].name),
                [AlertFilter(entity=one.entities[0], since=start) for start in since],
            )
        )
    for name, filters in rows:
        cells += [
            html.Div(name, className="s-ell", title=name),
            *(html.B(formats.whole(cases.count_alerts(where))) for where in filters),
        ]
    return _section("activity", ctx.t("prevalence"), html.Div(cells, className="s-prev"))


def _lines(ctx: Context, row: AlertRow, seen: list[Any]) -> list[Piece]:
    if not ctx.may("events:read"):
        return [_section("lock", ctx.t("raw_log"), html.P(ctx.t("no_permission_hint"), className="s-2"))]
    if not seen:
        return [_section("file-text", ctx.t("raw_log"), html.P(ctx.t("events_gone"), className="s-2"))]
    marked = [entity.name for entity in row.alert.entities]
    sub = ctx.t("events_behind", shown=len(seen), count=formats.whole(len(row.alert.events)))
    return [
        _section("key", ctx.t("key_fields"), events.fields(seen[0], 24)),
        _section(
            "file-text",
            f"{ctx.t('raw_log')} · {sub}",
            *(html.Div(events.raw_line(one, marked), style={"marginBottom": 6}) for one in seen),
        ),
    ]


def _rule(ctx: Context, row: AlertRow) -> html.Div:
    rule = row.alert.rule
    tags = [chip(tag, "s-line") for tag in rule.tags[:12]]
    author = html.Div(ctx.t("rule_author", author=rule.author), className="s-3 s-12") if rule.author else None
    return _section(
        "checklist", ctx.t("rule"), html.Div(tags, className="s-row s-wrap"), author, html.Div(rule.id, className="s-mono s-3")
    )


def _verdicts(ctx: Context, row: AlertRow) -> html.Div:
    words = {"true_positive": "true_positive", "false_positive": "false_positive", "benign": "benign", "": "undo"}
    made = [
        button(
            ctx.t(words[value]),
            key=key,
            id={"type": "verdict", "value": value},
            disabled=not value and not row.verdict,
            kind="s-pri" if value and value == row.verdict else "",
        )
        for value, key in _VERDICTS
    ]
    return html.Div(made, className="s-verdict", role="group", **extra({"aria-label": ctx.t("verdict")}))


# ---------------------------------------------------------------- callbacks


def _seen(ctx: Context, search: str | None) -> Context:
    return replace(ctx, state=parse_state(search))


def register(on: Callbacks) -> None:
    _register_view(on)
    _register_pane(on)
    # other rows: from the top. The same rows, judged meanwhile: fetched again where they are
    on.in_browser(
        """function (search, asof, changed) {
            var query = new URLSearchParams(search || "");
            query.delete("sel");
            var view = query.toString() + "|" + asof;
            var first = window.socAlertsView === undefined, same = window.socAlertsView === view;
            window.socAlertsView = view;
            if (first || !document.getElementById("alerts-grid")) return window.dash_clientside.no_update;
            window.dash_ag_grid.getApiAsync("alerts-grid").then(function (api) {
                if (same) api.refreshInfiniteCache(); else api.purgeInfiniteCache();
            });
            return window.dash_clientside.no_update;
        }""",
        Output("alerts-foot", "title"),
        Input("url", "search"),
        Input("alerts-asof", "data"),
        Input("alerts-changed", "data"),
        prevent_initial_call=True,
    )
    on.in_browser(
        "function (cell) { return cell && cell.rowId ? cell.rowId : window.dash_clientside.no_update; }",
        Output("alerts-grid-chosen", "data"),
        Input("alerts-grid", "cellClicked"),
        prevent_initial_call=True,
    )


def _register_view(on: Callbacks) -> None:
    @on.on(
        permission,
        Output("alerts-grid", "getRowsResponse"),
        Input("alerts-grid", "getRowsRequest"),
        State("url", "search"),
        State("alerts-asof", "data"),
    )
    def rows(ctx: Context, asked: dict[str, Any] | None, search: str | None, asof: object) -> Any:
        if not asked:
            return no_update
        ctx = _seen(ctx, search)
        where = alert_filter(ctx.state, ctx.now, _moment(ctx, asof))
        start = max(0, int(asked["startRow"]))
        found = ctx.services.cases.alerts(where, limit=min(int(asked["endRow"]) - start, 500), offset=min(start, DEEPEST_ROW))
        count = min(ctx.services.cases.count_alerts(where), DEEPEST_ROW)
        return {"rowData": [_row(ctx, one) for one in found], "rowCount": count}

    @on.on(
        permission,
        Output("alerts-segments", "children"),
        Output("alerts-trend", "figure"),
        Output("alerts-foot", "children"),
        Input("url", "search"),
        Input("alerts-asof", "data"),
        Input("alerts-changed", "data"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def view(ctx: Context, search: str | None, asof: object, _changed: object, where: str | None) -> Any:
        if where != path:
            return no_update, no_update, no_update
        ctx = _seen(ctx, search)
        return _segments(ctx), _trend(ctx), _foot(ctx, _moment(ctx, asof))

    @on.on(
        permission,
        Output("alerts-load", "hidden"),
        Output("alerts-load", "children"),
        Output("alerts-asof", "data", allow_duplicate=True),
        Input("alerts-tick", "n_intervals"),
        State("url", "search"),
        State("alerts-asof", "data"),
        prevent_initial_call=True,
    )
    def look(ctx: Context, _ticks: int, search: str | None, asof: object) -> Any:
        """New alerts are announced; only an empty list fills itself, because nothing can move under anybody's hand."""
        ctx = _seen(ctx, search)
        before = _moment(ctx, asof)
        where = alert_filter(ctx.state, ctx.now)
        fresh = ctx.services.cases.count_alerts(replace(where, since=max(before, where.since or 0), until=ctx.now))
        if not fresh:
            return True, no_update, no_update
        if not ctx.services.cases.count_alerts(alert_filter(ctx.state, ctx.now, before)):
            return True, no_update, ctx.now
        return False, [icon("refresh"), ctx.t("new_alerts", count=fresh)], no_update

    @on.on(
        permission,
        Output("alerts-asof", "data", allow_duplicate=True),
        Input("alerts-load", "n_clicks"),
        prevent_initial_call=True,
    )
    def load(ctx: Context, clicks: int | None) -> Any:
        return ctx.now if clicks else no_update

    @on.on(
        permission,
        Output("url", "search", allow_duplicate=True),
        Input({"type": "alerts-segment", "value": ALL}, "n_clicks"),
        Input("alerts-q", "value"),
        State("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def narrow(_ctx: Context, clicks: list[int | None], text: str | None, search: str | None, where: str | None) -> Any:
        state, pressed = parse_state(search), call.triggered_id
        if where != path:
            return no_update
        if pressed == "alerts-q":
            return state.but(text=(text or "").strip()).search() if (text or "").strip() != state.text else no_update
        if not any(clicks) or not isinstance(pressed, dict):
            return no_update
        value = str(pressed["value"])
        if not value:
            return state.but(levels=()).search()
        kept = {*state.levels} ^ {value}
        return state.but(levels=tuple(level for level in LEVELS if level in kept)).search()


def _register_pane(on: Callbacks) -> None:
    @on.on(
        permission,
        Output("alerts-pane", "children"),
        Input("alerts-grid-chosen", "data"),
        Input("alerts-changed", "data"),
        prevent_initial_call=True,
    )
    def show(ctx: Context, chosen: object, _changed: object) -> Any:
        return _pane(ctx, chosen if isinstance(chosen, str) else None)

    @on.on(
        "alerts:triage",
        Output("alerts-changed", "data"),
        Output("s-notice", "data", allow_duplicate=True),
        Input({"type": "verdict", "value": ALL}, "n_clicks"),
        State("alerts-grid-chosen", "data"),
        prevent_initial_call=True,
    )
    def judge(ctx: Context, clicks: list[int | None], chosen: object) -> Any:
        pressed = call.triggered_id
        if not any(clicks) or not isinstance(pressed, dict) or not isinstance(chosen, str):
            return no_update, no_update
        verdict = str(pressed["value"])
        ctx.services.actions.triage(ctx.person.actor, chosen, verdict)
        return ctx.now, notice(ctx.t("judged", verdict=ctx.t(verdict)) if verdict else ctx.t("judgement_undone"))

    on.in_browser(
        """function (chosen) {
            var query = new URLSearchParams(location.search);
            if (chosen) query.set("sel", chosen); else query.delete("sel");
            var text = query.toString();
            history.replaceState(history.state, "", location.pathname + (text ? "?" + text : ""));
            return window.dash_clientside.no_update;
        }""",
        Output("alerts-pane", "title"),
        Input("alerts-grid-chosen", "data"),
        prevent_initial_call=True,
    )


def _moment(ctx: Context, given: object) -> int:
    """The moment up to which the page shows alerts; what the browser says may only be a whole number that is not ahead of us."""
    return min(given, ctx.now) if isinstance(given, int) and not isinstance(given, bool) and given > 0 else ctx.now
