"""What every event log promises, whatever keeps it. A keeper's test module derives from this and says how to open one."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soc.contracts import EventLog, Tally
from soc.model import Quarantined, RawBatch


def a_batch(*records: bytes, source: str = "syslog", **more: object) -> RawBatch:
    return RawBatch(source, list(records) or [b"one line"], 1_700_000_000_000_000, **more)  # type: ignore[arg-type]


class EventLogContract:
    """Derive, and give `open(folder)`."""

    def open(self, folder: Path) -> EventLog:
        raise NotImplementedError

    @pytest.fixture
    def log(self, tmp_path: Path) -> EventLog:
        return self.open(tmp_path)

    def test_what_was_appended_is_read_back_in_order(self, log: EventLog) -> None:
        log.append([a_batch(b"a", b"b", peers=(("192.0.2.7", 1), ("192.0.2.9", 1)))])
        log.append([a_batch(b"c", source="http:erp", format="json")])
        first, second = log.read(0, 1, 0, 10)
        assert first.raw == a_batch(b"a", b"b", peers=(("192.0.2.7", 1), ("192.0.2.9", 1)))
        assert list(first.raw.peer_of()) == ["192.0.2.7", "192.0.2.9"]
        assert (second.raw.source, second.raw.format, second.raw.records) == ("http:erp", "json", [b"c"])
        assert second.seq > first.seq

    @given(records=st.lists(st.binary(max_size=30) | st.sampled_from([b"\n", b"\x1e", b"\x00\x1e\x00", b""]), min_size=1))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    def test_any_bytes_survive(self, log: EventLog, records: list[bytes]) -> None:
        (seq,) = log.append([a_batch(*records)])
        assert seq is not None
        (batch,) = [one for one in log.read(0, 1, seq - 1, 5) if one.seq == seq]
        assert batch.raw.records == records

    def test_a_delivery_with_a_known_key_is_counted_and_not_taken(self, log: EventLog) -> None:
        (first,) = log.append([a_batch(b"a", b"b", key="k1")])
        assert first is not None
        assert log.append([a_batch(b"a", b"b", key="k1"), a_batch(b"c", key="k2")])[0] is None
        (line,) = log.ledger()
        assert (line.received, line.duplicate, line.pending) == (5, 2, 3)
        assert line.balances

    def test_a_position_is_remembered_with_its_batch(self, log: EventLog) -> None:
        assert log.position("file:/a") is None
        log.append([a_batch(position=("file:/a", "17"))])
        assert log.position("file:/a") == "17"

    def test_shares_divide_the_log_without_gap_or_overlap(self, log: EventLog) -> None:
        for number in range(10):
            log.append([a_batch(str(number).encode())])
        seen = [batch.seq for share in range(3) for batch in log.read(share, 3, 0, 100)]
        assert sorted(seen) == [batch.seq for batch in log.read(0, 1, 0, 100)]
        assert len(set(seen)) == 10

    def test_the_ledger_balances_at_every_step(self, log: EventLog) -> None:
        (seq, _) = log.append([a_batch(b"a", b"b", b"c"), a_batch(b"x", source="other")])
        assert seq is not None
        assert all(line.balances for line in log.ledger())
        bad = Quarantined("0000000001-0002", "syslog", 1, b"c", "no header")
        log.commit(0, 1, seq, Tally({"syslog": 2}, [bad], {("syslog", "foo"): 1}))
        lines = {line.source: line for line in log.ledger()}
        assert (lines["syslog"].stored, lines["syslog"].quarantined, lines["syslog"].pending) == (2, 1, 0)
        assert (lines["other"].pending, lines["other"].stored) == (1, 0)
        assert all(line.balances for line in lines.values())
        assert log.unparsed() == [("syslog", "foo", 1)]

    def test_what_is_requeued_leaves_quarantine_and_balances(self, log: EventLog) -> None:
        (seq,) = log.append([a_batch(b"a", b"bad")])
        assert seq is not None
        bad = Quarantined("0000000001-0001", "syslog", 5, b"bad", "why", "plain", "192.0.2.1")
        log.commit(0, 1, seq, Tally({"syslog": 1}, [bad]))
        assert [q.record for q in log.quarantine()] == [b"bad"]
        assert log.requeue(["0000000001-0001", "0000000001-0001", "no such id"]) == 1
        assert log.quarantine() == []
        (again,) = log.read(0, 1, seq, 10)
        assert (again.raw.records, again.raw.format, again.raw.received) == ([b"bad"], "plain", 5)
        (line,) = log.ledger()
        assert line.balances
        assert (line.received, line.pending) == (2, 1)

    def test_another_number_of_workers_begins_at_the_lowest_cursor(self, log: EventLog) -> None:
        seqs = [log.append([a_batch()])[0] for _ in range(6)]
        log.commit(0, 2, seqs[5], Tally())  # type: ignore[arg-type]
        log.commit(1, 2, seqs[2], Tally())  # type: ignore[arg-type]
        assert log.cursor(0, 3) == seqs[2]
        assert [batch.seq for batch in log.read(0, 1, log.cursor(0, 1), 10)] == seqs[3:]

    def test_losses_are_not_received(self, log: EventLog) -> None:
        log.lost("syslog", 7, "kernel drop")
        log.lost("syslog", 3, "kernel drop")
        (line,) = log.ledger()
        assert (line.dropped, line.received) == (10, 0)
        assert line.balances

    def test_a_random_day_balances(self, log: EventLog) -> None:
        """Two workers at their own pace, duplicates and quarantine: the equation holds after every single step."""
        dice = random.Random(7)
        at = {0: 0, 1: 0}
        for step in range(60):
            log.append([a_batch(*[b"x"] * dice.randint(1, 5), key=f"k{dice.randint(0, 30)}", source=dice.choice(["a", "b"]))])
            share = dice.randint(0, 1)
            batches = log.read(share, 2, at[share], dice.randint(1, 3))
            if batches and dice.random() < 0.6:
                tally = Tally()
                for batch in batches:
                    bad = dice.randint(0, len(batch.raw.records))
                    tally.stored[batch.raw.source] = tally.stored.get(batch.raw.source, 0) + len(batch.raw.records) - bad
                    tally.quarantined += [Quarantined(f"{batch.seq}-{i}", batch.raw.source, 1, b"x", "r") for i in range(bad)]
                at[share] = batches[-1].seq
                log.commit(share, 2, at[share], tally)
            assert all(line.balances for line in log.ledger()), step
