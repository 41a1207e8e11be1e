"""数据源健康: is every source delivering, what did we lose, what are we blind to?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from dash import ALL, Input, Output, dcc, html, no_update
from dash import ctx as call

from dashboards import events, formats
from dashboards.callbacks import Callbacks
from dashboards.context import Context
from dashboards.parts import Piece, button, card, chip, empty, figure, link, note, pairs, table
from dashboards.shell import notice
from soc.contracts import LedgerLine
from soc.model import Quarantined
from soc.query import Term
from soc.query_text import to_text
from soc.schedule import last_runs

title = "sources"
permission = "sources:read"
path = "/sources"
group, symbol, place = "detection_data", "database", 60
_SILENT_SECS = 3_600
_MOST = 100
_REASONS = 40


def layout(ctx: Context) -> html.Div:
    return html.Div(
        [
            html.Div(
                [html.H1(ctx.t("sources")), html.Span(className="s-sp"), html.Span(ctx.t("live"), className="s-fresh")],
                className="s-head",
            ),
            html.Div(_body(ctx), id="sources-body", className="s-col"),
            dcc.Interval(id="sources-tick", interval=5_000),
        ],
        className="s-page",
    )


def _body(ctx: Context) -> list[Piece]:
    lines = ctx.queries.ledger(ctx.person.permissions)
    return [
        *_warnings(ctx, lines),
        _figures(ctx, lines),
        _ledger(ctx, lines),
        html.Div([_unparsed(ctx), _quarantine(ctx)], className="s-g"),
        html.Div([_processes(ctx), _listeners(ctx)], className="s-g"),
        html.Div([_blind(ctx), _jobs(ctx)], className="s-g"),
    ]


# ---------------------------------------------------------------- what arrived


def _warnings(ctx: Context, lines: Sequence[LedgerLine]) -> list[Piece]:
    said: list[Piece] = []
    wrong = [line.source for line in lines if not line.balances]
    if wrong:
        said.append(note(ctx.t("ledger_wrong", names=", ".join(wrong[:5])), "s-critical"))
    lost = sum(line.dropped for line in lines)
    if lost:
        said.append(note(ctx.t("ledger_lost", count=formats.whole(lost)), "s-high"))
    said += [note(ctx.t("extension_broken", place=one.place, reason=one.reason), "s-high") for one in ctx.services.broken()]
    return said


def _figures(ctx: Context, lines: Sequence[LedgerLine]) -> html.Section:
    received = sum(line.received for line in lines)
    quarantined = sum(line.quarantined for line in lines)
    late = [line for line in lines if _is_silent(ctx, line)]
    shown = [
        (formats.whole(len(lines)), ctx.t("sources_known")),
        (formats.whole(len(late)), ctx.t("sources_silent")),
        (formats.short(received, ctx.language), ctx.t("received")),
        (formats.short(quarantined, ctx.language), ctx.t("quarantined")),
        (formats.short(sum(line.dropped for line in lines), ctx.language), ctx.t("dropped")),
        (formats.short(sum(line.pending for line in lines), ctx.language), ctx.t("pending")),
    ]
    figures = html.Div([figure(value, label) for value, label in shown], className="s-figures")
    return html.Section(figures, className="s-card s-body")


def _is_silent(ctx: Context, line: LedgerLine) -> bool:
    return line.last is not None and ctx.now - line.last > _SILENT_SECS * 1_000_000


def _ledger(ctx: Context, lines: Sequence[LedgerLine]) -> Piece:
    if not lines:
        return card(ctx.t("ledger"), empty(ctx, "no_data"))
    heads = [
        ctx.t("source"), ctx.t("received"), ctx.t("stored"), ctx.t("quarantined"), ctx.t("duplicate"), ctx.t("pending"),
        ctx.t("dropped"), ctx.t("balance"), ctx.t("last_seen"),
    ]  # fmt: skip
    rows = [_ledger_row(ctx, line) for line in sorted(lines, key=lambda one: -one.received)[:_MOST]]
    formula = ctx.t("ledger_formula")
    return card(ctx.t("ledger"), table(heads, rows, right=(1, 2, 3, 4, 5, 6), label=ctx.t("ledger")), sub=formula)


def _ledger_row(ctx: Context, line: LedgerLine) -> list[Piece]:
    name: Piece = html.Span(line.source, className="s-mono")
    if ctx.may("events:read"):
        name = link(line.source, events.hunt_href(to_text(Term("soc.source", line.source))), "s-mono s-u")
    word, tone, symbol_ = ("balances", "s-low", "check") if line.balances else ("unbalanced", "s-critical", "alert-triangle")
    balance = chip(ctx.t(word), tone, symbol_)
    silent: list[Piece] = [" ", chip(ctx.t("silent"), "s-medium")] if _is_silent(ctx, line) else []
    seen = html.Span([formats.ago(line.last, ctx.now, ctx.language), *silent], title=formats.stamp(line.last))
    counts = (line.received, line.stored, line.quarantined, line.duplicate, line.pending, line.dropped)
    return [name, *(formats.whole(count) for count in counts), balance, seen]


def _unparsed(ctx: Context) -> Piece:
    found = ctx.queries.unparsed(ctx.person.permissions)
    if not found:
        return card(ctx.t("unparsed"), empty(ctx, "all_parsed", "", "check"), width="s-w5")
    rows = [[html.Span(program or "—", className="s-mono"), html.Span(source, className="s-mono s-3"), formats.whole(count)]
            for source, program, count in found[:20]]  # fmt: skip
    heads = [ctx.t("program"), ctx.t("source"), ctx.t("events_count")]
    return card(ctx.t("unparsed"), table(heads, rows, right=(2,)), sub=ctx.t("unparsed_sub"), width="s-w5")


def _quarantine(ctx: Context) -> Piece:
    found = ctx.services.log.quarantine(limit=30)
    if not found:
        return card(ctx.t("quarantine"), empty(ctx, "quarantine_empty", "", "check"), width="s-w7")
    may = ctx.may("sources:replay")
    rows = [_quarantine_row(ctx, one, may) for one in found]
    heads: list[Piece] = [ctx.t("source"), ctx.t("reason"), ctx.t("record"), ctx.t("time"), ""]
    every = button(ctx.t("replay_all"), "refresh", id={"type": "replay", "value": "*"}) if may else None
    return card(ctx.t("quarantine"), table(heads, rows), sub=ctx.t("quarantine_sub"), right=every, width="s-w7")


def _quarantine_row(ctx: Context, one: Quarantined, may: bool) -> list[Piece]:
    text = one.record[:120].decode("utf-8", "replace")
    record = html.Code(text, className="s-mono s-ell", title=text, style={"maxWidth": 260, "display": "block"})
    again = button(ctx.t("replay"), "refresh", id={"type": "replay", "value": one.id}) if may else None
    return [_mono(one.source), one.reason, record, formats.ago(one.received, ctx.now, ctx.language), again]


# ---------------------------------------------------------------- who does the work


def _processes(ctx: Context) -> Piece:
    rows: list[list[Piece]] = []
    for name, state in sorted(ctx.services.health().items()):
        alive = bool(state.get("alive"))
        tone = ("alive", "s-low", "check") if alive else ("gone", "s-critical", "alert-triangle")
        word = chip(ctx.t(tone[0]), *tone[1:])
        started = _number(state.get("started"))
        age = formats.duration(ctx.now - started, ctx.language) if started else "—"
        rows.append([name, word, str(state.get("pid", "")), formats.bytes_(_number(state.get("rss"))), age, _doing(state)])
    if not rows:
        return card(ctx.t("processes"), empty(ctx, "no_processes", "", "server"), width="s-w7")
    heads = [ctx.t("process"), ctx.t("status"), "PID", ctx.t("memory"), ctx.t("uptime"), ctx.t("counted")]
    return card(ctx.t("processes"), table(heads, rows, right=(2, 3)), width="s-w7")


def _doing(state: Any) -> str:
    shown = ("records", "events", "alerts", "waiting")
    return " · ".join(f"{name} {formats.whole(_number(state[name]))}" for name in shown if isinstance(state.get(name), int))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _listeners(ctx: Context) -> Piece:
    rows: list[tuple[Piece, Piece]] = []
    for state in ctx.services.health().values():
        addresses = state.get("addresses")
        if isinstance(addresses, dict):
            rows += [(_mono(name), _mono(at)) for name, at in addresses.items()]
    stats: dict[str, int] = getattr(ctx.services.store, "stats", dict)()
    about = [(ctx.t(f"store_{name}"), formats.bytes_(stats[name]) if name == "bytes" else formats.whole(stats[name]))
             for name in ("events", "segments", "bytes") if name in stats]  # fmt: skip
    broken: dict[str, str] = getattr(ctx.services.store, "broken", dict)()
    listening = pairs(rows) if rows else empty(ctx, "no_listeners", "", "plug-connected")
    parts: list[Piece] = [listening, html.H3(ctx.t("event_store")), pairs(about)]
    parts += [note(f"{name}: {reason}", "s-high") for name, reason in list(broken.items())[:10]]
    return card(ctx.t("listeners"), parts, width="s-w5")


def _mono(text: object) -> html.Span:
    return html.Span(str(text), className="s-mono")


# ---------------------------------------------------------------- what we are blind to


def _blind(ctx: Context) -> Piece:
    unusable = ctx.services.unusable()
    if not unusable:
        return card(ctx.t("blind"), empty(ctx, "sees_all", "", "check"), width="s-w7")
    reasons = Counter(reason.partition(": ")[2] or reason for reason in unusable.values())
    rows = [[reason, formats.whole(count)] for reason, count in reasons.most_common(_REASONS)]
    sub = ctx.t("blind_sub", count=formats.whole(len(unusable)))
    return card(ctx.t("blind"), table([ctx.t("reason"), ctx.t("rules_count")], rows, right=(1,)), sub=sub, width="s-w7")


def _jobs(ctx: Context) -> Piece:
    found = last_runs(ctx.services.cases)
    if not found:
        return card(ctx.t("jobs"), empty(ctx, "no_jobs", "", "clock"), width="s-w5")
    rows: list[list[Piece]] = []
    for one in found:
        ended = _number(one["finished"]) or _number(one["started"])
        tone = {"success": "s-low", "failure": "s-critical"}.get(str(one["outcome"]), "")
        outcome = chip(ctx.t(f"job_{one['outcome']}"), tone)
        rows.append([ctx.t(f"job_{one['name']}"), outcome, formats.ago(ended, ctx.now, ctx.language), str(one["detail"])[:200]])
    return card(ctx.t("jobs"), table([ctx.t("job"), ctx.t("outcome"), ctx.t("last_run"), ctx.t("detail")], rows), width="s-w5")


# ---------------------------------------------------------------- callbacks


def register(on: Callbacks) -> None:
    @on.on(permission, Output("sources-body", "children"), Input("sources-tick", "n_intervals"), prevent_initial_call=True)
    def look(ctx: Context, _ticks: int | None) -> Any:
        return _body(ctx)

    @on.on(
        "sources:replay",
        Output("sources-body", "children", allow_duplicate=True),
        Output("s-notice", "data", allow_duplicate=True),
        Input({"type": "replay", "value": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def replay(ctx: Context, clicks: list[int | None]) -> Any:
        pressed = call.triggered_id
        if not any(clicks) or not isinstance(pressed, dict):
            return no_update, no_update
        value = str(pressed["value"])
        ids = [one.id for one in ctx.services.log.quarantine(limit=1_000)] if value == "*" else [value]
        count = ctx.services.actions.replay_quarantine(ctx.person.actor, ids)
        return _body(ctx), notice(ctx.t("replayed", count=formats.whole(count)))
