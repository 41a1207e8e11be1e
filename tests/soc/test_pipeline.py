"""The worker's walk: every record ends in one account, whatever a decoder, a rule or the disk does; a replay adds nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from soc.cases import Cases
from soc.config import Detections, Store
from soc.contracts import Detector, EventLog, Hit, Match, Signal
from soc.correlations import Correlations
from soc.log.sqlite import SqliteLog
from soc.model import Decoded, Event, LoggedBatch, Quarantined, RawBatch, Rule, event_id
from soc.pipeline import Worker

NOON = 1_795_000_000_000_000


class Words:
    """A decoder for tests: a record is an event, 'bad…' is quarantined, 'more' belongs to the one before, 'boom' raises."""

    def decode(self, batch: LoggedBatch) -> Decoded:
        decoded = Decoded()
        for index, record in enumerate(batch.raw.records):
            text, id_ = record.decode(), event_id(batch.seq, index)
            if text == "boom":
                raise ValueError("boom")
            if text.startswith("bad"):
                decoded.quarantined.append(Quarantined(id_, batch.raw.source, batch.raw.received, record, "bad"))
            elif text == "more":
                decoded.merged += 1
            else:
                decoded.events.append({"event.id": id_, "@timestamp": NOON, "message": text, "host.name": "web1"})
        return decoded


class Naming:
    """A detector for tests: the rule 'r' matches events whose message holds 'evil'; 'raise' raises."""

    rules: Mapping[str, Rule] = {"r": Rule("r", "evil", "high")}
    unusable: Mapping[str, str] = {}

    def match(self, events: Sequence[Event]) -> list[Match]:
        if any("raise" in str(event["message"]) for event in events):
            raise RuntimeError("this event is too much")
        return [Match(i, self.rules["r"]) for i, event in enumerate(events) if "evil" in str(event["message"])]


class Shelf:
    """A store writer for tests, which outlives the worker as a disk does; `broken` makes flushes fail."""

    def __init__(self) -> None:
        self.durable: dict[int, list[Event]] = {}
        self.hot: dict[int, list[Event]] = {}
        self.broken = False

    def append(self, seq: int, events: Sequence[Event]) -> None:
        if seq not in self.durable:
            self.hot[seq] = list(events)

    def flush(self) -> None:
        if self.broken:
            raise OSError(28, "No space left on device")
        self.durable |= self.hot
        self.hot = {}

    @property
    def waiting(self) -> int:
        return sum(map(len, self.hot.values()))

    def settle(self, below: int) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        self.hot = {}

    def events(self) -> int:
        return sum(map(len, self.durable.values()))


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    return SqliteLog(tmp_path / "log")


@pytest.fixture
def cases(tmp_path: Path) -> Cases:
    return Cases.at(tmp_path / "cases")


def put(log: EventLog, *texts: str, source: str = "syslog") -> None:
    log.append([RawBatch(source, [text.encode() for text in texts], NOON)])


def a_worker(log: SqliteLog, cases: Cases, shelf: Shelf, detector: Detector | None = None, **more: object) -> Worker:
    return Worker(log, Words(), detector or Naming(), cases, shelf, store_settings=Store(flush_rows=1), **more)  # type: ignore[arg-type]


def test_every_record_ends_in_one_account(log: SqliteLog, cases: Cases) -> None:
    shelf = Shelf()
    put(log, "a", "bad one", "b", "more", "evil")
    assert a_worker(log, cases, shelf).step() == 1
    (line,) = log.ledger()
    assert (line.stored, line.quarantined, line.pending) == (4, 1, 0)
    assert line.balances
    assert (shelf.events(), cases.count_alerts()) == (3, 1)


def test_a_decoder_that_fails_costs_no_record(log: SqliteLog, cases: Cases) -> None:
    put(log, "a", "boom", "b")
    put(log, "c")
    worker = a_worker(log, cases, Shelf())
    assert worker.step() == 2
    assert [q.record for q in log.quarantine()] == [b"b", b"boom", b"a"]
    assert log.ledger()[0].balances
    assert worker.counters.trouble == {"decoder: ValueError: boom": 1}


def test_one_event_that_a_rule_cannot_bear_hides_no_other_match(log: SqliteLog, cases: Cases) -> None:
    put(log, "evil 1", "raise", "evil 2")
    worker = a_worker(log, cases, Shelf())
    worker.step()
    assert cases.count_alerts() == 2
    assert len(worker.counters.trouble) == 2


def test_a_crash_before_the_flush_changes_nothing_in_the_end(log: SqliteLog, cases: Cases) -> None:
    shelf = Shelf()
    put(log, "evil", "b")
    lazy = Worker(log, Words(), Naming(), cases, shelf, store_settings=Store(flush_rows=1000, flush_secs=1000))
    lazy.step()
    assert log.ledger()[0].pending == 2
    shelf.close()  # the worker is gone, and what it had not flushed with it
    a_worker(log, cases, shelf).step()
    assert (shelf.events(), cases.count_alerts(), log.ledger()[0].pending) == (2, 1, 0)
    assert cases.incidents()[0].alerts == 1


def test_a_crash_between_flush_and_commit_stores_nothing_twice(log: SqliteLog, cases: Cases) -> None:
    shelf = Shelf()
    put(log, "evil", "b")
    lazy = Worker(log, Words(), Naming(), cases, shelf, store_settings=Store(flush_rows=1000, flush_secs=1000))
    lazy.step()
    shelf.flush()
    again = a_worker(log, cases, shelf)
    again.step()
    again.flush()
    assert (shelf.events(), log.ledger()[0].stored) == (2, 2)


def test_a_full_disk_is_waited_out(log: SqliteLog, cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    shelf.broken = True
    worker = a_worker(log, cases, shelf)
    put(log, "a")
    worker.step()
    assert log.ledger()[0].pending == 1
    assert worker.counters.trouble == {"flush: No space left on device": 1}
    for _ in range(5):
        put(log, "b", "c")
        worker.step()
    assert shelf.waiting <= 2 + 2, "memory stays bounded while the disk is full"
    shelf.broken = False
    monkeypatch.setattr(worker, "_retry_at", 0.0)
    while worker.step():
        continue
    worker.flush()
    assert (shelf.events(), log.ledger()[0].pending) == (11, 0)


def test_a_storm_is_one_alert_with_its_true_count(log: SqliteLog, cases: Cases) -> None:
    put(log, *["evil"] * 300)
    a_worker(log, cases, Shelf(), detections=Detections(fold_over=50)).step()
    (row,) = cases.alerts()
    assert (row.alert.count, len(row.alert.events), cases.incidents()[0].alerts) == (300, 100, 300)


def test_as_many_as_the_limit_are_still_single_alerts(log: SqliteLog, cases: Cases) -> None:
    put(log, *["evil"] * 50)
    a_worker(log, cases, Shelf(), detections=Detections(fold_over=50)).step()
    assert cases.count_alerts() == 50


def test_what_the_sample_sends_is_marked_all_the_way(log: SqliteLog, cases: Cases) -> None:
    shelf = Shelf()
    put(log, "evil", source="sample:ssh")
    put(log, "evil")
    a_worker(log, cases, shelf).step()
    marks = sorted(event.get("soc.sample", False) for events in shelf.durable.values() for event in events)  # type: ignore[type-var]
    assert marks == [False, True]
    assert sorted(row.alert.sample for row in cases.alerts()) == [False, True]
    assert cases.count_incidents() == 2


class Pair:
    """A correlation for tests: two matches of 'r' about one host within a minute."""

    rule = Rule("pair", "twice", "critical")
    bases = silent = frozenset({"r"})
    timespan = 60_000_000

    def signal(self, base: str, event: Event) -> Signal | None:
        return Signal(base, str(event["host.name"]), NOON, str(event["event.id"]))

    def evaluate(self, signals: Sequence[Signal]) -> list[Hit]:
        ids = tuple(sorted(one.event for one in signals))
        return [Hit(NOON, ids, len(ids))] if len(ids) >= 2 else []


def test_a_correlation_counts_across_workers_and_replays(log: SqliteLog, cases: Cases) -> None:
    """Two workers see one half each; the base rule stays silent; a replay raises the same alert again and no second one."""
    put(log, "evil 1")
    put(log, "evil 2")
    put(log, "good")
    for _ in range(2):
        for share in range(2):
            rules = Correlations({"pair": Pair()}, cases)
            Worker(log, Words(), Naming(), cases, Shelf(), share=share, shares=2, correlations=rules).step()
    (row,) = cases.alerts()
    assert (row.alert.rule.id, len(row.alert.events), row.alert.entities[0].name) == ("pair", 2, "web1")
