"""Real senders: rsyslogd forwards octet-counted over TCP and over mutual TLS; nginx logs over UDP (docs/collectors.md)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from collectors.decode import BatchDecoder
from collectors.syslog import Config, Syslog
from soc.log.sqlite import SqliteLog
from tests.collectors.certificates import Authority
from tests.collectors.worlds import place, until
from tests.servers.nginx import nginx
from tests.servers.rsyslog import Trust, rsyslogd

LINES = 3_000


def test_rsyslog_forwards_over_tcp_and_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("soc.example"), authority.issue("sender.example")
    listen = ("tcp://127.0.0.1:0", "tls://127.0.0.1:0")
    log = SqliteLog(tmp_path / "log")

    async def run() -> None:
        syslog = Syslog(Config(listen, str(ours.certificate), str(ours.key), str(authority.certificate)), log)
        bound = await syslog.start()
        tcp, tls = (place(bound[name])[1] for name in ("syslog.tcp", "syslog.tls"))
        trust = Trust(authority.certificate, theirs.certificate, theirs.key, "soc.example")
        with rsyslogd(tmp_path, tcp=tcp, tls=tls, trust=trust) as server:
            server.send_tcp(*(f"<38>Nov 24 03:00:00 host-a sshd[7]: 第{n}次 Failed password for root" for n in range(LINES)))
            await until(lambda: log.ledger() != [] and log.ledger()[0].received >= 2 * LINES, 60, log.ledger)
        await syslog.stop()

    asyncio.run(run())
    batches = log.read(0, 1, 0, 10_000)
    records = [record for batch in batches for record in batch.raw.records]
    assert len(records) == 2 * LINES
    assert len(set(records)) == LINES, "both ways brought the same"
    assert not any(record.endswith(b"\n") for record in records), "the LF inside rsyslog's frame is stripped"
    assert all(record.startswith(b"<38>1 ") for record in records)
    decoded = BatchDecoder().decode(batches[0])
    assert not decoded.quarantined
    assert {event["host.name"] for event in decoded.events} == {"host-a"}


def test_nginx_logs_to_us_over_udp(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log")

    async def run() -> None:
        syslog = Syslog(Config(("udp://127.0.0.1:0",)), log)
        udp = place((await syslog.start())["syslog.udp"])[1]
        with nginx(tmp_path, udp) as server:
            async with httpx.AsyncClient() as client:
                await client.get(server.url + "/.env")
            await until(lambda: log.ledger() != [], 20)
        await syslog.stop()

    asyncio.run(run())
    (batch,) = log.read(0, 1, 0, 10)
    (record,) = batch.raw.records
    assert b"nginx: 127.0.0.1 - - [" in record
    assert b'"GET /.env HTTP/1.1" 404 ' in record
    assert not BatchDecoder().decode(batch).quarantined
