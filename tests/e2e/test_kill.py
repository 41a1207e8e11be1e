"""kill -9 at random moments while events arrive over HTTP and TCP: what was acknowledged is there once, and the ledger balances.

Over HTTP the acknowledgement is the answer 200; a request without one is sent again with its idempotency key, as a well-behaved
sender does. TCP syslog has no acknowledgement: what the collector had not yet written down when it died is lost to its sender,
but what the ledger says was received must be there, once. One event in fifty satisfies a rule: as many alerts, none twice.

The full run is this test with SOC_TESTS_KILLS=20 SOC_TESTS_KILL_EVENTS=200000.
"""

import contextlib
import json
import os
import random
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import httpx

from soc.model import now
from soc.query import Query
from soc.query_text import parse
from soc.store.parquet import ParquetStore
from tests.e2e.running import Running, running, wait_for

RULE = """
title: A marked line
id: 6f9dbb0e-0000-4000-8000-0000000000aa
status: test
level: medium
logsource: {product: marked, service: log}
detection:
  selection: {event.action: marked_line}
  condition: selection
"""


class Sender(threading.Thread):
    """Posts numbered events until each has its 200, whatever happens to the collector meanwhile."""

    def __init__(self, soc: Running, name: str, events: int, secs: float, per_request: int = 100) -> None:
        super().__init__(daemon=True)
        self.soc, self.label, self.events, self.per_request = soc, name, events, per_request
        self.pause = secs * per_request / events
        self.acknowledged = 0

    def run(self) -> None:
        url = f"http://{self.soc.listeners['http']}/ingest/marked"
        for start in range(0, self.events, self.per_request):
            lines = [self.line(number) for number in range(start, min(start + self.per_request, self.events))]
            self.post(url, "\n".join(lines), f"{self.label}-{start}")
            self.acknowledged += len(lines)
            time.sleep(self.pause)

    def line(self, number: int) -> str:
        marked = {"event.action": "marked_line"} if number % 50 == 0 else {}
        return json.dumps(
            {"message": f"{self.label} {number}", "event.dataset": "marked.log", "host.name": f"h{number}"} | marked
        )

    def post(self, url: str, body: str, key: str) -> None:
        headers = {"Authorization": "Bearer kill-test", "Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
        while True:
            try:
                if httpx.post(url, content=body, headers=headers, timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)


class Stream(threading.Thread):
    """Writes numbered lines over TCP until told to stop, connecting again whenever the collector is gone."""

    def __init__(self, soc: Running) -> None:
        super().__init__(daemon=True)
        self.soc, self.stop = soc, threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            try:
                with socket.create_connection(self.soc.address("syslog.tcp"), 5) as connection:
                    while not self.stop.wait(0.01):
                        lines = [f"<14>1 - streamer app - - - line {number + at}\n" for at in range(20)]
                        number += 20  # also when this fails: a number is never used again
                        connection.sendall("".join(lines).encode())
            except OSError:
                time.sleep(0.05)


def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    kills, events = int(os.environ.get("SOC_TESTS_KILLS", "4")), int(os.environ.get("SOC_TESTS_KILL_EVENTS", "8000"))
    dice = random.Random(20261124)
    settings = {
        "SOC_COLLECTORS__HTTP__TOKENS": '{marked = "kill-test"}',
        "SOC_STORE__FLUSH_SECS": "1",
        "SOC_STORE__FLUSH_ROWS": "700",
        "SOC_DETECTIONS__RULES": str(tmp_path / "marked.yml"),
        "SOC_DETECTIONS__FOLD_OVER": "1000000",
    }
    (tmp_path / "marked.yml").write_text(RULE)
    with running(tmp_path / "home", settings) as soc:
        stream = Stream(soc)
        stream.start()
        senders = [Sender(soc, name, events // 2, kills * 2.5) for name in ("north", "south")]
        for sender in senders:
            sender.start()
        for _ in range(kills):
            time.sleep(dice.uniform(0.2, 1.5))
            _kill(soc, dice.choice(["collect", "work-0", "work-1"]))
        for sender in senders:
            sender.join(300)
            assert sender.acknowledged == events // 2
        stream.stop.set()
        stream.join(20)
        wait_for(lambda: set(soc.children()) >= {"collect", "work-0", "work-1", "web"})
        soc.settled(events, 120)
        lines = {line["source"]: line for line in soc.ledger()["sources"]}
        assert all(line["balances"] for line in lines.values())
        marked, streamed = lines["http:marked"], lines["syslog"]
        assert marked["received"] - marked["duplicate"] == marked["stored"] == events
        assert streamed["stored"] == streamed["received"] > 0
        for where, wanted in (("event.dataset:marked.log", events), ("host.name:streamer", streamed["stored"])):
            assert soc.rows("hunt", where, "--count")[0]["count"] == wanted
            texts = _messages(soc, where)
            assert len(texts) == len(set(texts)) == wanted
        alerts = [row for row in soc.rows("alerts", "list", "--limit", "100000") if row["title"] == "A marked line"]
        raised = [event for row in alerts for event in row["events"]]
        assert len(raised) == len(set(raised)) == events // 50


def _kill(soc: Running, name: str) -> None:
    """Kill a process; one that is not back yet since its last death is waited for."""

    def is_killed() -> bool:
        pid = soc.children().get(name)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    wait_for(is_killed, 40)


def _messages(soc: Running, text: str) -> list[object]:
    """The messages of all events that match, page by page."""
    store = ParquetStore(soc.home / "store")
    query = Query(parse(text, now()), limit=10_000, fields=("message",))
    found: list[object] = []
    while True:
        page = store.search(query)
        assert not page.partial
        found += [event["message"] for event in page.events]
        if page.after is None or not page.events:
            store.close()
            return found
        query = replace(query, after=page.after)
