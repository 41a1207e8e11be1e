"""End to end: a whole SOC with all rules, a sender on the same machine, until the last line is stored and its alerts are raised.

Prints, for each stream: lines a second from the first byte sent to the ledger without anything pending, CPU µs a line of all
processes together, resident memory of all processes (their peaks, summed), losses, and the ratio to the calibration unit (CPU of
`orjson.loads` of the same events in the same run). `--lines N` sets the length, `--rules DIR` the rules.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import zstandard

from bench import mix
from soc.log.sqlite import SqliteLog
from tests.e2e.running import Running, running

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_TICK = os.sysconf("SC_CLK_TCK")


_MARKED = """
title: A marked line
id: 00000000-0000-4000-8000-0000000000aa
level: medium
logsource: {product: linux}
detection:
  keywords: [a marked line]
  condition: keywords
"""


def main(arguments: Sequence[str]) -> int:
    options = argparse.ArgumentParser(prog="soc bench e2e")
    options.add_argument("--lines", type=int, default=1_500_000)
    options.add_argument("--rules", default=str(SHARED / "sigmahq"))
    options.add_argument("--only", default="syslog,windows,ecs,udp,latency")
    chosen = options.parse_args(arguments)
    rules = chosen.rules if Path(chosen.rules).exists() else ""
    if not rules:
        sys.stderr.write("no Sigma rules besides our own: give --rules DIR\n")
    streams: dict[str, Callable[[str, int], dict[str, object]]] = {
        "syslog": syslog,
        "windows": windows,
        "ecs": ecs,
        "udp": udp,
        "latency": latency,
    }
    for name in chosen.only.split(","):
        sys.stdout.write(json.dumps({"stream": name} | streams[name](rules, chosen.lines)) + "\n")
        sys.stdout.flush()
    return 0


# ------------------------------------------------------------------ streams


def syslog(rules: str, lines: int) -> dict[str, object]:
    """The syslog mix over one TCP connection, LF-framed, as fast as the collector lets the sender."""
    chunk = b"\n".join(mix.lines(100_000, seed=7)) + b"\n"
    times = max(1, lines // 100_000)

    def send(soc: Running) -> int:
        with socket.create_connection(soc.address("syslog.tcp")) as connection:
            for _ in range(times):
                connection.sendall(chunk)
        return times * 100_000

    return _measure(rules, send)


def windows(rules: str, lines: int) -> dict[str, object]:
    """Windows events as flat JSON (mix50k) over HTTP, zstd, 2,000 a request."""
    corpus = [line for line in _corpus("mix50k.jsonl.zst") if b'"Channel":' in line]
    return _measure(rules, _post(corpus, lines // 2), calibrate=corpus)


def ecs(rules: str, lines: int) -> dict[str, object]:
    """Nested ECS events of about 1.9 kB over HTTP, zstd, 2,000 a request."""
    corpus = mix.ecs(20_000, seed=7)
    return _measure(rules, _post(corpus, lines // 3), calibrate=corpus)


def udp(rules: str, _lines: int) -> dict[str, object]:
    """20,000 datagrams a second for ten seconds while the store is being asked; drops must be 0, and counted if not."""
    sample = mix.lines(20_000, seed=9)

    def send(soc: Running) -> int:
        asking = threading.Event()
        asker = threading.Thread(target=_ask, args=(soc, asking))
        asker.start()
        sent, begun = 0, time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            address = soc.address("syslog.udp")
            for tick in range(1000):
                for line in sample[tick % 100 * 200 : tick % 100 * 200 + 200]:
                    out.sendto(line, address)
                sent += 200
                time.sleep(max(0.0, begun + (tick + 1) * 0.01 - time.monotonic()))
        asking.set()
        asker.join()
        time.sleep(2)
        return sent

    return _measure(rules, send, exact=False)


def latency(rules: str, _lines: int) -> dict[str, object]:
    """At 1,000 lines a second: seconds from sending a line that a rule matches to its alert being readable."""
    waits: list[float] = []

    def send(soc: Running) -> int:
        background = mix.lines(1_000, seed=11)
        with socket.create_connection(soc.address("syslog.tcp")) as connection:
            for second in range(15):
                begun = time.time()
                connection.sendall(f"<86>{time.strftime('%b %e %H:%M:%S')} lat{second} marker: a marked line\n".encode())
                for part in range(10):
                    connection.sendall(b"\n".join(background[part * 100 : part * 100 + 100]) + b"\n")
                    time.sleep(max(0.0, begun + (part + 1) * 0.1 - time.time()))
                waits.extend(_alerted(soc, f"lat{second}", begun))
        return 15 * 1_001

    figures = _measure(rules, send, exact=False)
    waits.sort()
    return {
        "alerts_seen": len(waits),
        "p50_s": waits[len(waits) // 2] if waits else None,
        "max_s": waits[-1] if waits else None,
    } | {"resident_mb": figures["resident_mb"]}


def _alerted(soc: Running, host: str, begun: float) -> list[float]:
    from soc.cases import AlertFilter, Cases
    from soc.model import Entity

    cases = Cases.at(soc.home / "cases")
    while time.time() < begun + 5:
        if cases.count_alerts(AlertFilter(entity=Entity("host", host))):
            cases.close()
            return [round(time.time() - begun, 2)]
        time.sleep(0.02)
    cases.close()
    return []


# ------------------------------------------------------------------ measuring


def _measure(
    rules: str, send: Callable[[Running], int], calibrate: Sequence[bytes] = (), exact: bool = True
) -> dict[str, object]:
    settings = {"SOC_COLLECTORS__HTTP__TOKENS": '{bench = "bench-token"}', "SOC_STORE__FLUSH_SECS": "2"}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        marked = Path(folder) / "marked.yml"
        marked.write_text(_MARKED)
        settings["SOC_DETECTIONS__RULES"] = f"{rules},{marked}" if rules else str(marked)
        with running(Path(folder) / "home", settings) as soc:
            return _measured(soc, send, calibrate, exact)


def _measured(
    soc: Running, send: Callable[[Running], int], calibrate: Sequence[bytes], exact: bool
) -> dict[str, object]:
    pids = [*soc.children().values(), soc.process.pid]
    peak = _Peak(pids)
    cpu, begun = _cpu(pids), time.monotonic()
    sent = send(soc)
    _settled(soc, sent if exact else 1)
    wall = time.monotonic() - begun
    used = _cpu(pids) - cpu
    total = _sums(soc.ledger()["sources"])
    alerts = len(soc.rows("alerts", "list", "--limit", "1000000"))
    figures: dict[str, object] = {
        "sent": sent,
        "received": total["received"],
        "stored": total["stored"],
        "dropped": total["dropped"],
        "lost": sent - total["received"] - total["dropped"],
        "balances": total["balances"],
        "alerts": alerts,
        "wall_s": round(wall, 2),
        "lines_per_s": round(sent / wall),
        "cpu_us_per_line": round(used / sent * 1e6, 1),
        "resident_mb": peak.stop(),
    }
    if calibrate:
        unit = _unit(calibrate)
        figures |= {"orjson_us": round(unit, 2), "ratio": round(used / sent * 1e6 / unit, 2)}
    return figures


def _sums(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The accounts of all sources but our own audit trail."""
    others = [line for line in lines if not line["source"].startswith("soc:")]
    sums: dict[str, Any] = {name: sum(line[name] for line in others) for name in ("received", "stored", "dropped")}
    return sums | {"balances": all(line["balances"] for line in lines)}


class _Peak(threading.Thread):
    """The largest sum of resident memory over all processes, looked at ten times a second."""

    def __init__(self, pids: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self._pids, self._done, self._most = pids, threading.Event(), 0
        self.start()

    def run(self) -> None:
        from soc.process import resident_bytes

        while not self._done.wait(0.1):
            self._most = max(self._most, sum(resident_bytes(pid) for pid in self._pids))

    def stop(self) -> int:
        self._done.set()
        self.join()
        return self._most >> 20


def _settled(soc: Running, received: int, secs: float = 600) -> None:
    """Wait until so many records were received and none is pending; asks the log itself, a command would cost half a second."""
    log = SqliteLog(soc.home / "log")
    deadline = time.monotonic() + secs
    while time.monotonic() < deadline:
        lines = [line for line in log.ledger() if not line.source.startswith("soc:")]
        if sum(line.received for line in lines) >= received and not any(line.pending for line in lines):
            break
        time.sleep(0.1)
    log.close()


def _cpu(pids: Sequence[int]) -> float:
    total = 0
    for pid in pids:
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(parts[11]) + int(parts[12])
    return total / _TICK


def _unit(lines: Sequence[bytes]) -> float:
    begun = time.process_time()
    for line in lines[:20_000]:
        orjson.loads(line)
    return (time.process_time() - begun) / len(lines[:20_000]) * 1e6


def _corpus(name: str) -> list[bytes]:
    with (SHARED / "events" / name).open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()


def _post(corpus: Sequence[bytes], lines: int) -> Callable[[Running], int]:
    compress = zstandard.ZstdCompressor(level=1).compress
    bodies = [(len(part), compress(b"\n".join(part))) for i in range(0, len(corpus), 2_000) if (part := corpus[i : i + 2_000])]

    def send(soc: Running) -> int:
        host, port = soc.address("http")
        connection = http.client.HTTPConnection(host, port, timeout=60)
        headers = {"Authorization": "Bearer bench-token", "Content-Type": "application/x-ndjson", "Content-Encoding": "zstd"}
        sent = number = 0
        while sent < lines:
            count, body = bodies[number % len(bodies)]
            connection.request("POST", "/ingest/bench", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 429:
                time.sleep(float(answer.headers.get("Retry-After", "1")))
                continue
            if answer.status != 200:
                raise RuntimeError(f"the collector answered {answer.status}")
            sent, number = sent + count, number + 1
        return sent

    return send


def _ask(soc: Running, stop: threading.Event) -> None:
    while not stop.is_set():
        soc.soc("hunt", "event.outcome:failure", "--last", "1h", "--limit", "50", "--json", check=False)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
