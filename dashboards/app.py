"""The pages as one ASGI application."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from dash import Dash
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from dashboards import shell
from dashboards.callbacks import Callbacks
from dashboards.context import context_of
from dashboards.guard import Asgi, Guard, Receive, Scope, Send
from dashboards.queries import Queries
from dashboards.services import Services
from soc.registry import Registry, scan

_INDEX = (
    '<!DOCTYPE html><html><head>{%metas%}<title>{%title%}</title><link rel="icon" href="data:,">'
    '<script src="/assets/early.js"></script>{%css%}</head>'
    "<body>{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer></body></html>"
)


@dataclass(frozen=True, slots=True)
class Pages:
    """What `create` makes: an ASGI application, with what the tests walk."""

    asgi: Asgi
    dash: Dash
    callbacks: Callbacks
    registry: Registry
    queries: Queries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.asgi(scope, receive, send)


def create(services: Services) -> Pages:
    """The application of these services. A page that would not load is in `registry.broken` and on the sources page."""
    pages = scan("dashboards.pages")
    queries = Queries(services)
    app = Dash(
        __name__,
        backend="fastapi",
        server=FastAPI(docs_url=None, redoc_url=None, openapi_url=None),  # type: ignore[arg-type]
        use_pages=False,
        suppress_callback_exceptions=True,
        title="Lingshu SOC · 灵枢安全运营中心",
        update_title="",
        enable_mcp=False,
        index_string=_INDEX,
        assets_ignore=r"early\.js|NOTICE\.txt",
        add_log_handler=False,
    )
    app.layout = shell.layout()
    callbacks = Callbacks(app, partial(context_of, services, queries))
    shell.register(callbacks, pages)
    for page in pages.modules.values():
        if hasattr(page, "register"):
            page.register(callbacks)
    app._setup_server()  # type: ignore[no-untyped-call]  # else a deep link as the first request gets a page without its styles and scripts (Dash 4.4)
    guarded = Guard(app.server, services, callbacks.permissions, policy(app))
    return Pages(GZipMiddleware(guarded, minimum_size=1024, compresslevel=5), app, callbacks, pages, queries)


def policy(app: Dash) -> str:
    """Nothing from elsewhere, nothing evaluated; the scripts that Dash writes into the page are named by their hashes."""
    hashes = " ".join(f"'{one.strip(chr(39))}'" for one in dict.fromkeys(app.csp_hashes()))
    return (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
