"""Every rule of the product fires on each of its `match` cases and stays silent on each of its `miss` cases.

A case is a line of JSON: {"case": why, "lines": [what a program wrote, or an object that it sent]}. The lines go through the
parsers, so that a case stays true when a parser changes, or fails.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import orjson
import pytest
import yaml

from collectors.decode import BatchDecoder
from detections.engine import SigmaDetector, load
from detections.sigma.ir import fields
from soc.contracts import Signal
from soc.fields import catalogue
from soc.model import Event, LoggedBatch, RawBatch, micros

FOLDER = Path(__file__).resolve().parents[3] / "detections" / "rules"
RULES = sorted(path.parent for path in FOLDER.glob("*/*/rule.yml"))
DECODER = BatchDecoder()
RECEIVED = micros("2026-11-24T12:00:00Z")
OWN_NAMESPACES = ("winlog.event_data.", "business.", "fortinet.", "cef.", "auditd.", "soc.", "postgresql.")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> SigmaDetector:
    return load([FOLDER], tmp_path_factory.mktemp("cache"), DECODER.provided(), DECODER.logsources)


def name_of(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


@cache
def documents(folder: Path) -> list[dict[str, object]]:
    return list(yaml.safe_load_all((folder / "rule.yml").read_text(encoding="utf-8")))


def cases(folder: Path, kind: str) -> list[tuple[str, list[object]]]:
    rows = (folder / f"{kind}.jsonl").read_bytes().splitlines()
    return [(row["case"], row["lines"]) for row in map(orjson.loads, rows)]


def events_of(lines: list[object]) -> list[Event]:
    """What the parsers make of them; each kind of line as a batch of its own."""
    events: list[Event] = []
    texts = [line.encode() for line in lines if isinstance(line, str)]
    objects = [orjson.dumps(line) for line in lines if not isinstance(line, str)]
    for number, (records, format_) in enumerate(((texts, "syslog"), (objects, "json"))):
        if records:
            decoded = DECODER.decode(LoggedBatch(number + 1, RawBatch("test", records, RECEIVED, format_)))
            assert not decoded.quarantined and not decoded.unparsed, (decoded.quarantined, decoded.unparsed)
            events += decoded.events
    return events


def fires(engine: SigmaDetector, id_: str, events: list[Event]) -> bool:
    found = engine.match(events)
    correlation = engine.correlations.get(id_)
    if correlation is None:
        return any(match.rule.id == id_ for match in found)
    groups: dict[str, list[Signal]] = {}
    for match in found:
        if match.rule.id in correlation.bases and (one := correlation.signal(match.rule.id, events[match.event])):
            groups.setdefault(one.group, []).append(one)
    return any(correlation.evaluate(signals) for signals in groups.values())


@pytest.mark.parametrize("folder", RULES, ids=name_of)
def test_it_fires_on_each_match_and_on_no_miss(engine: SigmaDetector, folder: Path) -> None:
    id_ = str(documents(folder)[0]["id"])
    assert id_ not in engine.unusable, engine.unusable.get(id_)
    matches, misses = cases(folder, "match"), cases(folder, "miss")
    assert matches and misses
    wrong = [f"match: {case}" for case, lines in matches if not fires(engine, id_, events_of(lines))]
    wrong += [f"miss: {case}" for case, lines in misses if fires(engine, id_, events_of(lines))]
    assert not wrong


@pytest.mark.parametrize("folder", RULES, ids=name_of)
def test_it_says_what_an_analyst_needs(folder: Path) -> None:
    first = documents(folder)[0]
    for key in ("title", "id", "status", "description", "author", "date", "tags", "falsepositives", "level"):
        assert first.get(key), f"{key} is missing"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", str(first["id"]))
    tags = first["tags"]
    assert isinstance(tags, list)
    assert all(re.fullmatch(r"attack\.([a-z-]+|t\d{4}(\.\d{3})?)", tag) for tag in tags)
    assert any(tag.startswith("attack.t") for tag in tags), "no ATT&CK technique"


def test_there_are_at_least_forty_and_no_id_or_name_stands_twice() -> None:
    assert len(RULES) >= 40
    every = [document for folder in RULES for document in documents(folder)]
    ids = [str(one["id"]) for one in every if "id" in one]
    names = [str(one["name"]) for one in every]
    assert len(set(ids)) == len(ids) == len(RULES)
    assert len(set(names)) == len(names)


def test_nothing_of_ours_is_unusable_and_every_field_has_a_home(engine: SigmaDetector) -> None:
    assert dict(engine.unusable) == {}
    used = {name for rule in engine.planned for name in fields(rule.node)}
    unknown = {name for name in used if name not in catalogue() and not name.startswith(OWN_NAMESPACES)}
    assert not unknown
