"""The frame around every page: navigation with what exists and may be opened, the bar above, the way to a page."""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from types import ModuleType
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, dcc, html, no_update
from dash import ctx as dash_context

from dashboards.callbacks import Callbacks
from dashboards.context import SIGNED_IN, Context
from dashboards.parts import Piece, empty, extra, icon
from dashboards.state import parse_state
from dashboards.theme import MANTINE
from soc.cases import AlertFilter
from soc.model import now
from soc.registry import Registry

_LOG = logging.getLogger("soc.web")
GROUPS = ("posture", "operations", "detection_data")
"""Groups of the navigation, in order; a page names one of them as its `group`."""
_KEYS = (("g o", "overview"), ("g a", "alerts"), ("g i", "incidents"), ("g h", "hunt"), ("g s", "sources"))
_MORE_KEYS = (("j  k", "key_rows"), ("/", "key_query"), ("t f b u", "key_verdict"), ("?", "key_help"), ("Esc", "key_close"))


def layout() -> Piece:
    """What the browser loads first; the frame follows once the server knows who is looking."""
    frame = [
        dcc.Location(id="url", refresh="callback-nav"),
        dcc.Store(id="s-notice"),
        html.Div(id="s-root"),
        html.Div(id="s-toasts", className="s-toasts", role="status", **extra({"aria-live": "polite"})),
    ]
    return dmc.MantineProvider(html.Div(frame), theme=dict(MANTINE), defaultColorScheme="light")


def page_of(pages: Registry, path: str) -> tuple[ModuleType, str] | None:
    """The page at a path and what follows in it: ('/incidents/7') -> (incidents, '7')."""
    for page in pages.modules.values():
        if path == page.path:
            return page, ""
        if getattr(page, "has_objects", False) and path.startswith(page.path + "/"):
            return page, path[len(page.path) + 1 :]
    return None


def register(on: Callbacks, pages: Registry) -> None:
    """The callbacks of the frame."""

    @on.on(SIGNED_IN, Output("s-root", "children"), Input("url", "pathname"), State("url", "search"))
    def route(ctx: Context, path: str | None, search: str | None) -> Piece:
        found = page_of(pages, path or "/")
        if found is None:
            return frame(ctx, pages, "", _missing(ctx))
        page, rest = found
        ctx = replace(ctx, state=parse_state(search), rest=rest)
        if not ctx.may(page.permission):
            return frame(ctx, pages, page.path, _forbidden(ctx, page.permission))
        return frame(ctx, pages, page.path, _laid_out(ctx, page))

    @on.on(
        SIGNED_IN,
        Output("url", "search", allow_duplicate=True),
        Input({"type": "span", "value": ALL}, "n_clicks"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def choose_span(_ctx: Context, clicks: list[int | None], search: str | None) -> Any:
        pressed = dash_context.triggered_id
        if not any(clicks) or not isinstance(pressed, dict):
            return no_update
        return parse_state(search).but(span=str(pressed["value"])).search()

    @on.on(SIGNED_IN, Output("nav-alerts", "children"), Output("nav-incidents", "children"), Input("shell-tick", "n_intervals"))
    def badges(ctx: Context, _ticks: int | None) -> tuple[str, str]:
        return _badge(ctx, "alerts"), _badge(ctx, "incidents")

    on.in_browser(
        """function (notice) {
            if (!notice || !notice.text) return window.dash_clientside.no_update;
            var box = document.getElementById("s-toasts"), toast = document.createElement("div");
            toast.className = "s-toast" + (notice.bad ? " s-bad" : "");
            toast.textContent = notice.text;
            box.appendChild(toast);
            setTimeout(function () { toast.remove(); }, notice.bad ? 9000 : 5000);
            return window.dash_clientside.no_update;
        }""",
        Output("s-toasts", "title"),
        Input("s-notice", "data"),
    )


def notice(text: str, bad: bool = False) -> dict[str, object]:
    """What to put into `s-notice` for a toast."""
    return {"text": text, "bad": bad, "at": now()}


def frame(ctx: Context, pages: Registry, path: str, body: Piece) -> html.Div:
    brand = html.Div(
        [html.Div(icon("shield"), className="s-mark"), html.Div([ctx.t("product"), html.Small(ctx.t("product_sub"))])],
        className="s-brand",
    )
    return html.Div(
        [
            html.A(ctx.t("skip"), href="#s-main", className="s-skip"),
            brand,
            html.Header(_top(ctx), className="s-top"),
            html.Nav(_links(ctx, pages, path), className="s-nav", **extra({"aria-label": ctx.t("navigation")})),
            html.Main(body, className="s-main", id="s-main", tabIndex="-1"),
            dcc.Interval(id="shell-tick", interval=5_000),
            _help(ctx),
        ],
        className="s-shell",
    )


def _links(ctx: Context, pages: Registry, path: str) -> list[Piece]:
    """Only pages that exist and that this person may open."""
    made: list[Piece] = []
    badges = {
        name: html.Span(_badge(ctx, name), id=f"nav-{name}", className="s-cnt" + (" s-quiet" if name == "alerts" else ""))
        for name in ("alerts", "incidents")
    }
    for group in GROUPS:
        inside = [page for page in pages.modules.values() if page.group == group and ctx.may(page.permission)]
        inside.sort(key=lambda page: page.place)
        if inside:
            made.append(html.H2(ctx.t(f"group_{group}")))
        for page in inside:
            name = page.title
            shown = [icon(page.symbol), html.Span(ctx.t(name), className="s-name"), badges.pop(name, None)]
            made.append(dcc.Link(shown, href=page.path, title=ctx.t(name), className="s-on" if page.path == path else ""))
    return [*made, html.Div(list(badges.values()), hidden=True)]


def _badge(ctx: Context, name: str) -> str:
    if name == "alerts" and ctx.may("alerts:read"):
        levels = ctx.queries.alert_levels(ctx.person.permissions, AlertFilter(statuses=("new", "triage", "incident")))
        return _some(sum(levels.values()))
    if name == "incidents" and ctx.may("incidents:read"):
        return _some(len(ctx.queries.open_incidents(ctx.person.permissions)))
    return ""


def _some(count: int) -> str:
    return "" if not count else "999+" if count > 999 else str(count)


def _top(ctx: Context) -> list[Piece]:
    other = "en" if ctx.language == "zh" else "zh"
    leave = html.Form(
        html.Button([icon("x"), ctx.t("sign_out")], className="s-btn", type="submit"), action="/sign-out", method="post"
    )
    return [
        html.Span(className="s-sp"),
        html.Span([ctx.t("beijing_time"), " ", html.Span(id="s-clock")], className="s-2 s-12 s-num s-nw"),
        html.Button(
            [icon("help-circle")],
            className="s-btn s-plain",
            id="s-help-open",
            type="button",
            title=ctx.t("key_help"),
            **extra({"aria-label": ctx.t("key_help")}),
        ),
        html.Button(
            [icon("sun")],
            className="s-btn",
            type="button",
            title=ctx.t("scheme"),
            **extra({"data-scheme": "toggle", "aria-label": ctx.t("scheme")}),
        ),
        html.Button(
            [icon("language"), "English" if other == "en" else "中文"],
            className="s-btn",
            type="button",
            **extra({"data-lang": other}),
        ),
        html.A(
            [icon("user"), f"{ctx.person.name} · {ctx.t('role_' + ctx.person.role)}"],
            href="/password",
            className="s-btn",
            title=ctx.t("change_password"),
        ),
        leave,
    ]


def _help(ctx: Context) -> html.Div:
    rows = [(html.Kbd(keys, className="s-kbd"), ctx.t(name)) for keys, name in (*_KEYS, *_MORE_KEYS)]
    inner = [part for keys, text in rows for part in (html.Dt(keys), html.Dd(text))]
    body = html.Div(
        [html.H2(ctx.t("key_help")), html.Dl(inner, className="s-kv")], role="dialog", **extra({"aria-label": ctx.t("key_help")})
    )
    return html.Div(body, id="s-help", className="s-help", hidden=True)


def _laid_out(ctx: Context, page: ModuleType) -> Piece:
    """A page that breaks says so within the frame; the others stay within reach."""
    try:
        return page.layout(ctx)
    except Exception:
        number = secrets.token_hex(4)
        _LOG.exception("page %s failed, number %s", page.path, number)
        text = ctx.t("failed_with_number", number=number)
        return html.Div(
            html.Section([html.H1(ctx.t(page.title)), empty(ctx, "page_failed", text, "alert-triangle")], className="s-card"),
            className="s-page",
        )


def _missing(ctx: Context) -> html.Div:
    return html.Div(
        html.Section(
            [html.H1(ctx.t("no_page"), className="s-sr"), empty(ctx, "no_page", symbol="help-circle")], className="s-card"
        ),
        className="s-page",
    )


def _forbidden(ctx: Context, permission: str) -> html.Div:
    hint = ctx.t("forbidden_hint", permission=permission)
    return html.Div(
        html.Section([html.H1(ctx.t("no_permission"), className="s-sr"), empty(ctx, "no_permission", hint)], className="s-card"),
        className="s-page",
    )
