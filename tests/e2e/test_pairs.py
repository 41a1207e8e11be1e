"""All of SigmaHQ over the attack corpus through the commands: `soc detect` and `soc replay` give the pairs that the judge gives.

That the engine finds what the naive evaluator finds, pair by pair, is shown in tests/detections/test_engine.py (1,561 of 1,561);
here the commands must bring exactly those pairs to the outside, from the flat and from the nested form, and as alerts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from soc import wiring
from soc.cases import AlertFilter
from soc.config import Home
from tests import corpora


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOC_")}
    environment |= {"SOC_HOME": str(home), "SOC_DETECTIONS__FOLD_OVER": "1000000", "SOC_DETECTIONS__OWN_RULES": "false"}
    environment["SOC_DETECTIONS__RULES"] = str(corpora.sigmahq())
    command_ = [sys.executable, "-m", "soc", *arguments]
    return subprocess.run(command_, env=environment, capture_output=True, text=True, timeout=300, check=True)


def detected(home: Path, corpus: str) -> set[tuple[int, str]]:
    done = command(home, "detect", "--rules", str(corpora.sigmahq()), "--events", str(corpora.corpus(corpus)), "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert '"events": 8255' in done.stderr or "8255 events" in done.stderr, done.stderr
    found = {(row["event"], row["rule"]) for row in rows}
    assert len(found) == len(rows)
    return found


def test_detect_and_replay_give_the_same_pairs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    flat = detected(home, "evtx_attack_flat")
    assert len(flat) == 1_561
    assert detected(home, "evtx_attack_nested") == flat

    command(home, "replay", str(corpora.corpus("evtx_attack_flat")))
    settings = {"SOC_DETECTIONS__RULES": str(corpora.sigmahq()), "SOC_DETECTIONS__OWN_RULES": "false"}
    config = wiring.settings(Home(home), settings | {"SOC_DETECTIONS__FOLD_OVER": "1000000"})
    worker = wiring.worker(config, 0, 1)
    while worker.step():
        pass
    worker.flush()
    worker.close()
    place: dict[str, int] = {}  # event id -> number of the line, in the order of arrival
    log = wiring.event_log(config)
    at = 0
    for batch in log.read(0, 1, 0, 1_000_000):
        for number in range(len(batch.raw.records)):
            place[f"{batch.seq:010x}-{number:04x}"] = at + number
        at += len(batch.raw.records)
    log.close()
    alerts = wiring.cases(config).alerts(AlertFilter(), limit=100_000)
    raised = [(place[event], row.alert.rule.id) for row in alerts for event in row.alert.events]
    assert len(raised) == len(set(raised))
    assert set(raised) == flat
