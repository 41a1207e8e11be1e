"""Syslog over UDP, TCP and TLS: frames are taken from the wire, committed, and nothing more; parsing is the workers' business.

A batch is committed after 3,000 records or 20 ms, whichever is first. Plain TCP syslog has no acknowledgement, so what the kernel
holds when the machine dies is the sender's loss; what we have read is committed before the next read, so the window closes by
itself when the log cannot follow. UDP cannot be slowed: what the kernel had to drop is read from /proc/net/udp each second and
counted in the ledger.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from collectors.framing import Framing
from soc.contracts import Appender
from soc.errors import ConfigError, LogFull
from soc.model import RawBatch, now

_RECORDS = 3_000
_WAIT_SECS = 0.02
_DRAIN = 512  # datagrams taken at one wake-up: more would keep other connections waiting
_RETRY_SECS = 0.2
_SO_RCVBUFFORCE = 33
_SOURCE = "syslog"


@dataclass(frozen=True, slots=True)
class Config:
    """Syslog listeners."""

    listen: tuple[str, ...] = ("udp://127.0.0.1:5514", "tcp://127.0.0.1:5514")
    """Addresses as udp://host:port, tcp://host:port or tls://host:port; port 0 takes any free one; empty listens nowhere."""
    tls_certificate: str = ""
    """PEM file with our certificate and its chain; needed for tls://."""
    tls_key: str = ""
    """PEM file with its key, readable by us alone."""
    tls_client_ca: str = ""
    """PEM file; when it is given, senders must show a certificate signed by one of these."""
    max_frame_bytes: int = 65_536
    """Longer frames are cut to this, and the cut is counted."""
    receive_buffer_bytes: int = 4_194_304
    """Kernel buffer of a UDP socket, as far as net.core.rmem_max or our rights allow."""
    idle_secs: int = 3_600
    """A TCP connection that says nothing for so long is closed."""
    max_connections: int = 2_000
    """More TCP connections at once than this are refused, and counted."""

    @property
    def is_on(self) -> bool:
        return bool(self.listen)


def address_of(text: str, place: str) -> tuple[str, str, int]:
    """('udp', '127.0.0.1', 5514) of 'udp://127.0.0.1:5514'. Raises ConfigError naming the place."""
    try:
        parts = urlsplit(text)
        if parts.scheme not in ("udp", "tcp", "tls") or not parts.hostname or parts.port is None or parts.path:
            raise ValueError
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{place} listen: {text!r} is not <udp|tcp|tls>://host:port") from None


class Syslog:
    """All syslog listeners of one collector process."""

    def __init__(self, config: Config, appender: Appender) -> None:
        self._config, self._appender = config, appender
        self._wanted = [address_of(text, "[collectors.syslog]") for text in config.listen]
        self._servers: list[asyncio.Server] = []
        self._sockets: list[socket.socket] = []
        self._drops: dict[int, int] = {}
        self._connections: set[_Connection] = set()
        self._queue: dict[str, list[bytes]] = {}
        self._queued = 0
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> Mapping[str, str]:
        bound: dict[str, str] = {}
        for scheme, host, port in self._wanted:
            where = self._open_udp(host, port) if scheme == "udp" else await self._open_tcp(scheme, host, port)
            name = f"syslog.{scheme}"
            bound[name if name not in bound else f"{name}.{len(bound)}"] = where
        self._watch = asyncio.create_task(self._look_after())
        return bound

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        loop = asyncio.get_running_loop()
        for one in self._sockets:
            self._drain(one, everything=True)
            loop.remove_reader(one)
        for connection in list(self._connections):
            connection.finish()
        self.flush()
        self._count_drops()
        if self._watch is not None:
            self._watch.cancel()
        for one in self._sockets:
            one.close()

    # -------------------------------------------------------------- UDP

    def _open_udp(self, host: str, port: int) -> str:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        one = socket.socket(family, socket.SOCK_DGRAM)
        size = self._config.receive_buffer_bytes
        try:
            one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
        except OSError:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        try:
            one.bind((host, port))
        except OSError as error:
            raise ConfigError(f"[collectors.syslog] listen: udp://{host}:{port}: {error.strerror}") from None
        one.setblocking(False)
        self._sockets.append(one)
        self._drops[os.fstat(one.fileno()).st_ino] = 0
        asyncio.get_running_loop().add_reader(one, self._drain, one)
        return _shown(one.getsockname())

    def _drain(self, one: socket.socket, everything: bool = False) -> None:
        queue, receive, limit, taken = self._queue, one.recvfrom, self._config.max_frame_bytes, 0
        with suppress(BlockingIOError):
            while everything or taken < _DRAIN:
                data, peer = receive(limit)
                data = data.rstrip(b"\r\n\x00")
                if data:
                    taken += 1
                    mine = queue.get(peer[0])
                    if mine is None:
                        mine = queue[peer[0]] = []
                    mine.append(data)
        self._queued += taken
        self._due()

    def _count_drops(self) -> None:
        """The kernel's own count of datagrams it had no room for, by socket."""
        for path in ("/proc/net/udp", "/proc/net/udp6"):
            with suppress(OSError):
                for line in Path(path).read_text().splitlines()[1:]:
                    parts = line.split()
                    inode, drops = int(parts[9]), int(parts[-1])
                    if (known := self._drops.get(inode)) is not None and drops > known:
                        self._drops[inode] = drops
                        self._appender.lost(_SOURCE, drops - known, "datagrams that the kernel dropped")

    # -------------------------------------------------------------- TCP and TLS

    async def _open_tcp(self, scheme: str, host: str, port: int) -> str:
        context = self._tls() if scheme == "tls" else None
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(lambda: _Connection(self), host, port, ssl=context)
        except OSError as error:
            raise ConfigError(f"[collectors.syslog] listen: {scheme}://{host}:{port}: {error.strerror}") from None
        self._servers.append(server)
        return _shown(server.sockets[0].getsockname())

    def _tls(self) -> ssl.SSLContext:
        config = self._config
        if not config.tls_certificate or not config.tls_key:
            raise ConfigError("[collectors.syslog] tls_certificate, tls_key: both are needed for tls://")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Tickets that a sender never reads make its close a reset, and a reset throws away what we have not read yet.
        context.num_tickets = 0
        try:
            context.load_cert_chain(config.tls_certificate, config.tls_key)
            if config.tls_client_ca:
                context.load_verify_locations(config.tls_client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"[collectors.syslog] tls_certificate, tls_key, tls_client_ca: {error}") from None
        return context

    # -------------------------------------------------------------- committing

    def take(self, peer: str, records: list[bytes]) -> None:
        """Records of one connection; committed soon, or at once when there are many."""
        if records:
            self._queue.setdefault(peer, []).extend(records)
            self._queued += len(records)
            self._due()

    def lost(self, records: int, reason: str) -> None:
        self._appender.lost(_SOURCE, records, reason)

    def _due(self) -> None:
        if self._queued >= _RECORDS:
            self.flush()
        elif self._queued and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_WAIT_SECS, self.flush)

    def flush(self) -> None:
        """Commit what is queued. When the log is full, keep it, stop reading, and try again: nothing is thrown away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._queued:
            return
        peers = tuple((peer, len(records)) for peer, records in self._queue.items())
        records = [record for part in self._queue.values() for record in part]
        try:
            self._appender.append([RawBatch(_SOURCE, records, now(), "syslog", peers)])
        except LogFull:
            self._hold(True)
            self._timer = asyncio.get_running_loop().call_later(_RETRY_SECS, self.flush)
            return
        self._queue.clear()
        self._queued = 0
        self._hold(self._appender.pressure())

    def _hold(self, on: bool) -> None:
        for connection in self._connections:
            connection.hold(on)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._count_drops()
            self._hold(self._appender.pressure() or self._queued > 10 * _RECORDS)
            for connection in list(self._connections):
                connection.close_if_idle(self._config.idle_secs)

    # -------------------------------------------------------------- connections

    def joined(self, connection: _Connection) -> bool:
        if len(self._connections) >= self._config.max_connections:
            self.lost(0, "connections beyond max_connections were refused")
            return False
        self._connections.add(connection)
        return True

    def left(self, connection: _Connection) -> None:
        self._connections.discard(connection)

    @property
    def limit(self) -> int:
        return self._config.max_frame_bytes


class _Connection(asyncio.Protocol):
    """One TCP or TLS sender."""

    def __init__(self, owner: Syslog) -> None:
        self._owner = owner
        self._framing = Framing(owner.limit)
        self._transport: asyncio.Transport | None = None
        self._peer, self._held, self._heard, self._counted = "", False, 0.0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if name else ""
        self._heard = asyncio.get_running_loop().time()
        if not self._owner.joined(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard = asyncio.get_running_loop().time()
        framing = self._framing
        self._owner.take(self._peer, framing.feed(data) + framing.take_cut())
        self._count_cuts()

    def connection_lost(self, _: Exception | None) -> None:
        self.finish()
        self._owner.left(self)

    def finish(self) -> None:
        """Take what stands in the buffer and close."""
        self._owner.take(self._peer, self._framing.rest())
        self._count_cuts()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    def _count_cuts(self) -> None:
        if (more := self._framing.cut - self._counted) > 0:
            self._counted += more
            self._owner.lost(more, "frames that were cut at max_frame_bytes or lost their count")

    def hold(self, on: bool) -> None:
        if self._transport is None or self._transport.is_closing() or on == self._held:
            return
        self._held = on
        if on:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close_if_idle(self, secs: int) -> None:
        if not self._held and asyncio.get_running_loop().time() - self._heard > secs and self._transport is not None:
            self._transport.close()


def _shown(name: tuple[object, ...]) -> str:
    host, port = str(name[0]), name[1]
    return f"[{host}]:{port}" if ipaddress.ip_address(host).version == 6 else f"{host}:{port}"
