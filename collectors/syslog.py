"""Syslog over UDP, TCP and TLS: frames are taken from the wire, committed, and nothing more; parsing is the workers' business.

A batch is committed after 3,000 records or 20 ms, whichever is first. Plain TCP syslog has no acknowledgement, so what the kernel
holds when the machine dies is the sender's loss; what we have read is committed before much more is read, so the window closes by
itself when the log cannot follow. UDP cannot be slowed: what the kernel had to drop is read from /proc/net/udp each second and
counted in the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

from collectors.framing import Framing
from soc.contracts import Appender
from soc.errors import ConfigError, LogFull
from soc.model import RawBatch, now

_RECORDS = 3_000
_BYTES = 4 << 20
_WAIT_SECS = 0.02
_DRAIN = 512  # datagrams taken at one wake-up: more would keep other connections waiting
_RETRY_SECS = 0.2
_LAST_TRY_SECS = 3
_HANDSHAKE_SECS = 10
_LARGEST_DATAGRAM = 65_536
_SO_RCVBUFFORCE = 33
_SOURCE = "syslog"
_log = logging.getLogger(__name__)


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
        self.config, self._appender = config, appender
        self._wanted = [address_of(text, "[collectors.syslog]") for text in config.listen]
        self._servers: list[asyncio.Server] = []
        self._sockets: dict[socket.socket, str] = {}
        self._drops: dict[int, int] = {}
        self._connections: set[_Connection] = set()
        self._queue: dict[str, list[bytes]] = {}
        self._queued = self._queued_bytes = 0
        self._lost: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self.is_held = False
        """Nothing is read while the log cannot take it."""
        self._is_stopped = False

    async def start(self) -> Mapping[str, str]:
        bound: dict[str, str] = {}
        for scheme, host, port in self._wanted:
            where = self._open_udp(host, port) if scheme == "udp" else await self._open_tcp(scheme, host, port)
            name = f"syslog.{scheme}"
            bound[name if name not in bound else f"{name}.{len(bound)}"] = where
        self._watch = asyncio.create_task(self._look_after())
        return bound

    async def stop(self) -> None:
        """Take no more; commit what was read. A log that stays full makes what is queued a counted loss."""
        self._is_stopped = True
        if self._watch is not None:
            self._watch.cancel()
        for server in self._servers:
            server.close()
        for one in self._sockets:
            asyncio.get_running_loop().remove_reader(one)
            self._drain(one, 200 * _DRAIN)
        for connection in list(self._connections):
            connection.finish()
        self._commit_the_last()
        self._count_drops()
        self._report_losses()
        for one in self._sockets:
            one.close()

    def _commit_the_last(self) -> None:
        until = monotonic() + _LAST_TRY_SECS
        self.flush()
        while self._queued and monotonic() < until:
            sleep(_RETRY_SECS)
            self.flush()
        if self._timer is not None:
            self._timer.cancel()
        if self._queued:
            self._lost["the log was full when the collector stopped"] += self._queued

    # -------------------------------------------------------------- UDP

    def _open_udp(self, host: str, port: int) -> str:
        one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        size = self.config.receive_buffer_bytes
        try:
            one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
        except OSError:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        try:
            one.bind((host, port))
        except OSError as error:
            one.close()
            raise ConfigError(f"[collectors.syslog] listen: udp://{host}:{port}: {error.strerror}") from None
        one.setblocking(False)
        self._sockets[one] = where = _shown(one.getsockname())
        self._drops[os.fstat(one.fileno()).st_ino] = 0
        asyncio.get_running_loop().add_reader(one, self._drain, one)
        return where

    def _drain(self, one: socket.socket, most: int = _DRAIN) -> None:
        queue, receive, limit, taken, size = self._queue, one.recvfrom, self.config.max_frame_bytes, 0, 0
        with suppress(BlockingIOError):
            for _ in range(most):
                data, (peer, *_) = receive(_LARGEST_DATAGRAM)
                if not (data := data.rstrip(b"\r\n\x00")):
                    continue
                if len(data) > limit:
                    data = data[:limit]
                    self.lost(1, "frames cut at max_frame_bytes; their heads were kept")
                taken += 1
                size += len(data)
                try:
                    queue[peer].append(data)
                except KeyError:
                    queue[peer] = [data]
        self._queued += taken
        self._queued_bytes += size
        self._due()

    def _count_drops(self) -> None:
        """The kernel's own count of datagrams it had no room for, by socket."""
        where = {os.fstat(one.fileno()).st_ino: address for one, address in self._sockets.items()}
        for path in ("/proc/net/udp", "/proc/net/udp6"):
            with suppress(OSError):
                for line in Path(path).read_text().splitlines()[1:]:
                    parts = line.split()
                    inode, drops = int(parts[9]), int(parts[-1])
                    if (known := self._drops.get(inode)) is not None and drops > known:
                        self._drops[inode] = drops
                        self.lost(drops - known, f"kernel drop at udp://{where[inode]}")

    # -------------------------------------------------------------- TCP and TLS

    async def _open_tcp(self, scheme: str, host: str, port: int) -> str:
        context = self._tls() if scheme == "tls" else None
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: _Connection(self),
                host,
                port,
                ssl=context,
                ssl_handshake_timeout=_HANDSHAKE_SECS if context else None,
                backlog=512,
            )
        except OSError as error:
            raise ConfigError(f"[collectors.syslog] listen: {scheme}://{host}:{port}: {error.strerror}") from None
        self._servers.append(server)
        return _shown(server.sockets[0].getsockname())

    def _tls(self) -> ssl.SSLContext:
        config = self.config
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

    def joined(self, connection: _Connection) -> bool:
        if len(self._connections) >= self.config.max_connections:
            self.lost(0, "connections beyond max_connections were refused")
            return False
        self._connections.add(connection)
        return True

    def left(self, connection: _Connection) -> None:
        self._connections.discard(connection)

    # -------------------------------------------------------------- committing

    def take(self, peer: str, records: list[bytes], size: int) -> None:
        """Records of one connection, `size` bytes; committed soon, or at once when there are many."""
        if records:
            self._queue.setdefault(peer, []).extend(records)
            self._queued += len(records)
            self._queued_bytes += size
            self._due()

    def lost(self, records: int, reason: str) -> None:
        """Counted here and written once a second: who makes us lose must not make us write."""
        self._lost[reason] += records

    def _due(self) -> None:
        if (self._queued >= _RECORDS or self._queued_bytes >= _BYTES) and not self.is_held:
            self.flush()
        elif self._queued and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_WAIT_SECS, self.flush)

    def flush(self) -> None:
        """Commit what is queued. When that fails, keep it, stop reading, and try again: nothing is thrown away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._queued:
            return
        peers = tuple((peer.removeprefix("::ffff:"), len(records)) for peer, records in self._queue.items())
        records = [record for part in self._queue.values() for record in part]
        try:
            self._appender.append([RawBatch(_SOURCE, records, now(), "syslog", peers)])
        except Exception as error:  # the edge: whatever keeps the log from taking it, these records exist nowhere else
            if not isinstance(error, LogFull):
                _log.exception("syslog: %d records could not be appended and are kept", self._queued)
            self._hold(True)
            self._timer = asyncio.get_running_loop().call_later(_RETRY_SECS, self.flush)
            return
        self._queue.clear()
        self._queued = self._queued_bytes = 0
        self._hold(self._appender.pressure())

    def _hold(self, on: bool) -> None:
        """Stop or go on reading. A UDP socket that is not read fills, and the kernel counts what it drops from then on."""
        if on == self.is_held or self._is_stopped:
            return
        self.is_held = on
        loop = asyncio.get_running_loop()
        for one in self._sockets:
            if one.fileno() >= 0:
                _ = loop.remove_reader(one) if on else loop.add_reader(one, self._drain, one)
        for connection in self._connections:
            connection.hold(on)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._count_drops()
            self._report_losses()
            if not self._queued:
                self._hold(self._appender.pressure())
            for connection in list(self._connections):
                connection.close_if_idle(self.config.idle_secs)

    def _report_losses(self) -> None:
        for reason in list(self._lost):
            try:
                self._appender.lost(_SOURCE, self._lost[reason], reason)
            except Exception:  # the edge: a count that cannot be written now is written later
                _log.exception("syslog: a loss could not be counted: %s", reason)
                return
            del self._lost[reason]


class _Connection(asyncio.Protocol):
    """One TCP or TLS sender."""

    def __init__(self, owner: Syslog) -> None:
        self._owner = owner
        self._framing = Framing(owner.config.max_frame_bytes)
        self._transport: asyncio.Transport | None = None
        self._peer, self._heard, self._joined = "", 0.0, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if name else ""
        self._heard = monotonic()
        self._joined = self._owner.joined(self)
        if not self._joined:
            transport.abort()
        elif self._owner.is_held:
            transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        if self._joined:
            self._heard = monotonic()
            self._give(self._framing.feed(data), len(data))

    def connection_lost(self, _: Exception | None) -> None:
        self.finish()
        self._owner.left(self)

    def finish(self) -> None:
        """Take what stands in the buffer and close."""
        records = self._framing.rest()
        self._give(records, sum(map(len, records)))
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    def _give(self, records: list[bytes], size: int) -> None:
        framing = self._framing
        self._owner.take(self._peer, records, size)
        if framing.cut:
            self._owner.lost(framing.cut, "frames cut at max_frame_bytes; their heads were kept")
            framing.cut = 0
        if framing.malformed:
            self._owner.lost(0, "octet-counted frames without a count were read as lines")
            framing.malformed = 0

    def hold(self, on: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if on:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close_if_idle(self, secs: int) -> None:
        if not self._owner.is_held and monotonic() - self._heard > secs and self._transport is not None:
            self._transport.close()


def _shown(name: tuple[object, ...]) -> str:
    host, port = str(name[0]), name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
