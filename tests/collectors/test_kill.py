"""kill -9 of a collector while events arrive: what HTTP acknowledged is there once, and of TCP lines none is there twice."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from soc.log.sqlite import SqliteLog

COLLECTOR = """
import asyncio, sys
from pathlib import Path
from collectors import http, syslog
from soc.log.sqlite import SqliteLog

async def main():
    log = SqliteLog(Path(sys.argv[1]))
    web = http.Http(http.Config(sys.argv[2], {"erp": "kill-test"}), log)
    lines = syslog.Syslog(syslog.Config(("tcp://" + sys.argv[3],)), log)
    await web.start()
    await lines.start()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return f"127.0.0.1:{one.getsockname()[1]}"


def post_until_acknowledged(url: str, number: int) -> None:
    headers = {"Authorization": "Bearer kill-test", "Idempotency-Key": f"d{number}"}
    body = b"".join(b'{"n":%d}\n' % n for n in range(number * 100, number * 100 + 100))
    while True:
        try:
            if httpx.post(url, content=body, headers=headers, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.02)


def send_lines(address: str, stop: threading.Event) -> None:
    """Numbered lines without end; a line whose fate is unknown is not sent again, so each is there at most once."""
    host, _, port = address.rpartition(":")
    number = 0
    while not stop.is_set():
        try:
            with socket.create_connection((host, int(port)), 5) as out:
                while not stop.is_set():
                    out.sendall(b"".join(b"<13>line %d\n" % n for n in range(number, number + 50)))
                    number += 50
                    time.sleep(0.002)
        except OSError:
            number += 50
            time.sleep(0.02)


def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    web, lines, deliveries = free_address(), free_address(), 120
    done: list[int] = []

    def deliver() -> None:
        for number in range(deliveries):
            post_until_acknowledged(f"http://{web}/ingest/erp", number)
            done.append(number)

    stop = threading.Event()
    senders = [threading.Thread(target=deliver), threading.Thread(target=send_lines, args=(lines, stop))]
    for sender in senders:
        sender.start()
    kills = 0
    while len(done) < deliveries:
        collector = subprocess.Popen([sys.executable, "-c", COLLECTOR, str(tmp_path), web, lines], stdout=subprocess.PIPE)
        assert collector.stdout is not None
        collector.stdout.readline()
        begun, before = time.monotonic(), len(done)
        while len(done) < min(before + 40, deliveries) and time.monotonic() < begun + 30:
            time.sleep(0.005)
        collector.send_signal(signal.SIGKILL)
        collector.wait()
        collector.stdout.close()
        kills += 1
        assert kills < 20, "it does not get on"
    stop.set()
    for sender in senders:
        sender.join()
    log = SqliteLog(tmp_path)
    assert all(line.balances for line in log.ledger())
    batches = log.read(0, 1, 0, 1_000_000)
    events = [record for batch in batches if batch.raw.source == "http:erp" for record in batch.raw.records]
    assert sorted(events) == sorted(b'{"n":%d}' % n for n in range(deliveries * 100))
    texts = [record for batch in batches if batch.raw.source == "syslog" for record in batch.raw.records]
    assert len(texts) == len(set(texts)) > 0
    assert kills >= 3
