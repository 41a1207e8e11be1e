"""Small building blocks of pages: plain elements and classes, so that dark mode costs nothing and payloads stay small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dash_ag_grid as dag
from dash import dcc, html

from dashboards import figures, theme
from dashboards.context import Context
from dashboards.state import SPANS
from soc.cases import AlertRow
from soc.model import Level

Piece = Any
"""A Dash component, a text, or a list of these."""


def extra(given: dict[str, Any]) -> dict[str, Any]:
    """Attributes whose names are no Python names; Dash passes them on and its types do not know them."""
    return given


STATUS_TONES = {"new": "s-low", "triage": "s-medium", "detected": "s-low", "graded": "s-medium", "responding": "s-medium"}


def icon(name: str, size: int = 16) -> html.Span:
    return html.Span(className=f"s-icon s-i-{name}", style={"width": size, "height": size}, **extra({"aria-hidden": "true"}))


def _flat(*pieces: Piece) -> list[Piece]:
    """React wants one list of children, not lists in lists."""
    return [one for piece in pieces for one in (piece if isinstance(piece, list) else [piece]) if one is not None]


def severity(ctx: Context, level: Level | str, text: str | None = None) -> html.Span:
    """Colour, shape and word."""
    return html.Span(text if text is not None else ctx.t(level), className=f"s-sev s-{level}")


def status_word(ctx: Context, row: AlertRow) -> str:
    """An alert's verdict, or else where it is."""
    return ctx.t(row.verdict or ("status_incident" if row.status == "incident" else row.status))


def incident_title(ctx: Context, title: str) -> str:
    """An incident is called after its gravest rule and what it is about; the rule's part has a translation."""
    rule, mark, about = title.rpartition(" · ")
    return f"{ctx.t(rule)}{mark}{about}" if mark else ctx.t(title)


def chip(text: Piece, tone: str = "", symbol: str = "") -> html.Span:
    return html.Span(_flat(icon(symbol, 13) if symbol else None, text), className=f"s-chip {tone}")


def card(
    title: str, body: Piece, *, sub: Piece = None, right: Piece = None, width: str = "", class_: str = "s-body", **more: Any
) -> html.Section:
    header = html.Header(
        [html.H2(title), html.Span(sub, className="s-sub s-ell") if sub else None, html.Span(className="s-sp"), right]
    )
    return html.Section([header, html.Div(body, className=class_, **more)], className=f"s-card {width}")


def button(label: Piece, symbol: str = "", kind: str = "", key: str = "", **more: Any) -> html.Button:
    """`key` is the letter that presses it."""
    parts = [*_flat(icon(symbol) if symbol else None, label), html.Kbd(key, className="s-kbd") if key else None]
    keys: dict[str, Any] = {"data-key": key.lower()} if key else {}
    return html.Button(parts, className=f"s-btn {kind}", type="button", **keys, **more)


def link(label: Piece, href: str, kind: str = "", symbol: str = "") -> dcc.Link:
    return dcc.Link(_flat(icon(symbol) if symbol else None, label), href=href, className=kind)


def pairs(rows: Iterable[tuple[Piece, Piece]]) -> html.Dl:
    return html.Dl([part for name, value in rows for part in (html.Dt(name), html.Dd(value))], className="s-kv")


def table(heads: Sequence[Piece], rows: Iterable[Sequence[Piece]], right: Sequence[int] = (), label: str = "") -> html.Div:
    """A plain table; `right` are the columns of numbers. Wide ones scroll inside their card."""
    classes = ["s-r" if index in right else "" for index in range(len(heads))]
    head = html.Tr([html.Th(text, className=name, scope="col") for text, name in zip(heads, classes, strict=True)])
    body = [html.Tr([html.Td(cell, className=name) for cell, name in zip(row, classes, strict=True)]) for row in rows]
    inner = html.Table([html.Thead(head), html.Tbody(body)], className="s-tbl")
    return html.Div(inner, className="s-scroll", tabIndex="0", role="region", **extra({"aria-label": label or str(heads[0])}))


def figure(value: str, label: Piece) -> html.Div:
    return html.Div([html.B(value), html.Span(label)], className="s-figure")


def bar(share: float) -> html.Div:
    return html.Div(
        html.I(style={"width": f"{max(0.0, min(1.0, share)) * 100:.1f}%"}), className="s-bar", **extra({"aria-hidden": "true"})
    )


def empty(ctx: Context, kind: str, hint: Piece = None, symbol: str = "") -> html.Div:
    """One of the kinds of nothing: 'no_match', 'no_data', 'no_permission', 'not_configured'."""
    symbols = {"no_match": "filter", "no_data": "database", "no_permission": "lock", "not_configured": "plug-connected"}
    hint = hint if hint is not None else ctx.t(f"{kind}_hint")
    return html.Div(
        [icon(symbol or symbols.get(kind, "help-circle"), 28), html.H3(ctx.t(kind)), html.P(hint)], className="s-empty"
    )


def note(text: Piece, tone: str = "", symbol: str = "alert-triangle") -> html.Div:
    return html.Div([icon(symbol), html.Span(text)], className=f"s-note {tone}", role="status")


def problems(ctx: Context) -> html.Div | None:
    """What was wrong with the address, said instead of dropped."""
    if not ctx.state.problems:
        return None
    return note(ctx.t("address_problem", names=", ".join(ctx.state.problems)))


def graph(id_: str, figure_: Any, label: str, height: Any) -> html.Div:
    """A chart with the sentence that says what it shows to those who do not see it."""
    inner = dcc.Graph(id=id_, figure=figure_, config=figures.CONFIG, style={"height": height})
    return html.Div(inner, role="img", **extra({"aria-label": label}))


def spans(ctx: Context) -> html.Div:
    """The time range as a row of buttons; `shell` writes what is pressed into the address."""
    buttons = [
        html.Button(
            ctx.t(f"span_{name}"),
            id={"type": "span", "value": name},
            type="button",
            **extra({"aria-pressed": str(ctx.state.span == name).lower()}),
        )
        for name in SPANS
    ]
    own = (
        []
        if ctx.state.span in SPANS
        else [html.Button(ctx.t("span_own"), type="button", title=ctx.state.span, **extra({"aria-pressed": "true"}))]
    )
    return html.Div(buttons + own, className="s-spans", role="group", **extra({"aria-label": ctx.t("time_range")}))


GRID_WORDS = ("noRowsToShow", "loadingOoo", "copy", "pinColumn", "autosizeThisColumn", "resetColumns")


def grid(ctx: Context, id_: str, columns: Sequence[dict[str, Any]], row_height: int = 42, label: str = "") -> html.Div:
    """An endless grid that asks the server for pages of rows. `keys.js` moves in it and names the row in `<id>-chosen`."""
    options = {
        "theme": {"function": theme.grid(row_height)},
        "localeText": {word: ctx.t(f"grid_{word}") for word in GRID_WORDS},
        "cacheBlockSize": 100,
        "maxBlocksInCache": 6,
        "maxConcurrentDatasourceRequests": 1,
        "infiniteInitialRowCount": 1,
        "rowBuffer": 4,
        "animateRows": False,
        "tooltipShowDelay": 400,
        "enableCellTextSelection": True,
    }
    inner = dag.AgGrid(
        id=id_,
        rowModelType="infinite",
        columnDefs=list(columns),
        columnSize=None,
        getRowId="params.data.id",
        style={"height": "100%", "width": "100%"},
        defaultColDef={"sortable": False, "resizable": True, "suppressHeaderMenuButton": True, "filter": False},
        dashGridOptions=options,
    )
    return html.Div(inner, style={"flex": 1, "minHeight": 0}, **extra({"data-rows": id_, "aria-label": label}))
