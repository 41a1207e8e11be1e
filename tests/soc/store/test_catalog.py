"""The catalog: snapshots, transactions, counters."""

from pathlib import Path

import pytest

from soc.store.catalog import Catalog, add_counters, add_segments, drop_segments
from tests.soc.store.worlds import a_segment


def test_a_snapshot_sees_what_another_process_has_committed(tmp_path: Path) -> None:
    mine, theirs = Catalog(tmp_path), Catalog(tmp_path)
    assert mine.snapshot().segments == ()
    with theirs.transaction() as db:
        add_segments(db, [a_segment("one"), a_segment("two", columns=frozenset(["ü", 'q"']))])
        assert mine.snapshot().segments == ()
    assert [s.file for s in mine.snapshot().segments] == ["one", "two"]
    assert mine.snapshot() is mine.snapshot()
    with theirs.transaction() as db:
        drop_segments(db, mine.snapshot().segments[:1], now=5)
    (left,) = mine.snapshot().segments
    assert (left.file, left.columns, left.id) == ("two", frozenset(["ü", 'q"', "@timestamp", "event.id"]), 2)
    assert mine.retired() == {"one": 5}


def test_its_own_changes_are_seen_too(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.snapshot()
    with catalog.transaction() as db:
        add_segments(db, [a_segment("one")])
        assert len(catalog.snapshot().segments) == 1  # also while it is open
    assert len(catalog.snapshot().segments) == 1


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    with pytest.raises(ZeroDivisionError), catalog.transaction() as db:
        add_segments(db, [a_segment("one")])
        raise ZeroDivisionError
    assert catalog.snapshot().segments == ()


def test_marks_are_kept_until_cursors_have_passed(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    with catalog.transaction() as db:
        db.executemany("insert into flushed values(?)", [(1,), (2,), (5,)])
    assert catalog.flushed([1, 3, 5]) == {1, 5}
    catalog.settle(5)
    assert (catalog.marks(), catalog.flushed([1, 2, 5])) == ({5}, {5})


def test_each_start_of_a_worker_is_a_new_generation(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    assert [catalog.start_writer(0), catalog.start_writer(1), catalog.start_writer(0)] == [1, 1, 2]


def test_counters_add_up(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    for _ in range(2):
        with catalog.transaction() as db:
            add_counters(db, {"ignored": 3, "extra": 0})
    assert catalog.counters() == {"ignored": 6}


def test_retired_files_are_unlinked_after_their_time(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    for name in ("old", "new"):
        (tmp_path / "segments" / name).touch()
    with catalog.transaction() as db:
        drop_segments(db, [a_segment("old")], now=10)
        drop_segments(db, [a_segment("new"), a_segment("gone already")], now=20)
    assert catalog.bury(before=15) == 1
    assert [path.name for path in (tmp_path / "segments").iterdir()] == ["new"]
    assert catalog.bury(before=25) == 2
    assert catalog.retired() == {}
