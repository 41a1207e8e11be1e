"""Compaction changes files and nothing else."""

# ruff: noqa: E501 - tables are read by row

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from soc.model import now as clock
from soc.query import All, Query, Term
from soc.store.catalog import Catalog
from soc.store.compact import DAY, compact
from soc.store.parquet import ParquetStore, ParquetWriter
from soc.store.upkeep import alone
from tests.soc.store.worlds import events, segments


def everything(folder: Path) -> list[dict[str, object]]:
    store = ParquetStore(folder, threads=1)
    found = store.search(Query(limit=50_000)).events
    store.close()
    return found


def datasets(folder: Path) -> list[tuple[tuple[str, ...], int]]:
    catalog = Catalog(folder)
    found = [(segment.datasets, segment.rows) for segment in catalog.snapshot().segments]
    catalog.close()
    return sorted(found)


def test_small_segments_become_one_with_the_same_events(tmp_path: Path) -> None:
    segments(tmp_path, range(1, 9), also={"tags": ["x"], "Foo": "1", "acme.list": ["a", "b"], "_extra.name": "e"})
    before = everything(tmp_path)
    assert compact(tmp_path) == {"before": 8, "after": 1, "events": 80, "unlinked": 0, "failed": 0}
    assert everything(tmp_path) == before
    assert compact(tmp_path)["before"] == 0
    assert len(list((tmp_path / "segments").iterdir())) == 9  # readers may be in the old ones
    assert compact(tmp_path, now=lambda: clock() + 601_000_000)["unlinked"] == 8
    assert everything(tmp_path) == before


@pytest.mark.parametrize(("count", "days_later", "merged"), [(7, 0, 0), (8, 0, 8), (2, 1, 2), (1, 1, 0)])
def test_as_few_as_are_worth_it(tmp_path: Path, count: int, days_later: int, merged: int) -> None:
    segments(tmp_path, range(1, count + 1))
    assert compact(tmp_path, now=lambda: clock() + days_later * DAY)["before"] == merged


def test_mixed_files_are_parted_by_dataset_where_there_is_enough_of_it(tmp_path: Path) -> None:
    writer = ParquetWriter(tmp_path)
    for seq in range(1, 5):
        writer.append(seq, events(seq, 900) + [e | {"event.id": f"{e['event.id']}x", "event.dataset": "rare"} for e in events(seq, 3)])
        writer.flush()
    writer.close()
    assert datasets(tmp_path) == [(("a.b", "rare"), 903)] * 4
    before = everything(tmp_path)
    compact(tmp_path, fewest=4)
    assert datasets(tmp_path) == [(("a.b",), 3600), (("rare",), 12)]
    assert everything(tmp_path) == before


def test_a_file_is_not_larger_than_asked_and_has_full_row_groups(tmp_path: Path) -> None:
    segments(tmp_path, range(1, 9))
    writer = ParquetWriter(tmp_path)
    for seq in range(20, 40):
        writer.append(seq, events(seq, 1500))
        if seq % 2:
            writer.flush()
    writer.close()
    before = len(everything(tmp_path))
    compact(tmp_path, fewest=2, rows=21_000)
    rows = [n for _, n in datasets(tmp_path)]
    assert sum(rows) == before
    assert max(rows) <= 21_000
    largest = max((tmp_path / "segments").glob("c*"), key=lambda p: p.stat().st_size)
    assert pq.read_metadata(largest).num_row_groups <= 4


def test_only_one_at_a_time(tmp_path: Path) -> None:
    segments(tmp_path, range(1, 9))
    with alone(tmp_path) as mine:
        assert mine
        assert compact(tmp_path)["before"] == 0


def test_orphans_of_a_compaction_that_died_are_removed(tmp_path: Path) -> None:
    segments(tmp_path, [1])
    for name in ("c1-0.tmp", "c1-1.parquet"):
        (tmp_path / "segments" / name).touch()
    compact(tmp_path)
    assert [path.name[0] for path in (tmp_path / "segments").iterdir()] == ["w"]


def test_a_segment_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    segments(tmp_path, range(1, 10))
    next((tmp_path / "segments").glob("w0-1-3-*")).write_bytes(b"torn")
    segments(tmp_path, range(11, 19), worker=1, also={"event.dataset": "other"})
    done = compact(tmp_path)
    assert (done["before"], done["failed"]) == (16, 1)
    store = ParquetStore(tmp_path, threads=1)
    assert store.count(Term("event.dataset", "other")) == 80
    assert store.search(Query(All(), limit=999)).partial
    store.close()
