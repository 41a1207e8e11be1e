"""态势总览: are we safe now, what came in, who must act next?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dash import Input, Output, State, dcc, html, no_update
from dash import ctx as call
from plotly.io.json import to_json_plotly

from dashboards import figures, formats
from dashboards.callbacks import Callbacks
from dashboards.context import Context
from dashboards.parts import (
    STATUS_TONES,
    Piece,
    bar,
    button,
    card,
    chip,
    empty,
    graph,
    icon,
    incident_title,
    link,
    pairs,
    problems,
    severity,
    spans,
)
from dashboards.shell import notice
from dashboards.state import parse_state
from soc import audit
from soc.cases import AlertFilter, IncidentRow
from soc.contracts import LedgerLine
from soc.model import LEVELS

title = "overview"
permission = "overview:read"
path = "/"
group, symbol, place = "posture", "layout-dashboard", 10
_SILENT_SECS = 900


def layout(ctx: Context) -> html.Div:
    alive = ctx.queries.has_events(ctx.person.permissions)
    head = [
        html.H1(ctx.t("overview")),
        spans(ctx),
        html.Span(className="s-sp"),
        html.Span(_fresh(ctx), id="overview-fresh", className="s-row"),
    ]
    return html.Div(
        [
            html.Div(head, className="s-head"),
            problems(ctx),
            html.Div(_sample_strip(ctx), id="overview-sample"),
            html.Div(_start(ctx), id="overview-empty", hidden=alive),
            html.Div(_normal(ctx), id="overview-normal", className="s-col", hidden=not alive),
            dcc.Interval(id="overview-tick", interval=2_000),
            dcc.Store(id="overview-mark"),
        ],
        className="s-page",
    )


def _normal(ctx: Context) -> list[Piece]:
    alert_figure, event_figure, incident_figure = _figures(ctx)
    return [
        html.Div(_sentence(ctx), id="overview-say"),
        html.Div(_numbers(ctx), id="overview-numbers", className="s-g"),
        html.Div(
            [
                card(
                    ctx.t("alert_trend"),
                    graph("overview-alerts", alert_figure, ctx.t("alert_trend_label"), 200),
                    right=html.Span(_levels(ctx), id="overview-levels"),
                    width="s-w5",
                ),
                card(
                    ctx.t("event_trend"),
                    graph("overview-events", event_figure, ctx.t("event_trend_label"), 200),
                    sub=ctx.t("events_sub"),
                    width="s-w4",
                ),
                card(
                    ctx.t("incident_trend"),
                    graph("overview-incidents", incident_figure, ctx.t("incident_trend_label"), 200),
                    width="s-w3",
                ),
            ],
            className="s-g",
        ),
        html.Div(
            [
                card(
                    ctx.t("open_incidents"),
                    html.Div(_incidents(ctx), id="overview-open"),
                    right=link(ctx.t("all"), "/incidents", "s-12"),
                    width="s-w5",
                ),
                card(
                    ctx.t("latest_alerts"),
                    html.Div(_alerts(ctx), id="overview-latest"),
                    right=link(ctx.t("all"), "/alerts", "s-12"),
                    width="s-w4",
                ),
                card(
                    ctx.t("sources"),
                    html.Div(_sources(ctx), id="overview-sources"),
                    right=link(ctx.t("all"), "/sources", "s-12"),
                    width="s-w3",
                ),
            ],
            className="s-g",
        ),
    ]


# ---------------------------------------------------------------- the sentence


def _sentence(ctx: Context) -> html.Div:
    """What a shift lead would say first, computed: worst open incident, unjudged alerts, silent sources, imbalance."""
    may = ctx.person.permissions
    incidents = ctx.queries.open_incidents(may)
    waiting = ctx.queries.alert_levels(may, AlertFilter(statuses=("new", "triage")))
    lines = ctx.queries.ledger(may)
    silent = [line for line in lines if _is_silent(ctx, line)]
    worst = max(incidents, key=lambda one: (LEVELS.index(one.level), one.last), default=None)
    urgent = waiting["critical"] + waiting["high"]
    parts: list[Piece] = [ctx.t("say_span", span=_span(ctx))]
    if worst is None:
        parts.append(ctx.t("say_no_incidents"))
    else:
        parts += [
            html.B(ctx.t("say_incidents", count=len(incidents))),
            ctx.t("say_worst"),
            link(f"{worst.number} {incident_title(ctx, worst.title)}", f"/incidents/{worst.id}"),
        ]
        parts.append(ctx.t("say_owner", owner=worst.owner) if worst.owner else ctx.t("say_no_owner"))
    parts += [
        ctx.t("say_and"),
        link(ctx.t("say_urgent", count=urgent), "/alerts?sev=high,critical&st=new,triage&t=30d")
        if urgent
        else ctx.t("say_no_urgent"),
    ]
    if silent:
        parts += [ctx.t("say_and"), link(ctx.t("say_silent", count=len(silent)), "/sources")]
    if unbalanced := [line for line in lines if not line.balances]:
        parts += [ctx.t("say_and"), link(ctx.t("say_unbalanced", count=len(unbalanced)), "/sources")]
    tone = (
        worst.level
        if worst is not None and worst.level in ("critical", "high")
        else "medium"
        if worst or silent or unbalanced
        else "ok"
    )
    act = (
        link([ctx.t("go_incident"), icon("chevron-right")], f"/incidents/{worst.id}", "s-btn s-pri")
        if worst is not None and ctx.may("incidents:read")
        else None
    )
    sign = "alert-triangle" if tone != "ok" else "check"
    return html.Div(
        [icon(sign, 20), html.Span([*parts, ctx.t("say_end")]), html.Span(className="s-sp"), act],
        className=f"s-say s-{tone}",
        role="status",
    )


def _span(ctx: Context) -> str:
    name = f"span_{ctx.state.span}"
    return ctx.t(name) if "~" not in ctx.state.span else ctx.t("span_own")


def _is_silent(ctx: Context, line: LedgerLine) -> bool:
    """Nothing for a quarter of an hour from a source that sends; a file that was replayed once is not silent, it is finished."""
    if line.last is None or line.source.startswith(("replay:", "sample:", "file:")):
        return False
    return ctx.now - line.last > _SILENT_SECS * 1_000_000


# ---------------------------------------------------------------- numbers and charts


def _numbers(ctx: Context) -> list[Piece]:
    may = ctx.person.permissions
    since, until = ctx.state.window(ctx.now)
    events = ctx.queries.event_trend(may, ctx.state)
    levels = ctx.queries.alert_levels(
        may, AlertFilter(since=since // 1_000_000 * 1_000_000, until=until // 1_000_000 * 1_000_000 + 1_000_000)
    )
    incidents = ctx.queries.open_incidents(may)
    lines = ctx.queries.ledger(may)
    received, quarantined = sum(line.received for line in lines), sum(line.quarantined for line in lines)
    more = "≥ " if events.partial else ""
    tiles = (
        (
            more + formats.short(events.total, ctx.language),
            "events_in_span",
            ctx.t("per_second", rate=_rate(events.total, until - since)),
        ),
        (
            formats.short(sum(levels.values()), ctx.language),
            "alerts_in_span",
            ctx.t("of_them_urgent", count=levels["critical"] + levels["high"]),
        ),
        (formats.whole(len(incidents)), "open_incidents", ctx.t("without_owner", count=sum(not one.owner for one in incidents))),
        (formats.short(received, ctx.language), "received_in_all", ctx.t("sources_count", count=len(lines))),
        (
            formats.percent(received - quarantined, received),
            "readable",
            ctx.t("quarantined_count", count=formats.whole(quarantined)),
        ),
        (
            formats.short(sum(line.pending for line in lines), ctx.language),
            "pending",
            ctx.t("balanced") if all(line.balances for line in lines) else ctx.t("not_balanced"),
        ),
    )
    return [
        html.Section(
            html.Div(
                [
                    html.Div(value, className="s-big"),
                    html.Div(ctx.t(name), className="s-b"),
                    html.Div(under, className="s-3 s-12"),
                ],
                className="s-body",
            ),
            className="s-card s-w2",
        )
        for value, name, under in tiles
    ]


def _rate(count: int, micros: int) -> str:
    rate = count / max(micros / 1_000_000, 1)
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}"


def _figures(ctx: Context) -> tuple[Any, Any, Any]:
    may = ctx.person.permissions
    names = {level: ctx.t(level) for level in LEVELS}
    alerts, events = ctx.queries.alert_trend(may, ctx.state), ctx.queries.event_trend(may, ctx.state)
    opened: dict[int, int] = {}
    for one in ctx.queries.recent_incidents(may):
        if alerts.since <= one.opened < alerts.until:
            start = one.opened - one.opened % alerts.width
            opened[start] = opened.get(start, 0) + 1
    return (
        figures.severity_bars(alerts.since, alerts.until, alerts.width, alerts.counts, names),
        figures.count_bars(events.since, events.until, events.width, events.counts, ctx.t("events")),
        figures.count_bars(alerts.since, alerts.until, alerts.width, opened, ctx.t("incidents_opened")),
    )


def _levels(ctx: Context) -> html.Span:
    counts = dict.fromkeys(LEVELS, 0)
    for (_, level), count in ctx.queries.alert_trend(ctx.person.permissions, ctx.state).counts.items():
        counts[level] += count
    shown = [
        severity(ctx, level, f"{ctx.t(level)} {formats.short(counts[level], ctx.language)}")
        for level in reversed(LEVELS)
        if level != "informational"
    ]
    return html.Span(shown, className="s-row s-num s-12", style={"gap": 12})


# ---------------------------------------------------------------- lists


def _incidents(ctx: Context) -> Piece:
    rows = sorted(ctx.queries.open_incidents(ctx.person.permissions), key=lambda one: (-LEVELS.index(one.level), -one.last))[:7]
    if not rows:
        return empty(ctx, "no_open_incidents", symbol="check")
    return html.Div([_incident(ctx, one) for one in rows], className="s-lines")


def _incident(ctx: Context, one: IncidentRow) -> Piece:
    first = html.Div(
        [
            severity(ctx, one.level),
            html.Span(one.number, className="s-mono s-3"),
            html.Span(incident_title(ctx, one.title), className="s-ell", title=incident_title(ctx, one.title)),
        ],
        className="s-row",
    )
    owner = one.owner or ctx.t("no_owner")
    under = html.Span(
        f"{ctx.t('matches_count', count=formats.whole(one.alerts))} · {owner} · {formats.ago(one.last, ctx.now, ctx.language)}",
        className="s-3 s-12 s-ell",
    )
    return dcc.Link(
        [
            html.Div([first, html.Div(under, style={"paddingLeft": 18})]),
            chip(ctx.t(one.status), STATUS_TONES.get(one.status, "")),
        ],
        href=f"/incidents/{one.id}",
        className="s-line-link",
    )


def _alerts(ctx: Context) -> Piece:
    rows = ctx.queries.shared(ctx.person.permissions, "latest", lambda: ctx.services.cases.alerts(limit=7), 1.0)
    if not rows:
        return empty(ctx, "no_alerts", symbol="check")
    made = []
    for row in rows:
        one = row.alert
        title = ctx.t(one.rule.title)
        first = html.Div(
            [severity(ctx, one.rule.level), html.Span(title, className="s-ell", title=title)], className="s-row"
        )
        under = html.Span(" · ".join(entity.name for entity in one.entities[:3]) or one.source, className="s-3 s-12 s-ell")
        age = html.Span(
            formats.ago(one.raised, ctx.now, ctx.language), className="s-3 s-12 s-num", title=formats.stamp(one.raised)
        )
        made.append(
            dcc.Link(
                [html.Div([first, html.Div(under, className="s-ell", style={"paddingLeft": 18})]), age],
                href=f"/alerts?t=30d&sel={one.id}",
                className="s-line-link",
            )
        )
    return html.Div(made, className="s-lines")


def _sources(ctx: Context) -> Piece:
    lines = sorted(ctx.queries.ledger(ctx.person.permissions), key=lambda line: -line.received)[:8]
    most = max((line.received for line in lines), default=1) or 1
    made = []
    for line in lines:
        name = html.Div([html.Div(line.source, className="s-ell", title=line.source), bar(line.received / most)])
        silent = _is_silent(ctx, line)
        state = (
            chip(ctx.t("silent"), "s-medium")
            if silent
            else chip(ctx.t("not_balanced"), "s-critical")
            if not line.balances
            else html.Span(formats.ago(line.last, ctx.now, ctx.language), className="s-3 s-12")
        )
        made.append(
            html.Div(
                [
                    name,
                    html.Div(
                        [html.Div(formats.short(line.received, ctx.language), className="s-num"), state],
                        style={"textAlign": "right"},
                    ),
                ]
            )
        )
    return html.Div(made, className="s-lines") if made else empty(ctx, "no_data")


def _fresh(ctx: Context) -> list[Piece]:
    """When the last record came, and whether everybody is at work."""
    last = max((line.last or 0 for line in ctx.queries.ledger(ctx.person.permissions)), default=0)
    dead = [name for name, state in ctx.services.health().items() if not state.get("alive")]
    tone = "s-gone" if dead else ""
    text = (
        ctx.t("processes_gone", names=", ".join(dead))
        if dead
        else ctx.t("last_received", when=formats.ago(last, ctx.now, ctx.language) if last else "—")
    )
    return [html.Span(text, className=f"s-fresh {tone}", title=formats.stamp(last) if last else "")]


# ---------------------------------------------------------------- the first screen


def _start(ctx: Context) -> html.Section:
    """Nothing has come yet: what to do about it."""
    listening = {
        name: address for state in ctx.services.health().values() for name, address in dict(state.get("addresses") or {}).items()
    }
    steps = [
        html.Div(
            [
                html.H2(ctx.t("start_send")),
                html.P(ctx.t("start_send_hint"), className="s-2"),
                pairs([(name, html.Span(address, className="s-mono")) for name, address in sorted(listening.items())])
                if listening
                else None,
            ]
        ),
        html.Div(
            [
                html.H2(ctx.t("start_replay")),
                html.P(ctx.t("start_replay_hint"), className="s-2"),
                html.Pre("soc replay /var/log", className="s-code"),
            ]
        ),
    ]
    sample = (
        html.Div(
            [
                html.P(ctx.t("start_sample_hint"), className="s-2"),
                button(ctx.t("sample_load"), "player-play", "s-pri", id="sample-load"),
            ]
        )
        if ctx.may("sample:write")
        else html.Div(html.Button(id="sample-load", hidden=True))
    )
    body = [
        empty(ctx, "nothing_yet", ctx.t("nothing_yet_hint"), "database"),
        html.Div(sample, style={"textAlign": "center"}),
        html.Div(
            steps,
            style={
                "display": "grid",
                "gridTemplateColumns": "repeat(auto-fit,minmax(280px,1fr))",
                "gap": 28,
                "padding": "20px 28px",
            },
        ),
    ]
    return html.Section(body, className="s-card")


def _sample_strip(ctx: Context) -> Piece:
    loaded = ctx.queries.sample_is_loaded(ctx.person.permissions)
    remove = button(ctx.t("sample_remove"), "x", id="sample-remove", hidden=not (loaded and ctx.may("sample:write")))
    if not loaded:
        return remove
    return html.Div(
        [icon("help-circle"), html.Span(ctx.t("sample_is_loaded")), html.Span(className="s-sp"), remove], className="s-note s-low"
    )


# ---------------------------------------------------------------- callbacks


def register(on: Callbacks) -> None:
    @on.on(
        permission,
        Output("overview-empty", "hidden"),
        Output("overview-normal", "hidden"),
        Output("overview-sample", "children"),
        Output("overview-say", "children"),
        Output("overview-numbers", "children"),
        Output("overview-open", "children"),
        Output("overview-latest", "children"),
        Output("overview-sources", "children"),
        Output("overview-fresh", "children"),
        Output("overview-mark", "data"),
        Input("overview-tick", "n_intervals"),
        State("url", "search"),
        State("overview-mark", "data"),
        prevent_initial_call=True,
    )
    def live(ctx: Context, _ticks: int, search: str | None, marks: list[str] | None) -> list[Any]:
        """Only what changed is sent, so that nothing moves without a reason."""
        ctx = _seen(ctx, search)
        alive = ctx.queries.has_events(ctx.person.permissions)
        parts: Sequence[Any] = (
            _sample_strip(ctx),
            _sentence(ctx),
            _numbers(ctx),
            _incidents(ctx),
            _alerts(ctx),
            _sources(ctx),
            _fresh(ctx),
        )
        fresh = [_mark(part) for part in parts]
        old = marks if isinstance(marks, list) and len(marks) == len(fresh) else [None] * len(fresh)
        return [
            alive,
            not alive,
            *(part if new != before else no_update for part, new, before in zip(parts, fresh, old, strict=True)),
            fresh,
        ]

    @on.on(
        permission,
        Output("overview-alerts", "figure"),
        Output("overview-events", "figure"),
        Output("overview-incidents", "figure"),
        Output("overview-levels", "children"),
        Input("overview-tick", "n_intervals"),
        Input("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def draw(ctx: Context, ticks: int | None, search: str | None, where: str | None) -> Any:
        if where != path or (call.triggered_id == "overview-tick" and (ticks or 0) % 5):
            return no_update, no_update, no_update, no_update
        ctx = _seen(ctx, search)
        return (*_figures(ctx), _levels(ctx))

    on.in_browser(
        """function (search) {
            var span = new URLSearchParams(search || "").get("t") || "24h";
            document.querySelectorAll(".s-spans button").forEach(function (button) {
                var id = button.id ? JSON.parse(button.id) : {};
                button.setAttribute("aria-pressed", id.value === span);
            });
            return window.dash_clientside.no_update;
        }""",
        Output("s-toasts", "lang"),
        Input("url", "search"),
        prevent_initial_call=True,
    )

    @on.on(
        "sample:write",
        Output("s-notice", "data", allow_duplicate=True),
        Input("sample-load", "n_clicks"),
        prevent_initial_call=True,
    )
    def load(ctx: Context, clicks: int | None) -> Any:
        if not clicks:
            return no_update
        return notice(ctx.t("sample_loading", count=_audited(ctx, "sample.load", ctx.services.sample.load)))

    @on.on(
        "sample:write",
        Output("s-notice", "data", allow_duplicate=True),
        Input("sample-remove", "n_clicks"),
        prevent_initial_call=True,
    )
    def remove(ctx: Context, clicks: int | None) -> Any:
        if not clicks:
            return no_update
        _audited(ctx, "sample.remove", ctx.services.sample.remove)
        return notice(ctx.t("sample_removed"))


def _seen(ctx: Context, search: str | None) -> Context:
    return replace(ctx, state=parse_state(search))


def _audited(ctx: Context, name: str, deed: Any) -> Any:
    """The sample is put in and taken out in transactions of its own; the record of who did it follows in one more."""
    outcome = "failure"
    try:
        result = deed()
        outcome = "success"
        return result
    finally:
        with ctx.services.cases.writing() as connection:
            audit.record(connection, ctx.person.name, name, "sample", outcome, {"from": ctx.person.address})


def _mark(part: Any) -> str:
    return hashlib.blake2b(to_json_plotly(part).encode(), digest_size=8).hexdigest()
