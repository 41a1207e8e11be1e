"""Real senders: rsyslogd forwards octet-counted over TCP and over mutual TLS; nginx logs over UDP (docs/collectors.md)."""

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
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
LINES = 3_000

needs_rsyslog = pytest.mark.skipif(
    RSYSLOGD is None and "SOC_TESTS_REQUIRE_SERVERS" not in os.environ,
    reason="needs rsyslogd: install rsyslog and rsyslog-gnutls",
)

needs_nginx = pytest.mark.skipif(
    NGINX is None and "SOC_TESTS_REQUIRE_SERVERS" not in os.environ, reason="needs nginx: install nginx-light"
)

CONFIGURATION = """
global(workDirectory="{folder}" net.enableDNS="off" defaultNetstreamDriverCAFile="{ca}"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imptcp")
input(type="imptcp" address="127.0.0.1" port="{port}")
action(type="omfwd" target="127.0.0.1" port="{tcp}" protocol="tcp" TCP_Framing="octet-counted"
  template="RSYSLOG_SyslogProtocol23Format" queue.type="linkedList" queue.filename="soc" queue.maxDiskSpace="1g"
  queue.saveOnShutdown="on" action.resumeRetryCount="-1")
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


NGINX_CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log syslog:server=127.0.0.1:{udp},tag=nginx,severity=info combined;
  server {{ listen 127.0.0.1:{port}; location / {{ return 404; }} }}
}}
"""


@needs_nginx
def test_nginx_logs_to_us_over_udp(tmp_path: Path) -> None:
    assert NGINX is not None
    log = SqliteLog(tmp_path / "log")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def run() -> None:
        syslog = Syslog(Config(("udp://127.0.0.1:0",)), log)
        udp = place((await syslog.start())["syslog.udp"])[1]
        path = tmp_path / "nginx.conf"
        path.write_text(NGINX_CONFIGURATION.format(folder=tmp_path, udp=udp, port=port))
        nginx = subprocess.Popen([str(NGINX), "-p", str(tmp_path), "-e", str(tmp_path / "error.log"), "-c", str(path)])
        try:
            writer = await asyncio.wait_for(connected(port), 20)
            writer.write(b"GET /.env HTTP/1.1\r\nHost: x\r\nUser-Agent: scanner\r\nConnection: close\r\n\r\n")
            await writer.drain()
            await until(lambda: log.ledger() != [], 20)
            writer.close()
        finally:
            nginx.terminate()
            nginx.wait(20)
        await syslog.stop()

    asyncio.run(run())
    (batch,) = log.read(0, 1, 0, 10)
    (record,) = batch.raw.records
    assert b"nginx: 127.0.0.1 - - [" in record
    assert b'"GET /.env HTTP/1.1" 404 ' in record
    assert not BatchDecoder().decode(batch).quarantined
