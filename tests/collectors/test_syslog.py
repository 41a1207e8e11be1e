import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from collectors.syslog import Config, Syslog, address_of
from soc.errors import ConfigError
from soc.log.sqlite import SqliteLog
from tests.collectors.certificates import Authority
from tests.collectors.worlds import MemoryLog, place, until


@asynccontextmanager
async def listening(log: MemoryLog, *listen: str, **settings: object) -> AsyncIterator[dict[str, tuple[str, int]]]:
    syslog = Syslog(Config(listen or ("tcp://127.0.0.1:0",), **settings), log)  # type: ignore[arg-type]
    try:
        yield {name: place(address) for name, address in (await syslog.start()).items()}
    finally:
        await syslog.stop()


@pytest.mark.parametrize(
    "text",
    [
        "udp//:514",  # no scheme
        "http://127.0.0.1:1",  # not ours
        "udp://127.0.0.1",  # no port
        "udp://:514",  # no host
        "udp://127.0.0.1:70000",  # no such port
        "tcp://127.0.0.1:514/x",  # a path means nothing here
    ],
)
def test_an_address_that_is_none_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError, match=r"\[collectors.syslog\] listen: .*is not <udp\|tcp\|tls>://host:port"):
        address_of(text, "[collectors.syslog]")


def test_an_ipv6_address_is_read() -> None:
    assert address_of("tls://[::1]:6514", "x") == ("tls", "::1", 6514)


async def send_tcp(where: tuple[str, int], data: bytes, tls: ssl.SSLContext | None = None) -> None:
    _, writer = await asyncio.open_connection(*where, ssl=tls, server_hostname="127.0.0.1" if tls else None)
    writer.write(data)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_both_framings_arrive_over_tcp_each_on_its_connection() -> None:
    async def run(log: MemoryLog) -> None:
        async with listening(log) as bound:
            await send_tcp(bound["syslog.tcp"], b"<13>one\n<13>two\r\n\n\n<13>three")
            await send_tcp(bound["syslog.tcp"], b"11 <13>four\xe4\xb8\xad9 <13>five\n")
            await until(lambda: len(log.records) >= 5)

    log = MemoryLog()
    asyncio.run(run(log))
    assert sorted(log.records) == [b"<13>five", b"<13>four\xe4\xb8\xad", b"<13>one", b"<13>three", b"<13>two"]
    assert {batch.source for batch in log.batches} == {"syslog"}
    assert {batch.format for batch in log.batches} == {"syslog"}
    assert log.peers().keys() == {"127.0.0.1"}


def test_datagrams_arrive_with_their_senders() -> None:
    async def run(log: MemoryLog) -> None:
        async with listening(log, "udp://127.0.0.1:0") as bound:
            for address, lines in (("127.0.0.1", [b"<13>a", b"<13>b\n", b"", b"\n"]), ("127.0.0.2", [b"<13>c\x00"])):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                    out.bind((address, 0))
                    for line in lines:
                        out.sendto(line, bound["syslog.udp"])
            await until(lambda: len(log.records) == 3)

    log = MemoryLog()
    asyncio.run(run(log))
    assert sorted(zip(log.records, (p for b in log.batches for p in b.peer_of()), strict=True)) == [
        (b"<13>a", "127.0.0.1"),
        (b"<13>b", "127.0.0.1"),
        (b"<13>c", "127.0.0.2"),
    ]


def test_what_the_kernel_drops_is_counted_exactly() -> None:
    """Sent = taken + counted drops, with a buffer that is far too small and a log that stands still."""
    sent = 4_000

    async def run(log: MemoryLog) -> None:
        async with listening(log, "udp://127.0.0.1:0", receive_buffer_bytes=8_192) as bound:
            log.full = True
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                for number in range(sent):
                    out.sendto(b"<13>" + b"x" * 200 + b" %d" % number, bound["syslog.udp"])
                    if number == 100:
                        await asyncio.sleep(0.05)  # these are queued, the log refuses, and reading stops
            log.full = False
            await until(lambda: bool(log.losses) and len(log.records) + sum(log.losses.values()) == sent)

    log = MemoryLog()
    asyncio.run(run(log))
    assert len(log.records) + sum(log.losses.values()) == sent
    ((source, reason),) = log.losses
    assert source == "syslog"
    assert reason.startswith("kernel drop at udp://127.0.0.1:")
    assert len(set(log.records)) == len(log.records) > 10


def test_a_full_log_stops_the_reading_and_nothing_is_lost() -> None:
    lines = 40_000

    async def run(log: MemoryLog) -> None:
        async with listening(log) as bound:
            log.full = True
            sender = asyncio.create_task(send_tcp(bound["syslog.tcp"], b"".join(b"<13>%0250d\n" % n for n in range(lines))))
            await asyncio.sleep(0.5)
            assert not sender.done(), "the sender must feel that nobody reads"
            assert log.records == []
            log.full, log.pressed = False, True
            await asyncio.sleep(0.6)
            taken = len(log.records)
            assert 0 < taken < lines, "what was read is committed, and no more is read under pressure"
            log.pressed = False
            await sender
            await until(lambda: len(log.records) == lines)

    log = MemoryLog()
    asyncio.run(run(log))
    assert log.records == [b"<13>%0250d" % n for n in range(lines)]
    assert not log.losses


def test_batches_are_small_in_records_and_in_bytes() -> None:
    """3,000 records of 64 kB would be 200 MB in one transaction."""

    async def run(log: MemoryLog) -> None:
        async with listening(log) as bound:
            await send_tcp(bound["syslog.tcp"], b"".join(b"<13>" + b"x" * 60_000 + b"\n" for _ in range(400)))
            await send_tcp(bound["syslog.tcp"], b"<13>short\n" * 20_000)
            await until(lambda: len(log.records) == 20_400)

    log = MemoryLog()
    asyncio.run(run(log))
    assert max(sum(map(len, batch.records)) for batch in log.batches) < 6 << 20
    assert len(log.batches) < 100


def test_cut_frames_keep_their_heads_and_are_counted() -> None:
    async def run(log: MemoryLog) -> None:
        async with listening(log, max_frame_bytes=1_000) as bound:
            await send_tcp(bound["syslog.tcp"], b"<13>" + b"x" * 5_000_000 + b"\n<13>next\n")
            await until(lambda: len(log.records) == 2)

    log = MemoryLog()
    asyncio.run(run(log))
    assert [len(record) for record in log.records] == [1_000, 8]
    assert log.losses == {("syslog", "frames cut at max_frame_bytes; their heads were kept"): 1}


def test_connections_beyond_the_limit_are_refused_and_the_others_go_on() -> None:
    async def run(log: MemoryLog) -> None:
        async with listening(log, max_connections=2) as bound:
            pairs = [await asyncio.open_connection(*bound["syslog.tcp"]) for _ in range(2)]
            reader, refused = await asyncio.open_connection(*bound["syslog.tcp"])
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            refused.close()
            for number, (_, writer) in enumerate(pairs):
                writer.write(b"<13>%d\n" % number)
            await until(lambda: len(log.records) == 2)
            for _, writer in pairs:
                writer.close()

    log = MemoryLog()
    asyncio.run(run(log))
    assert ("syslog", "connections beyond max_connections were refused") in log.losses


def test_a_connection_that_says_nothing_is_closed() -> None:
    async def run(log: MemoryLog) -> None:
        async with listening(log, idle_secs=0) as bound:
            reader, writer = await asyncio.open_connection(*bound["syslog.tcp"])
            writer.write(b"<13>half a li")
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            await until(lambda: log.records == [b"<13>half a li"])

    asyncio.run(run(MemoryLog()))


def test_what_was_read_is_committed_at_the_end() -> None:
    async def run(log: MemoryLog) -> None:
        syslog = Syslog(Config(("tcp://127.0.0.1:0", "udp://127.0.0.1:0")), log)
        bound = await syslog.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(b"<13>in the kernel's buffer", place(bound["syslog.udp"]))
        _, writer = await asyncio.open_connection(*place(bound["syslog.tcp"]))
        writer.write(b"<13>not terminated")
        await writer.drain()
        for _ in range(5):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        await syslog.stop()
        writer.close()

    log = MemoryLog()
    asyncio.run(run(log))
    assert sorted(log.records) == [b"<13>in the kernel's buffer", b"<13>not terminated"]


def test_a_log_that_stays_full_to_the_end_makes_a_counted_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.syslog._LAST_TRY_SECS", 0)

    async def run(log: MemoryLog) -> None:
        async with listening(log) as bound:
            log.full = True
            await send_tcp(bound["syslog.tcp"], b"<13>a\n<13>b\n")
            await asyncio.sleep(0.1)

    log = MemoryLog()
    asyncio.run(run(log))
    assert log.losses == {("syslog", "the log was full when the collector stopped"): 2}


def test_tls_takes_every_line_of_a_sender_that_only_writes(tmp_path: Path) -> None:
    """With session tickets the unread ticket resets the connection at close, and the tail is lost: 1 % in every run."""
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("soc.example"), authority.issue("sender.example")
    lines = b"".join(b"<13>line %d\n" % n for n in range(20_000))

    async def run(log: MemoryLog) -> None:
        settings = {"tls_certificate": str(ours.certificate), "tls_key": str(ours.key)}
        wanted = settings | {"tls_client_ca": str(authority.certificate)}
        async with listening(log, "tls://127.0.0.1:0", **wanted) as bound:
            context = ssl.create_default_context(cafile=str(authority.certificate))
            context.load_cert_chain(theirs.certificate, theirs.key)

            def send() -> None:
                with socket.create_connection(bound["syslog.tls"]) as plain:
                    out = context.wrap_socket(plain, server_hostname="127.0.0.1")
                    out.sendall(lines)
                    out.close()  # no orderly end, nothing read

            for _ in range(3):
                await asyncio.to_thread(send)
            await until(lambda: len(log.records) == 60_000, state=lambda: len(log.records))
            stranger = ssl.create_default_context(cafile=str(authority.certificate))
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                reader, _ = await asyncio.open_connection(*bound["syslog.tls"], ssl=stranger, server_hostname="127.0.0.1")
                await reader.readexactly(1)

    log = MemoryLog()
    asyncio.run(run(log))
    assert set(log.records) == set(lines.splitlines())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "both are needed for tls://"),
        ({"tls_certificate": "/nowhere.pem", "tls_key": "/nowhere.key"}, "No such file"),
    ],
)
def test_tls_without_its_files_is_a_configuration_error(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        asyncio.run(Syslog(Config(("tls://127.0.0.1:0",), **settings), MemoryLog()).start())  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_an_address_in_use_is_named(scheme: str) -> None:
    async def run() -> None:
        async with listening(MemoryLog(), f"{scheme}://127.0.0.1:0") as bound:
            port = bound[f"syslog.{scheme}"][1]
            with pytest.raises(ConfigError, match=rf"listen: {scheme}://127.0.0.1:{port}: .*in use"):
                await Syslog(Config((f"{scheme}://127.0.0.1:{port}",)), MemoryLog()).start()

    asyncio.run(run())


def test_the_real_log_has_what_was_sent(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)

    async def run() -> None:
        syslog = Syslog(Config(("tcp://127.0.0.1:0",)), log)
        await send_tcp(place((await syslog.start())["syslog.tcp"]), b"<13>x\n" * 10_000)
        await until(lambda: log.ledger() != [] and log.ledger()[0].received == 10_000)
        await syslog.stop()

    asyncio.run(run())
    (line,) = log.ledger()
    assert line.balances
    assert (line.source, line.pending, line.dropped) == ("syslog", 10_000, 0)
