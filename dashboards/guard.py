"""What every request passes before it reaches a page: who is it, may they, and where does it come from.

Pure ASGI, so that it covers websockets as well as HTTP (middleware of the framework does not). Nothing but the sign-in page and
the static files of its looks is open; a callback that no page registered with a permission is refused, whoever asks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import parse_qs, quote, urlsplit

from dashboards.context import SIGNED_IN, Looking, looking
from dashboards.door import password_page, sign_in_page
from dashboards.i18n import DEFAULT, LANGUAGES, translate
from dashboards.services import Services
from identity.accounts import SignInRefused
from identity.sessions import Person
from soc.errors import Conflict, NotFound

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Scope: TypeAlias = MutableMapping[str, Any]
Asgi: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "soc_session"
LANGUAGE_COOKIE = "soc_lang"
CALLBACKS = "/_dash-update-component"
_LARGEST_BODY = 2_000_000
_OPEN = ("/assets/",)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class TooLarge(Exception):
    """A request's body is beyond what any page sends."""


class Guard:
    """`permissions` says of every callback what it demands; `policy` is the content security policy."""

    def __init__(self, inner: Asgi, services: Services, permissions: Mapping[str, str], policy: str) -> None:
        self._inner, self._services, self._permissions = inner, services, permissions
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, self._with_headers(scope, send))
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    # ---------------------------------------------------------------- http

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _Request(scope)
        if request.path.startswith(_OPEN) and request.method in _SAFE:
            await self._inner(scope, receive, send)
            return
        if request.method not in _SAFE and not request.is_own():
            await _answer(send, 403, "the request does not come from these pages")
            return
        try:
            body = b"" if request.method in _SAFE else await _body(receive)
        except TooLarge:
            await _answer(send, 413, "too large")
            return
        token = request.cookies.get(COOKIE, "")
        person = await asyncio.to_thread(self._services.sessions.find, token, not _is_polling(body)) if token else None
        if request.path in ("/sign-in", "/sign-out", "/password"):
            await self._door(request, person, body, send)
        elif person is None:
            await self._unknown(request, send)
        elif person.must_change:
            await _redirect(send, "/password") if request.is_page() else await _answer(send, 403, "choose a password first")
        elif request.path == CALLBACKS and (why := self._refusal(person, body)):
            await _answer(send, 403, why)
        else:
            held = looking.set(Looking(person, request.language))
            try:
                # every address of a page is the same document; Dash's own way to that waits for its first request
                inside = {**scope, "path": "/", "raw_path": b"/"} if request.is_page() else scope
                await self._inner(inside, _replayed(body, receive), send)
            finally:
                looking.reset(held)

    def _refusal(self, person: Person, body: bytes) -> str:
        """Why this callback may not run; '' if it may."""
        try:
            output = json.loads(body)["output"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return "not a callback"
        permission = self._permissions.get(output) if isinstance(output, str) else None
        if permission is None:
            return "no such callback"
        if permission != SIGNED_IN and not person.may(permission):
            return f"the permission {permission} is missing"
        return ""

    async def _unknown(self, request: _Request, send: Send) -> None:
        if request.is_page():
            await _redirect(send, "/sign-in?next=" + quote(request.target, safe=""))
        else:
            await _answer(send, 401, "sign in first")

    # ---------------------------------------------------------------- signing in

    async def _door(self, request: _Request, person: Person | None, body: bytes, send: Send) -> None:
        form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace"), max_num_fields=20).items()}
        if request.path == "/sign-out":
            await self._sign_out(request, send)
        elif request.path == "/password":
            await self._password(request, person, form, send)
        elif request.method == "POST":
            await self._sign_in(request, form, send)
        elif person is not None:
            await _redirect(send, "/password" if person.must_change else request.next())
        else:
            await _page(send, 200, sign_in_page(request.language, action=request.sign_in_action()))

    async def _sign_in(self, request: _Request, form: Mapping[str, str], send: Send) -> None:
        name = form.get("name", "").strip()[:64]
        accounts, sessions = self._services.accounts, self._services.sessions
        try:
            account = await asyncio.to_thread(accounts.sign_in, name, form.get("password", ""), request.address)
        except SignInRefused as refused:
            text = translate(request.language, str(refused), secs=refused.wait_secs)
            status = 429 if refused.wait_secs else 401
            await _page(send, status, sign_in_page(request.language, text, name, request.sign_in_action()))
            return
        token = await asyncio.to_thread(sessions.open, account.name, request.address)
        await _redirect(send, "/password" if account.must_change else request.next(), self._cookie(token))

    async def _sign_out(self, request: _Request, send: Send) -> None:
        if request.method != "POST":
            await _redirect(send, "/")
            return
        await asyncio.to_thread(self._services.sessions.close, request.cookies.get(COOKIE, ""))
        await _redirect(send, "/sign-in", self._cookie("", gone=True))

    async def _password(self, request: _Request, person: Person | None, form: Mapping[str, str], send: Send) -> None:
        if person is None:
            await self._unknown(request, send)
        elif request.method != "POST":
            await _page(send, 200, password_page(request.language, forced=person.must_change))
        else:
            try:
                if form.get("new", "") != form.get("again", ""):
                    raise Conflict("password_not_same_twice")
                change = self._services.accounts.change_password
                await asyncio.to_thread(change, person.name, form.get("old", ""), form.get("new", ""))
            except (SignInRefused, Conflict, NotFound) as error:
                key = "old_password_wrong" if str(error) == "sign_in_refused" else str(error)
                text = translate(request.language, key, secs=getattr(error, "wait_secs", 0))
                await _page(send, 400, password_page(request.language, text, person.must_change))
                return
            await asyncio.to_thread(self._services.sessions.revoke, person.name)
            token = await asyncio.to_thread(self._services.sessions.open, person.name, request.address)
            await _redirect(send, "/", self._cookie(token))

    def _cookie(self, token: str, gone: bool = False) -> bytes:
        web = self._services.web
        age = 0 if gone else web.session_hours * 3_600
        secure = "; Secure" if web.secure_cookies else ""
        return f"{COOKIE}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}".encode()

    # ---------------------------------------------------------------- websocket

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _Request(scope)
        token = request.cookies.get(COOKIE, "")
        person = await asyncio.to_thread(self._services.sessions.find, token) if token else None
        if person is None or person.must_change or not request.is_own():
            await receive()  # the handshake; closing before accepting it refuses it with 403
            await send({"type": "websocket.close", "code": 4401, "reason": "sign in first"})
            return
        held = looking.set(Looking(person, request.language))
        try:
            await self._inner(scope, receive, send)
        finally:
            looking.reset(held)

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        path = scope["path"]
        fixed = path.startswith(("/_dash-component-suites/",)) or (
            path.startswith("/assets/") and b"m=" in scope.get("query_string", b"")
        )

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [(name, value) for name, value in message.get("headers", []) if name.lower() != b"cache-control"]
                kept = b"private, max-age=31536000, immutable" if fixed and message["status"] == 200 else b"no-store"
                if path.startswith("/assets/") and not fixed:
                    kept = b"private, no-cache"
                message["headers"] = [*given, *self._headers, (b"cache-control", kept)]
            await send(message)

        return sending


class _Request:
    """The few things the guard looks at."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope.get("method", "GET")
        self.path: str = scope["path"]
        self.query: str = scope.get("query_string", b"").decode("latin-1")
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", [])}
        self.address: str = (scope.get("client") or ("", 0))[0]
        self.cookies = _cookies(self.headers.get("cookie", ""))
        chosen = self.cookies.get(LANGUAGE_COOKIE, "")
        self.language = chosen if chosen in LANGUAGES else DEFAULT

    @property
    def target(self) -> str:
        return self.path + ("?" + self.query if self.query else "")

    def is_own(self) -> bool:
        """Whether the browser says that one of our own pages sent it. A request that does not say is not ours."""
        origin = self.headers.get("origin", "")
        return bool(origin) and urlsplit(origin).netloc == self.headers.get("host", "")

    def is_page(self) -> bool:
        """A browser going to an address, rather than a page fetching something."""
        return self.method in _SAFE and "text/html" in self.headers.get("accept", "") and not self.path.startswith("/_")

    def next(self) -> str:
        """Where to go after signing in: a path of ours, whatever the address says."""
        wanted = parse_qs(self.query).get("next", ["/"])[0]
        parts = urlsplit(wanted)
        ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
        return (
            wanted
            if ours and wanted.isprintable() and "\\" not in wanted and parts.path not in ("/sign-in", "/sign-out")
            else "/"
        )

    def sign_in_action(self) -> str:
        wanted = self.next()
        return "/sign-in" if wanted == "/" else "/sign-in?next=" + quote(wanted, safe="")


def _cookies(text: str) -> dict[str, str]:
    try:
        return {name: one.value for name, one in SimpleCookie(text).items()}
    except CookieError:
        return {}


def _is_polling(body: bytes) -> bool:
    """Whether a page asked by itself: all that changed is one of its timers."""
    if not body.startswith(b"{"):
        return False
    try:
        changed = json.loads(body).get("changedPropIds")
    except (ValueError, AttributeError, RecursionError):
        return False
    return isinstance(changed, list) and bool(changed) and all(str(one).endswith("-tick.n_intervals") for one in changed)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _LARGEST_BODY:
            raise TooLarge
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body that was read already, then goes on with what comes."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return receiving


async def _answer(
    send: Send, status: int, text: str, kind: bytes = b"text/plain; charset=utf-8", *more: tuple[bytes, bytes]
) -> None:
    body = text.encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _page(send: Send, status: int, text: str) -> None:
    await _answer(send, status, text, b"text/html; charset=utf-8")


async def _redirect(send: Send, to: str, cookie: bytes = b"") -> None:
    more = [(b"set-cookie", cookie)] if cookie else []
    await _answer(send, 303, "", b"text/plain", (b"location", quote(to, safe="/?&=:,~*%#+@").encode()), *more)
