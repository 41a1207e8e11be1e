"""A real rsyslogd forwards to us: octet-counted over TCP, and over TLS with certificates on both sides."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collectors.decode import BatchDecoder
from collectors.syslog import Config, Syslog
from soc.log.sqlite import SqliteLog
from tests.collectors.certificates import Authority, Identity
from tests.collectors.worlds import place, until

RSYSLOGD = shutil.which("rsyslogd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
LINES = 3_000

needs_rsyslog = pytest.mark.skipif(
    RSYSLOGD is None and "SOC_TESTS_REQUIRE_SERVERS" not in os.environ,
    reason="needs rsyslogd: install rsyslog and rsyslog-gnutls",
)

CONFIGURATION = """
global(workDirectory="{folder}" net.enableDNS="off" defaultNetstreamDriverCAFile="{ca}"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imptcp")
input(type="imptcp" address="127.0.0.1" port="{port}")
action(type="omfwd" target="127.0.0.1" port="{tcp}" protocol="tcp" TCP_Framing="octet-counted"
  template="RSYSLOG_SyslogProtocol23Format" queue.type="linkedList" action.resumeRetryCount="-1")
action(type="omfwd" target="127.0.0.1" port="{tls}" protocol="tcp" TCP_Framing="octet-counted"
  template="RSYSLOG_SyslogProtocol23Format" queue.type="linkedList" action.resumeRetryCount="-1"
  StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="soc.example")
"""


@contextmanager
def rsyslogd(folder: Path, ca: Path, own: Identity, tcp: int, tls: int) -> Iterator[int]:
    """A forwarding rsyslogd; the port at which it takes lines."""
    assert RSYSLOGD is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    path = folder / "rsyslog.conf"
    names = {"certificate": own.certificate, "key": own.key}
    path.write_text(CONFIGURATION.format(folder=folder, ca=ca, port=port, tcp=tcp, tls=tls, **names))
    process = subprocess.Popen([RSYSLOGD, "-n", "-iNONE", "-f", str(path)], stderr=(folder / "errors").open("wb"))
    try:
        yield port
    finally:
        process.terminate()
        process.wait(20)


async def connected(port: int) -> asyncio.StreamWriter:
    while True:
        try:
            return (await asyncio.open_connection("127.0.0.1", port))[1]
        except ConnectionError:
            await asyncio.sleep(0.05)


@needs_rsyslog
def test_rsyslog_forwards_over_tcp_and_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("soc.example"), authority.issue("sender.example")
    listen = ("tcp://127.0.0.1:0", "tls://127.0.0.1:0")
    log = SqliteLog(tmp_path / "log")

    async def run() -> None:
        syslog = Syslog(Config(listen, str(ours.certificate), str(ours.key), str(authority.certificate)), log)
        bound = await syslog.start()
        ports = [place(bound[name])[1] for name in ("syslog.tcp", "syslog.tls")]
        with rsyslogd(tmp_path, authority.certificate, theirs, *ports) as port:
            writer = await asyncio.wait_for(connected(port), 20)
            for number in range(LINES):
                writer.write(f"<38>Nov 24 03:00:00 host-a sshd[7]: 第{number}次 Failed password for root\n".encode())
            await writer.drain()
            writer.close()
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
