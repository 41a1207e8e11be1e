"""Events over HTTP: `POST /ingest/<source>` with NDJSON, a JSON array or one object; gzip and zstd; a bearer token per source.

An answer of 200 means that the events are durable. With an `Idempotency-Key` a request that is sent again is recognised and
counted as duplicate, which makes at-least-once senders exactly-once. Raw ASGI under uvicorn: what a request costs is its body,
so senders should put hundreds of events into one (1, 50, 500 a request: 82, 5, 2 µs an event).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collectors.bodies import ENCODINGS, TooLarge, opened, split
from soc.contracts import Appender
from soc.errors import ConfigError, LogFull
from soc.model import RawBatch, now

Scope: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Any]
Send: TypeAlias = Callable[[Mapping[str, Any]], Any]

_PATH = re.compile(r"/ingest/([A-Za-z0-9][A-Za-z0-9._-]{0,63})").fullmatch
_KEY = re.compile(r"[\x21-\x7e]{1,255}").fullmatch
_RECORDS = 2_000
_IN_LOOP_BYTES = 65_536  # a larger body is opened in a thread: meanwhile the loop goes on reading UDP
_LARGEST_HEAD = 65_536
_HEAD_SECS = 15
_UNREAD = 1 << 18
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Config:
    """Events over HTTP: POST /ingest/<source>."""

    listen: str = "127.0.0.1:8051"
    """host:port; port 0 takes any free one; empty listens nowhere. Beyond loopback use TLS: tokens travel with each request."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Source -> its bearer token, or 'file:/path' of a file that holds it. A source that is not listed is refused."""
    tls_certificate: str = ""
    """PEM file with our certificate and its chain; then we speak https."""
    tls_key: str = ""
    """PEM file with its key, readable by us alone."""
    max_body_mb: int = 32
    """A larger body is refused with 413."""
    max_opened_mb: int = 64
    """A body that grows beyond this when it is decompressed is refused with 413."""
    max_held_mb: int = 128
    """Bodies of all requests together; beyond it senders are told to come back later (429)."""
    body_secs: int = 120
    """A request must have arrived within this time."""
    max_connections: int = 500
    """More connections at once are answered 503."""

    @property
    def is_on(self) -> bool:
        return bool(self.listen)


class Refused(Exception):
    """A request that is answered with an error; the text is for the sender."""

    def __init__(self, status: int, text: str, retry_secs: int = 0) -> None:
        super().__init__(text)
        self.status, self.text, self.retry_secs = status, text, retry_secs


class Http:
    """The HTTP listener of the collector process."""

    def __init__(self, config: Config, appender: Appender) -> None:
        self._config, self._appender = config, appender
        self._tokens = {source: _digest(_token(source, text)) for source, text in config.tokens.items()}
        self._held = 0
        self._one_at_a_time = asyncio.Lock()  # an opened body and its records are large: never several at once
        self._server: _Server | None = None
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> Mapping[str, str]:
        host, _, port = self._config.listen.rpartition(":")
        host = host.strip("[]")
        if not host or not port.isdigit() or int(port) > 65_535:
            raise ConfigError(f"[collectors.http] listen: {self._config.listen!r} is not host:port")
        try:
            one = socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512)
        except OSError as error:
            raise ConfigError(f"[collectors.http] listen: {self._config.listen}: {error.strerror}") from None
        self._server = self._make()
        self._running = asyncio.create_task(self._server.serve([one]))
        while not self._server.started:
            if self._running.done():
                one.close()
                self._running.result()
                raise ConfigError(f"[collectors.http] listen: {self._config.listen}: the server did not start")
            await asyncio.sleep(0.01)
        where = one.getsockname()
        return {"http": f"[{where[0]}]:{where[1]}" if ":" in host else f"{where[0]}:{where[1]}"}

    async def stop(self) -> None:
        """Answer what is being answered, for at most three seconds."""
        if self._server is not None and self._running is not None:
            self._server.should_exit = True
            await self._running

    def _make(self) -> _Server:
        config = self._config
        if bool(config.tls_certificate) != bool(config.tls_key):
            raise ConfigError("[collectors.http] tls_certificate, tls_key: one is no use without the other")
        settings = uvicorn.Config(
            self.answer,
            http=_Guarded,
            loop="none",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=config.max_connections,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
            ssl_certfile=config.tls_certificate or None,
            ssl_keyfile=config.tls_key or None,
        )
        try:
            settings.load()
        except OSError as error:
            raise ConfigError(f"[collectors.http] tls_certificate, tls_key: {error}") from None
        return _Server(settings)

    # -------------------------------------------------------------- answering

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI)."""
        if scope["type"] != "http":
            return
        request = _Request(receive, self._config.body_secs)
        headers: list[tuple[bytes, bytes]] = []
        try:
            status, said = await self._answer(scope, request)
        except Refused as no:
            status, said = no.status, {"error": no.text}
            headers = [(b"retry-after", b"%d" % no.retry_secs)] if no.retry_secs else []
            if not await request.skip(_UNREAD):
                headers.append((b"connection", b"close"))
        except _Gone:
            return
        finally:
            self._held -= request.size
        body = orjson.dumps(said)
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, request: _Request) -> tuple[int, dict[str, object]]:
        path, method = scope["path"], scope["method"]
        if path == "/health":
            held = self._appender.pressure()
            return (503 if held else 200), {"status": "pressure" if held else "ok"}
        if (found := _PATH(path)) is None:
            raise Refused(
                404, "there is POST /ingest/<source> and GET /health; a source is named by letters, digits, '.', '_', '-'"
            )
        if method != "POST":
            raise Refused(405, "events are sent by POST")
        headers = {bytes(name).lower(): bytes(value) for name, value in scope["headers"]}
        self._authenticate(found[1], headers.get(b"authorization", b""))
        if self._appender.pressure():
            raise Refused(429, "the event log is under pressure", 1)
        return 200, await self._take(found[1], headers, scope, request)

    def _authenticate(self, source: str, authorization: bytes) -> None:
        """Takes as long for a source that is not there as for a wrong token."""
        scheme, _, token = authorization.partition(b" ")
        known = self._tokens.get(source)
        matches = hmac.compare_digest(_digest(token.strip()), known or _digest(b""))
        if known is None or not matches or scheme.lower() != b"bearer":
            raise Refused(401, "this source needs its own bearer token")

    async def _take(self, source: str, headers: Mapping[bytes, bytes], scope: Scope, request: _Request) -> dict[str, object]:
        encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower() or "identity"
        if encoding not in ENCODINGS:
            raise Refused(415, f"content-encoding may be {', '.join(ENCODINGS)}")
        key = headers.get(b"idempotency-key", headers.get(b"x-idempotency-key", b"")).decode("latin-1").strip()
        if key and not _KEY(key):
            raise Refused(400, "an idempotency key is 1 to 255 printable characters without blanks")
        body = await self._read(request, headers.get(b"content-length", b""))
        is_ndjson = b"ndjson" in headers.get(b"content-type", b"") or b"x-json-stream" in headers.get(b"content-type", b"")
        peer = scope["client"][0] if scope.get("client") else ""
        work = (source, peer, body, encoding, is_ndjson, key)
        if len(body) <= _IN_LOOP_BYTES and encoding == "identity":
            return self._append(*work)
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._append, *work)

    async def _read(self, request: _Request, length: bytes) -> bytes:
        most, all_together = self._config.max_body_mb << 20, self._config.max_held_mb << 20
        if length.isdigit() and int(length) > most:
            raise Refused(413, f"a body may have {self._config.max_body_mb} MB")
        parts: list[bytes] = []
        async for part in request.parts():
            self._held += len(part)
            request.size += len(part)
            if request.size > most:
                raise Refused(413, f"a body may have {self._config.max_body_mb} MB")
            if self._held > all_together:
                raise Refused(429, "too many large requests at once", 1)
            parts.append(part)
        return b"".join(parts)

    def _append(self, source: str, peer: str, body: bytes, encoding: str, is_ndjson: bool, key: str) -> dict[str, object]:
        try:
            records = split(opened(body, encoding, self._config.max_opened_mb << 20), is_ndjson)
        except TooLarge:
            raise Refused(413, f"a body may grow to {self._config.max_opened_mb} MB when it is opened") from None
        except ValueError as error:
            raise Refused(400, str(error)) from None
        name, received, batches = f"http:{source}", now(), []
        for number, start in enumerate(range(0, len(records), _RECORDS)):
            part = records[start : start + _RECORDS]
            peers = ((peer, len(part)),) if peer else ()
            batches.append(RawBatch(name, part, received, "json", peers, f"{name}#{key}#{number}" if key else None))
        try:
            taken = self._appender.append(batches) if batches else []
        except LogFull:
            raise Refused(503, "the event log is full", 5) from None
        except Exception:  # the edge: an answer of 200 must mean that it is durable, everything else that it is not
            _log.exception("http: %d records of %s could not be appended", len(records), name)
            raise Refused(503, "the events could not be stored", 5) from None
        accepted = sum(len(batch.records) for batch, seq in zip(batches, taken, strict=True) if seq is not None)
        return {"accepted": accepted, "duplicate": bool(taken) and all(seq is None for seq in taken)}


def _token(source: str, text: str) -> bytes:
    if text.startswith("file:"):
        try:
            text = Path(text.removeprefix("file:")).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"[collectors.http] tokens.{source}: {error}") from None
    if not (token := text.strip()):
        raise ConfigError(f"[collectors.http] tokens.{source}: the token is empty")
    return token.encode()


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(b"token " + token).digest()


class _Gone(Exception):
    """The sender has left before its request was complete."""


class _Request:
    """The body of one request, as it arrives."""

    def __init__(self, receive: Receive, secs: int) -> None:
        self._receive, self._until = receive, asyncio.get_running_loop().time() + secs
        self._more = True
        self.size = 0

    async def parts(self) -> Any:
        while self._more:
            try:
                async with asyncio.timeout_at(self._until):
                    message = await self._receive()
            except TimeoutError:
                raise Refused(408, "the request did not arrive in time") from None
            if message["type"] == "http.disconnect":
                raise _Gone
            self._more = bool(message.get("more_body"))
            if part := message.get("body"):
                yield part

    async def skip(self, most: int) -> bool:
        """Read past a little that is left, so that the sender sees the answer; false if there is more."""
        self._until = min(self._until, asyncio.get_running_loop().time() + 1)
        try:
            async for part in self.parts():
                if (most := most - len(part)) < 0:
                    return False
        except (Refused, _Gone):
            return False
        return True


class _Server(uvicorn.Server):
    """Leaves signals to the collector process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Guarded(HttpToolsProtocol):
    """A request's head must arrive soon and be small; uvicorn by itself waits for ever and for any size."""

    _alarm: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._alarm is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _LARGEST_HEAD:
                self.transport.abort()
        elif self.parser is not None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()  # bytes between two requests have stopped the keep-alive clock

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._alarm is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        self._head_is_there()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._alarm = self.loop.call_later(_HEAD_SECS, self.transport.close)

    def _head_is_there(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
