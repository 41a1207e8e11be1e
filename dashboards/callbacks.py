"""The only way in which a page makes a callback: with the permission that it demands.

The permission is checked twice, by the guard before the request reaches Dash (a clean 403) and here inside the call, whichever
way it came. `permissions` is what the tests walk: a callback that is registered past this class is refused by the guard.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from dash import Dash, no_update, set_props

from dashboards.context import Context
from soc.errors import SocError

Function = TypeVar("Function", bound=Callable[..., Any])
_LOG = logging.getLogger("soc.web")


class Callbacks:
    """Registers callbacks of one app. `context` makes the Context of the request being answered."""

    def __init__(self, app: Dash, context: Callable[[], Context]) -> None:
        self._app, self._context = app, context
        self.permissions: dict[str, str] = {}

    def on(self, permission: str, *wiring: Any, **options: Any) -> Callable[[Function], Function]:
        """`fn(ctx, *inputs, *states)` in a thread. A SocError becomes a notice on the page and changes nothing else."""

        def register(fn: Function) -> Function:
            @functools.wraps(fn)
            async def guarded(*values: Any) -> Any:
                ctx = self._context()
                ctx.demand(permission)
                try:
                    return await asyncio.to_thread(fn, ctx, *values)
                except SocError as error:
                    set_props("s-notice", {"data": {"text": str(error)[:600], "bad": True, "at": secrets.token_hex(4)}})
                    return self._nothing(wiring)
                except Exception:
                    number = secrets.token_hex(4)
                    _LOG.exception("callback %s failed, number %s", fn.__qualname__, number)
                    set_props(
                        "s-notice", {"data": {"text": ctx.t("failed_with_number", number=number), "bad": True, "at": number}}
                    )
                    return self._nothing(wiring)

            known = set(self._app.callback_map)
            self._app.callback(*wiring, **options)(guarded)
            for new in set(self._app.callback_map) - known:
                self.permissions[new] = permission
            return fn

        return register

    def in_browser(self, code: str, *wiring: Any, **options: Any) -> None:
        """A clientside callback: it moves things about on the page and asks nothing of the server."""
        self._app.clientside_callback(code, *wiring, **options)  # type: ignore[no-untyped-call]

    @staticmethod
    def _nothing(wiring: tuple[Any, ...]) -> Any:
        from dash import Output

        outputs = [one for one in wiring if isinstance(one, Output)]
        return no_update if len(outputs) == 1 else tuple(no_update for _ in outputs)
