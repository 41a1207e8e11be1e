"""威胁狩猎: has this happened anywhere, when, and to whom?"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from dash import ALL, Input, Output, State, dcc, html, no_update
from dash import ctx as call

from dashboards import events, figures, formats
from dashboards.callbacks import Callbacks
from dashboards.context import Context
from dashboards.parts import Piece, button, chip, empty, extra, graph, grid, icon, note, problems, spans, table
from dashboards.queries import DEEPEST_ROW, EVERYTHING, Trend
from dashboards.state import parse_state
from soc.errors import QueryError
from soc.fields import catalogue, type_of
from soc.model import Event, now
from soc.query import And, Exists, Filter, Not, Or, Query, Term, Value
from soc.query_text import Hunt, parse_hunt, to_text

title = "hunt"
permission = "events:read"
path = "/hunt"
group, symbol, place = "operations", "search", 40
_RAIL = ("event.dataset", "event.action", "event.outcome", "host.name", "user.name", "source.ip", "process.name", "soc.source")
_COLUMNS = (("@timestamp", 176), ("event.dataset", 130), ("host.name", 120), ("user.name", 110), ("source.ip", 126))
_INSTEAD = ("event.action", "event.outcome", "business.module", "business.object", "rule.name", "process.command_line")
"""What stands for the message of an event that has none."""
_EXAMPLES = (
    "event.action:ssh_login event.outcome:failure",
    "user.name:wei.bao | top 10 event.action",
    'process.command_line:"*pg_dump*"',
    "source.ip:203.0.113.0/24 -event.outcome:success",
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A view understood, or why not."""

    hunt: Hunt | None
    since: int
    until: int
    error: QueryError | None = None


def layout(ctx: Context) -> html.Div:
    asked = _asked(ctx, ctx.now)
    return html.Div(
        [
            html.Div([html.H1(ctx.t("hunt")), spans(ctx), html.Span(className="s-sp")], className="s-head"),
            problems(ctx),
            html.Div([_bar(ctx), button(ctx.t("run_query"), "search", "s-pri", id="hunt-run")], className="s-row"),
            html.Div(_said(ctx, asked), id="hunt-said"),
            html.Section(
                [
                    html.Header([html.H2(ctx.t("hunt_over_time")), html.Span(ctx.t("hunt_narrow"), className="s-sub")]),
                    html.Div(
                        graph("hunt-trend", _trend(ctx, asked)[0], ctx.t("hunt_over_time"), 96), style={"padding": "0 12px 4px"}
                    ),
                ],
                className="s-card",
            ),
            html.Div(
                [
                    html.Section(
                        _rail(ctx, asked),
                        id="hunt-rail",
                        className="s-card s-rail",
                        **extra({"aria-label": ctx.t("hunt_fields")}),
                    ),
                    html.Section(
                        [
                            html.Div(_counted(ctx, asked), id="hunt-top", style={"flex": "1 0 auto"} if _counts(asked) else {}),
                            html.Div(
                                grid(ctx, "hunt-grid", _columns(ctx), 34, ctx.t("hunt_events")),
                                id="hunt-rows",
                                hidden=_counts(asked),
                                style={"flex": 1, "minHeight": 0, "display": "flex"},
                            ),
                            html.Div(_foot(ctx, asked), id="hunt-foot", className="s-foot"),
                        ],
                        className="s-card",
                    ),
                    html.Aside(
                        _pane(ctx, ctx.state.chosen),
                        id="hunt-pane",
                        className="s-card",
                        hidden=not ctx.state.chosen,
                        **extra({"aria-label": ctx.t("event_detail")}),
                    ),
                ],
                id="hunt-area",
                className=_area(ctx.state.chosen),
            ),
            dcc.Store(id="hunt-asof", data=ctx.now),
            dcc.Store(id="hunt-grid-chosen", data=ctx.state.chosen),
        ],
        className="s-page s-fill",
    )


def _area(chosen: object) -> str:
    return "s-hunt s-three" if chosen else "s-hunt"


# ---------------------------------------------------------------- asking


def _asked(ctx: Context, moment: int) -> _Asked:
    since, until = ctx.state.window(moment)
    try:
        return _Asked(ctx.queries.hunt(ctx.person.permissions, ctx.state.text, moment), since, until)
    except QueryError as error:
        try:  # a field of the catalogue that no event has yet is no mistake
            known = {*catalogue(), *ctx.queries.fields(ctx.person.permissions)}
            return _Asked(parse_hunt(ctx.state.text, moment, known), since, until)
        except QueryError:
            return _Asked(None, since, until, error)


def _counts(asked: _Asked) -> bool:
    return asked.hunt is not None and asked.hunt.top is not None


def _bar(ctx: Context) -> html.Div:
    known = ctx.queries.fields(ctx.person.permissions)
    words = [[name, kind] for name, kind in sorted(known.items())]
    return html.Div(
        [
            icon("search", 15),
            html.Label(ctx.t("hunt_query"), htmlFor="hunt-q", className="s-sr"),
            dcc.Input(
                id="hunt-q", type="text", value=ctx.state.text, placeholder=ctx.t("hunt_placeholder"), debounce=True,
                maxLength=4_000, spellCheck=False, autoComplete="off",
            ),
            html.Kbd("/", className="s-kbd"),
        ],
        className="s-query",
        **extra({"data-fields": json.dumps(words), "data-label": ctx.t("hunt_fields")}),
    )  # fmt: skip


def _said(ctx: Context, asked: _Asked) -> Piece:
    """A mistake with its place, or what one might ask."""
    if asked.error is not None:
        at = asked.error.position
        place: list[Piece] = []
        if at is not None:
            pointer = " " * _columns_before(ctx.state.text, at) + "▲"
            place.append(html.Pre(f"{ctx.state.text}\n{pointer}", className="s-code"))
        return html.Div([note(str(asked.error), "s-high"), *place], className="s-col")
    if ctx.state.text:
        return None
    links = [dcc.Link(html.Code(text), href=events.hunt_href(text), className="s-chip") for text in _EXAMPLES]
    return html.Div([html.Span(ctx.t("hunt_examples"), className="s-3 s-12"), *links], className="s-row s-wrap")


def _columns_before(text: str, at: int) -> int:
    """Columns of a fixed-width font: a Chinese letter takes two."""
    return sum(2 if ord(letter) >= 0x2E80 else 1 for letter in text[:at])


# ---------------------------------------------------------------- answers


def _trend(ctx: Context, asked: _Asked) -> tuple[Any, Trend | None]:
    if asked.hunt is None:
        return figures.count_bars(asked.since, asked.until, figures.interval(asked.since, asked.until), {}, ""), None
    trend = ctx.queries.event_trend(ctx.person.permissions, ctx.state, asked.hunt.where)
    drawn = figures.count_bars(
        trend.since, trend.until, trend.width, trend.counts, ctx.t("hunt_events"), margin={"l": 0, "r": 2, "t": 4, "b": 0}
    )
    drawn.update_yaxes(nticks=3)
    return drawn, trend


def _rail(ctx: Context, asked: _Asked) -> list[Piece]:
    """The most frequent values of telling fields; a press asks for them alone."""
    if asked.hunt is None:
        return []
    made: list[Piece] = []
    for name in _RAIL:
        found = ctx.queries.field_values(ctx.person.permissions, asked.hunt.where, asked.since, asked.until, name, 6)
        if not found:
            continue
        rows = [
            html.Button(
                [
                    html.Span(events.shown(name, one.key[0]), className="s-ell s-mono", title=events.shown(name, one.key[0])),
                    html.Span(formats.short(one.count, ctx.language), className="s-3 s-num"),
                ],
                id=_add(name, one.key[0], True),
                type="button",
            )
            for one in found
            if one.key[0] is not None
        ]
        summary = html.Summary([html.Span(name, className="s-mono s-ell"), html.Span(className="s-sp")])
        made.append(html.Details([summary, *rows], open=len(made) < 5))
    return made or [empty(ctx, "no_match", ctx.t("hunt_no_match"))]


def _add(name: str, value: Value | None, keep: bool) -> dict[str, str]:
    return {"type": "hunt-add", "value": json.dumps([name, value, keep], ensure_ascii=False)}


def _columns(ctx: Context) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [
        {"field": f"f{at}", "headerName": name, "width": width, "cellRenderer": "Text", "cellClass": "s-num s-mono"}
        for at, (name, width) in enumerate(_COLUMNS)
    ]
    return [*made, {"field": "text", "headerName": ctx.t("event_message"), "flex": 1, "minWidth": 300, "cellRenderer": "Text"}]


def _row(event: Event) -> dict[str, Any]:
    row: dict[str, Any] = {f"f{at}": events.shown(name, event.get(name, "")) for at, (name, _) in enumerate(_COLUMNS)}
    said = event.get("message") or " · ".join(str(event[name]) for name in _INSTEAD if name in event)
    return row | {"id": str(event.get("event.id", "")), "text": str(said)[:500]}


def _counted(ctx: Context, asked: _Asked) -> Piece:
    """The table of a query that ends in `| top …`."""
    if asked.hunt is None or asked.hunt.top is None:
        return None
    top = asked.hunt.top
    found = ctx.services.store.aggregate(asked.hunt.where, {"top": top}, asked.since, asked.until, 10.0)["top"]
    buckets = found if isinstance(found, list) else []
    if not buckets:
        return empty(ctx, "no_match", ctx.t("hunt_no_match"))
    rows = [
        [
            *(html.Button(events.shown(name, key), id=_add(name, key, True), type="button", className="s-btn s-tiny s-mono")
              for name, key in zip(top.fields, one.key, strict=True)),
            formats.whole(one.count),
        ]
        for one in buckets
    ]  # fmt: skip
    return html.Div(table([*top.fields, ctx.t("count")], rows, right=(len(top.fields),)), className="s-body")


def _foot(ctx: Context, asked: _Asked) -> list[Piece]:
    if asked.hunt is None:
        return [html.Span("—", className="s-3")]
    _, trend = _trend(ctx, asked)
    total = trend.total if trend else 0
    partial = bool(trend and trend.partial)
    parts: list[Piece] = [html.Span(ctx.t("hunt_found", count=formats.whole(total)), className="s-num")]
    if partial:
        parts.append(chip(ctx.t("hunt_partial"), "s-high"))
    if total > DEEPEST_ROW:
        parts.append(html.Span(ctx.t("narrow_down", most=formats.whole(DEEPEST_ROW)), className="s-3 s-12"))
    window = f"{formats.stamp(asked.since)} – {formats.stamp(asked.until)}"
    return [*parts, html.Span(className="s-sp"), html.Span(window, className="s-3 s-12 s-num")]


# ---------------------------------------------------------------- one event


def _pane(ctx: Context, id_: object) -> list[Piece]:
    if not isinstance(id_, str) or not id_:
        return []
    found = ctx.services.store.get([id_]).get(id_)
    close = button(ctx.t("close_pane"), "x", id="hunt-close")
    if found is None:
        return [html.Div([html.Div(close, className="s-row"), empty(ctx, "events_gone", "", "database")], className="s-pane")]
    head = [html.H2(events.shown("event.dataset", found.get("event.dataset", ""))), html.Span(className="s-sp"), close]
    parts = [
        html.Div([html.Div(head, className="s-row"), html.Div(id_, className="s-mono s-3 s-12")], className="s-sec"),
        html.Div([html.H3(ctx.t("raw_log")), events.raw_line(found)], className="s-sec"),
        html.Div([html.H3(ctx.t("all_fields")), html.Div(_fields(ctx, found), className="s-lines")], className="s-sec"),
    ]
    return [html.Div(parts, className="s-pane", tabIndex="0")]


def _fields(ctx: Context, event: Event) -> html.Table:
    """Every field with two buttons: ask for this value, leave it out."""
    names = [name for name in events.FIRST if name in event]
    names += sorted(name for name in event if name not in events.FIRST and name not in ("event.original", "event.id"))
    rows = []
    for name in names[:200]:
        value = event[name]
        single = value[0] if isinstance(value, list) and value else value
        ask: list[Piece] = []
        if isinstance(single, str | int | float | bool) and len(str(single)) <= 1_000 and type_of(name) != "date":
            for keep, sign, word in ((True, "+", "hunt_only"), (False, "−", "hunt_without")):
                ask.append(_ask(name, single, keep, sign, ctx.t(word, name=name)))
        rows.append(
            html.Tr(
                [
                    html.Th(name, scope="row", className="s-mono"),
                    html.Td(events.shown(name, value), className="s-mono", style={"overflowWrap": "anywhere"}),
                    html.Td(ask, style={"whiteSpace": "nowrap"}),
                ]
            )
        )
    return html.Table(html.Tbody(rows), className="s-tbl s-fields")


def _ask(name: str, value: Value, keep: bool, sign: str, about: str) -> html.Button:
    more = extra({"aria-label": about})
    return html.Button(sign, id=_add(name, value, keep), type="button", className="s-btn s-tiny", title=about, **more)


# ---------------------------------------------------------------- callbacks


def with_term(text: str, name: str, value: Value, keep: bool) -> str:
    """The query with one statement more; what is there already is not added again, its opposite is taken out."""
    term: Filter = Term(name, value) if value != "" else Exists(name)
    wanted, opposite = (term, Not(term)) if keep else (Not(term), term)
    hunted = parse_hunt(text, now())
    where, bar, rest = text.rpartition("|") if hunted.top is not None else (text, "", "")
    said = list(hunted.where.parts) if isinstance(hunted.where, And) else [hunted.where]
    if wanted in said:
        return text
    if opposite in said or isinstance(hunted.where, Or):
        parts = [one for one in said if one not in (opposite, EVERYTHING)]
        where = to_text(And((*parts, wanted)) if parts else wanted)
    else:
        where = f"{'' if hunted.where == EVERYTHING else where.strip()} {to_text(wanted)}".strip()
    return f"{where} |{rest}" if bar else where


def register(on: Callbacks) -> None:
    _register_asking(on)
    _register_answers(on)
    _register_pane(on)


def _register_asking(on: Callbacks) -> None:
    @on.on(
        permission,
        Output("url", "search", allow_duplicate=True),
        Input("hunt-q", "value"),
        Input({"type": "hunt-add", "value": ALL}, "n_clicks"),
        Input("hunt-trend", "clickData"),
        State("url", "search"),
        State("url", "pathname"),
        State("hunt-asof", "data"),
        prevent_initial_call=True,
    )
    def ask(
        ctx: Context,
        text: str | None,
        clicks: list[int | None],
        bar: dict[str, Any] | None,
        search: str | None,
        where: str | None,
        asof: object,
    ) -> Any:
        state, pressed = parse_state(search), call.triggered_id
        if where != path:
            return no_update
        if pressed == "hunt-q":
            typed = (text or "").strip()
            return state.but(text=typed, chosen="").search() if typed != state.text else no_update
        if pressed == "hunt-trend" and bar:
            since, until = state.window(_moment(ctx, asof))
            width = figures.interval(since, until)
            start = since - since % width + int(bar["points"][0]["pointIndex"]) * width
            return state.with_window(start, start + width).search()
        if not any(clicks) or not isinstance(pressed, dict):
            return no_update
        name, value, keep = json.loads(str(pressed["value"]))
        return state.but(text=with_term(state.text, str(name), value, bool(keep))).search()

    @on.on(permission, Output("hunt-asof", "data"), Input("hunt-run", "n_clicks"), prevent_initial_call=True)
    def run(ctx: Context, clicks: int | None) -> Any:
        return ctx.now if clicks else no_update


def _register_answers(on: Callbacks) -> None:
    @on.on(
        permission,
        Output("hunt-said", "children"),
        Output("hunt-trend", "figure"),
        Output("hunt-rail", "children"),
        Output("hunt-top", "children"),
        Output("hunt-rows", "hidden"),
        Output("hunt-foot", "children"),
        Output("hunt-q", "value"),
        Input("url", "search"),
        Input("hunt-asof", "data"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def answer(ctx: Context, search: str | None, asof: object, where: str | None) -> Any:
        if where != path:
            return (no_update,) * 7
        ctx = replace(ctx, state=parse_state(search))
        asked = _asked(ctx, _moment(ctx, asof))
        return (
            _said(ctx, asked),
            _trend(ctx, asked)[0],
            _rail(ctx, asked),
            _counted(ctx, asked),
            _counts(asked),
            _foot(ctx, asked),
            ctx.state.text,
        )

    @on.on(
        permission,
        Output("hunt-grid", "getRowsResponse"),
        Input("hunt-grid", "getRowsRequest"),
        State("url", "search"),
        State("hunt-asof", "data"),
    )
    def rows(ctx: Context, wanted: dict[str, Any] | None, search: str | None, asof: object) -> Any:
        if not wanted:
            return no_update
        ctx = replace(ctx, state=parse_state(search))
        asked = _asked(ctx, _moment(ctx, asof))
        if asked.hunt is None or asked.hunt.top is not None:
            return {"rowData": [], "rowCount": 0}
        start, end = max(0, int(wanted["startRow"])), int(wanted["endRow"])
        query = Query(asked.hunt.where, since=asked.since, until=asked.until, limit=100)
        found = ctx.queries.page(ctx.person.permissions, query, start, min(end, start + 500))
        count = start + len(found) if len(found) < end - start else -1
        return {"rowData": [_row(one) for one in found], "rowCount": count if count >= 0 else None}

    on.in_browser(
        """function (search, asof) {
            if (!document.getElementById("hunt-grid")) return window.dash_clientside.no_update;
            var view = new URLSearchParams(search || ""); view.delete("sel");
            var key = view.toString() + "|" + asof, first = window.socHuntView === undefined;
            if (window.socHuntView === key) return window.dash_clientside.no_update;
            window.socHuntView = key;
            if (!first) window.dash_ag_grid.getApiAsync("hunt-grid").then(function (api) { api.purgeInfiniteCache(); });
            return window.dash_clientside.no_update;
        }""",
        Output("hunt-foot", "title"),
        Input("url", "search"),
        Input("hunt-asof", "data"),
        prevent_initial_call=True,
    )


def _register_pane(on: Callbacks) -> None:
    on.in_browser(
        "function (cell) { return cell && cell.rowId ? cell.rowId : window.dash_clientside.no_update; }",
        Output("hunt-grid-chosen", "data"),
        Input("hunt-grid", "cellClicked"),
        prevent_initial_call=True,
    )

    @on.on(
        permission,
        Output("hunt-pane", "children"),
        Output("hunt-pane", "hidden"),
        Output("hunt-area", "className"),
        Input("hunt-grid-chosen", "data"),
        prevent_initial_call=True,
    )
    def show(ctx: Context, chosen: object) -> Any:
        return _pane(ctx, chosen), not chosen, _area(chosen)

    @on.on(
        permission,
        Output("hunt-grid-chosen", "data", allow_duplicate=True),
        Input("hunt-close", "n_clicks"),
        prevent_initial_call=True,
    )
    def close(_ctx: Context, clicks: int | None) -> Any:
        return "" if clicks else no_update


def _moment(ctx: Context, given: object) -> int:
    """The moment that a relative time range ends at; the browser's word counts if it is a whole number not ahead of us."""
    return min(given, ctx.now) if isinstance(given, int) and not isinstance(given, bool) and given > 0 else ctx.now
