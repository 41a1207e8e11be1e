"""kill -9 at random moments while lines arrive over TCP and HTTP: what was acknowledged is there once, and the ledger balances.

Over HTTP the acknowledgement is the answer 200; a request without one is sent again with its idempotency key, as a well-behaved
sender does. Over TCP syslog there is none, so the sender marks only what a later answer of the ledger proves: here every line
that was sent on a connection which the collector closed in order. The full run (200,000 events, 20 kills) is
`soc bench kill`; this one is its small sister.
"""

import contextlib
import json
import os
import random
import signal
import threading
import time
from pathlib import Path

import httpx

from tests.e2e.running import Running, running, wait_for

RULE = """
title: A marked line
id: 6f9dbb0e-0000-4000-8000-0000000000aa
status: test
level: medium
logsource: {category: application, product: marked}
detection:
  selection: {event.action: marked_line}
  condition: selection
"""


class Sender(threading.Thread):
    """Posts numbered events until each has its 200, whatever happens to the collector meanwhile."""

    def __init__(self, soc: Running, name: str, events: int, per_request: int = 100) -> None:
        super().__init__(daemon=True)
        self.soc, self.label, self.events, self.per_request = soc, name, events, per_request
        self.acknowledged = 0

    def run(self) -> None:
        url = f"http://{self.soc.listeners['http']}/ingest/marked"
        for start in range(0, self.events, self.per_request):
            lines = [self.line(number) for number in range(start, min(start + self.per_request, self.events))]
            self.post(url, "\n".join(lines), f"{self.label}-{start}")
            self.acknowledged += len(lines)

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


def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    kills, events = int(os.environ.get("SOC_TESTS_KILLS", "4")), int(os.environ.get("SOC_TESTS_KILL_EVENTS", "8000"))
    dice = random.Random(20261124)
    settings = {
        "SOC_COLLECTORS__HTTP__TOKENS": '{marked = "kill-test"}',
        "SOC_STORE__FLUSH_SECS": "1",
        "SOC_STORE__FLUSH_ROWS": "700",
    }
    with running(tmp_path / "home", settings) as soc:
        senders = [Sender(soc, name, events // 2) for name in ("north", "south")]
        for sender in senders:
            sender.start()
        for _ in range(kills):
            time.sleep(dice.uniform(0.3, 1.2))
            name = dice.choice(["collect", "work-0", "work-1"])
            if (pid := soc.children().get(name)) is not None:
                with contextlib.suppress(ProcessLookupError):  # dead since the last round, its successor not heard of yet
                    os.kill(pid, signal.SIGKILL)
        for sender in senders:
            sender.join(120)
            assert sender.acknowledged == events // 2
        total = soc.settled(events)["total"]
        assert total["balances"]
        assert total["stored"] == events
        assert total["received"] - total["duplicate"] == events
        counted = soc.rows("hunt", "event.dataset:marked.log", "--count")[0]["count"]
        assert counted == events
        texts = [
            row["message"]
            for row in soc.rows("hunt", "event.dataset:marked.log", "--limit", str(events * 2), "--fields", "message")
        ]
        assert len(texts) == len(set(texts)) == events
        wait_for(lambda: set(soc.children()) >= {"collect", "work-0", "work-1", "web"})
