"""Receiving: CPU µs an event until it is durable, over TCP, UDP and HTTP, beside what a bare socket and `orjson.loads` cost.

The collector runs as its own process with a real event log; the sender is this one. CPU is user and system time of the collector,
so a neighbour on the machine changes little. Gates 2, 3 and 10 of the ingest reference are printed, met or not. `--lines N` sets
the length. The ratios hold on one machine and one run; loopback charges most of UDP's kernel work to the sender.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import zstandard

from bench import mix
from soc.log.sqlite import SqliteLog
from soc.model import RawBatch, now

COLLECTOR = """
import asyncio, json, sys
from pathlib import Path
from collectors import http, syslog
from soc.log.sqlite import SqliteLog

async def main():
    log = SqliteLog(Path(sys.argv[1]), backlog_mb=100_000)
    web = http.Http(http.Config("127.0.0.1:0", {"bench": "bench-token"}), log)
    lines = syslog.Syslog(syslog.Config(("udp://127.0.0.1:0", "tcp://127.0.0.1:0")), log)
    print(json.dumps(dict(await web.start()) | dict(await lines.start())), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await lines.stop()
    await web.stop()

asyncio.run(main())
"""
BARE = """
import socket, sys
one = socket.create_server(("127.0.0.1", 0))
print('{"bare": "127.0.0.1:%d"}' % one.getsockname()[1], flush=True)
connection, tail, taken = one.accept()[0], b"", 0
while data := connection.recv(262144):
    *lines, tail = (tail + data).split(b"\\n")
    taken += len(lines)
sys.stdin.read()
"""
_TICK = os.sysconf("SC_CLK_TCK")
_ROUNDS = 3


def main(arguments: Sequence[str]) -> int:
    options = argparse.ArgumentParser(prog="soc bench ingest")
    options.add_argument("--lines", type=int, default=500_000)
    chosen = options.parse_args(arguments)
    lines = mix.lines(100_000)
    chunk, times = b"\n".join(lines) + b"\n", max(1, chosen.lines // 100_000)
    counted = b"".join(b"%d %s" % (len(line), line) for line in lines)
    bare = _median(lambda: _bare(chunk, times))
    tcp = _median(lambda: _tcp(chunk, times))
    _print("bare recv and split", bare, lines=times * 100_000)
    _print("syslog over TCP, LF", tcp, ratio_to_bare=round(tcp / bare, 2))
    _print("syslog over TCP, octet-counted", _median(lambda: _tcp(counted, times)))
    _gate(2, "collector TCP ÷ blocking recv and split", tcp / bare, 6)
    for rate in (20_000, 50_000):
        found = _udp(lines, rate)
        _print(f"syslog over UDP at {rate}/s for 10 s", found.cpu_us, sent=found.sent, lost=found.lost, uncounted=found.uncounted)
        _gate(3, f"UDP at {rate}/s: lost, and lost without being counted", found.lost + abs(found.uncounted), 0)
    events = mix.ecs(20_000)
    unit = _median(lambda: _loads(events))
    for encoding in ("identity", "zstd"):
        cost = _median(lambda encoding=encoding: _http(events, encoding))  # type: ignore[misc]
        _print(f"HTTP NDJSON, ECS, 500 a request, {encoding}", cost, orjson_loads_us=round(unit, 2), ratio=round(cost / unit, 2))
    _gate(10, "acknowledgement p99 in ms, 4 writers of 5,000/s", _acknowledged_ms(lines), 25)
    return 0


def _print(what: str, cpu_us: float, **more: object) -> None:
    sys.stdout.write(json.dumps({"what": what, "cpu_us_per_event": round(cpu_us, 2)} | more, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _gate(number: int, what: str, value: float, hold: float) -> None:
    figures = {"gate": number, "what": what, "value": round(value, 2), "hold": hold, "met": value <= hold}
    sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(_ROUNDS))


# ------------------------------------------------------------------ receivers


@dataclass(slots=True)
class Receiver:
    """A process that receives, where it listens, and its event log."""

    process: subprocess.Popen[str]
    addresses: dict[str, str]
    folder: Path

    def place(self, name: str) -> tuple[str, int]:
        host, _, port = self.addresses[name].rpartition(":")
        return host, int(port)

    def cpu(self) -> float:
        parts = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / _TICK

    def received(self) -> tuple[int, int]:
        """(records, dropped)."""
        log = SqliteLog(self.folder)
        found = log.ledger()
        log.close()
        return sum(line.received for line in found), sum(line.dropped for line in found)

    def settled(self, records: int) -> None:
        while self.received()[0] < records:
            time.sleep(0.05)


@contextmanager
def _receiver(program: str) -> Iterator[Receiver]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield Receiver(process, json.loads(process.stdout.readline()), Path(folder))
        finally:
            process.stdin.close()
            process.wait(30)
            process.stdout.close()


def _bare(chunk: bytes, times: int) -> float:
    with _receiver(BARE) as receiver:
        begun = receiver.cpu()
        with socket.create_connection(receiver.place("bare")) as out:
            for _ in range(times):
                out.sendall(chunk)
        time.sleep(0.5)
        return (receiver.cpu() - begun) / (times * 100_000) * 1e6


def _tcp(chunk: bytes, times: int) -> float:
    with _receiver(COLLECTOR) as receiver:
        begun = receiver.cpu()
        with socket.create_connection(receiver.place("syslog.tcp")) as out:
            for _ in range(times):
                out.sendall(chunk)
        receiver.settled(times * 100_000)
        return (receiver.cpu() - begun) / (times * 100_000) * 1e6


@dataclass(frozen=True, slots=True)
class Datagrams:
    """What became of so many datagrams."""

    sent: int
    lost: int
    uncounted: int
    """Sent and neither taken nor counted as dropped: must be 0."""
    cpu_us: float


def _udp(lines: Sequence[bytes], rate: int, secs: int = 10) -> Datagrams:
    with _receiver(COLLECTOR) as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(receiver.place("syslog.udp"))
        cpu, begun, sent, step = receiver.cpu(), time.monotonic(), 0, rate // 200
        for tick in range(secs * 200):
            for number in range(step):
                out.send(lines[(sent + number) % len(lines)])
            sent += step
            time.sleep(max(0.0, begun + (tick + 1) / 200 - time.monotonic()))
        time.sleep(2.2)
        used = receiver.cpu() - cpu
        received, dropped = receiver.received()
    return Datagrams(sent, sent - received, sent - received - dropped, used / sent * 1e6)


def _http(events: Sequence[bytes], encoding: str) -> float:
    compress = zstandard.ZstdCompressor(level=1).compress if encoding == "zstd" else bytes
    bodies = [compress(b"\n".join(events[start : start + 500])) for start in range(0, len(events), 500)]
    headers = {"Authorization": "Bearer bench-token", "Content-Type": "application/x-ndjson", "Content-Encoding": encoding}
    with _receiver(COLLECTOR) as receiver:
        connection = http.client.HTTPConnection(*receiver.place("http"))
        begun, sent = receiver.cpu(), 0
        for body in bodies * 10:
            connection.request("POST", "/ingest/bench", body, headers)
            answer = connection.getresponse()
            sent += json.loads(answer.read())["accepted"]
        connection.close()
        return (receiver.cpu() - begun) / sent * 1e6


def _loads(events: Sequence[bytes]) -> float:
    begun = time.process_time()
    for event in events:
        orjson.loads(event)
    return (time.process_time() - begun) / len(events) * 1e6


def _acknowledged_ms(lines: Sequence[bytes], writers: int = 4, secs: int = 3) -> float:
    """The 99th percentile of appending 500 records, by writers of 5,000 records a second each."""
    waits: list[float] = []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:

        def write() -> None:
            log, begun = SqliteLog(Path(folder)), time.monotonic()
            for number in range(secs * 10):
                time.sleep(max(0.0, begun + number / 10 - time.monotonic()))
                at = time.monotonic()
                log.append([RawBatch("bench", lines[number * 500 : number * 500 + 500], now())])
                waits.append((time.monotonic() - at) * 1000)
            log.close()

        threads = [threading.Thread(target=write) for _ in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sorted(waits)[int(len(waits) * 0.99)]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
