"""Deletion and retention of segments."""

from pathlib import Path

import pytest

from soc.model import event_id
from soc.query import All, Contains, Exists, Term
from soc.store.catalog import Catalog
from soc.store.parquet import ParquetStore, ParquetWriter
from soc.store.upkeep import alone, replace, retain
from tests.soc.store.worlds import a_segment, events, segments

DAY = 86_400_000_000


def days(folder: Path, *numbers: int) -> None:
    """One segment a day, stored on that day."""
    for number in numbers:
        writer = ParquetWriter(folder, now=lambda number=number: number * DAY)  # type: ignore[misc]
        writer.append(number, events(number))
        writer.flush()
        writer.close()


def left(folder: Path) -> list[int]:
    catalog = Catalog(folder)
    found = [segment.written // DAY for segment in catalog.snapshot().segments]
    catalog.close()
    return found


@pytest.mark.parametrize(("keep_days", "expected"), [(0, []), (1, [9, 10]), (5, [5, 9, 10]), (30, [1, 2, 5, 9, 10])])
def test_what_is_older_goes(tmp_path: Path, keep_days: int, expected: list[int]) -> None:
    days(tmp_path, 1, 2, 5, 9, 10)
    would = retain(tmp_path, keep_days, 0, dry_run=True, now=10 * DAY + (keep_days == 0))
    assert left(tmp_path) == [1, 2, 5, 9, 10]
    assert retain(tmp_path, keep_days, 0, dry_run=False, now=10 * DAY + (keep_days == 0)) == would
    assert left(tmp_path) == expected
    assert would["events"] == 10 * (5 - len(expected))


def test_beyond_a_size_the_oldest_go_first(tmp_path: Path) -> None:
    days(tmp_path, 3, 1, 2)
    catalog = Catalog(tmp_path)
    sizes = {segment.written // DAY: segment.bytes for segment in catalog.snapshot().segments}
    gone = retain(tmp_path, 1000, sizes[2] + sizes[3], dry_run=False, now=3 * DAY)
    assert (left(tmp_path), gone["bytes"]) == ([3, 2], sizes[1])
    assert retain(tmp_path, 1000, 1, dry_run=False, now=3 * DAY)["segments"] == 2
    catalog.close()


def test_dropped_files_stay_for_the_readers_that_are_in_them(tmp_path: Path) -> None:
    days(tmp_path, 1)
    retain(tmp_path, 1, 0, dry_run=False, now=9 * DAY)
    assert len(list((tmp_path / "segments").iterdir())) == 1


def test_deletion_rewrites_only_the_segments_concerned(tmp_path: Path) -> None:
    segments(tmp_path, [1, 2, 3])
    store = ParquetStore(tmp_path, threads=1)
    assert store.delete(Contains("message", "2 7")) == 1
    assert len(list((tmp_path / "segments").glob("w*"))) == 3  # the old one for ten minutes more
    assert len(list((tmp_path / "segments").glob("c*"))) == 1
    assert (store.count(All()), store.count(Contains("message", "2 "))) == (29, 9)
    assert list(store.get([event_id(2, 7), event_id(2, 8)])) == [event_id(2, 8)]
    store.close()


def test_deletion_takes_exactly_the_rows_that_match_also_where_ids_are_not_unique(tmp_path: Path) -> None:
    writer, store = ParquetWriter(tmp_path), ParquetStore(tmp_path, threads=1)
    one, two = events(1, 1)[0], events(1, 1)[0] | {"acme.x": "second"}
    writer.append(1, [one, two])
    writer.flush()
    assert store.delete(Exists("acme.x")) == 1
    assert store.count(All()) == 1
    writer.close()
    store.close()


def test_a_deleted_hot_event_does_not_come_back_with_the_log(tmp_path: Path) -> None:
    writer, store = ParquetWriter(tmp_path), ParquetStore(tmp_path, threads=1)
    writer.append(1, events(1))
    assert store.delete(Term("event.id", event_id(1, 4))) == 1
    again = ParquetWriter(tmp_path)  # the first died; its batch is read from the log once more
    again.append(1, events(1))
    assert store.count(All()) == 9
    again.flush()
    assert store.count(All()) == 9
    again.settle(2)
    assert store._catalog.tombstones() == frozenset()
    again.close()
    store.close()


def test_events_deleted_while_they_are_flushed_are_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, store = ParquetWriter(tmp_path), ParquetStore(tmp_path, threads=1)
    writer.append(1, events(1))
    write = writer._write
    deleted: list[int] = []

    def slowly(*given: object) -> object:
        made = write(*given)  # type: ignore[arg-type]
        if not deleted:
            deleted.append(store.delete(Term("event.id", event_id(1, 4))))
        return made

    monkeypatch.setattr(writer, "_write", slowly)
    writer.flush()
    assert (deleted, store.count(All())) == ([1], 9)
    writer.close()
    store.close()


def test_segments_are_replaced_only_while_they_are_there(tmp_path: Path) -> None:
    segments(tmp_path, [1])
    catalog = Catalog(tmp_path)
    (old,) = catalog.snapshot().segments
    (tmp_path / "segments" / "new").touch()
    assert replace(catalog, [old], [], now=1)
    assert not replace(catalog, [old], [a_segment("new")], now=1)
    assert not (tmp_path / "segments" / "new").exists()
    catalog.close()


def test_the_lock_is_for_one(tmp_path: Path) -> None:
    with alone(tmp_path) as first, alone(tmp_path, wait=False) as second:
        assert (first, second) == (True, False)
    with alone(tmp_path, wait=False) as again:
        assert again
