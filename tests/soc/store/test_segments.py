"""Segment files as they are written."""

# ruff: noqa: E501 - tables are read by row

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from soc.store.segments import ROW_GROUP, SegmentFile, remove, write_segment


def table(count: int, first: int = 0, **more: object) -> pa.Table:
    ids = [f"{first + i:06}" for i in range(count)]
    return pa.table({"@timestamp": list(range(first, first + count)), "event.id": ids} | {k: [v] * count for k, v in more.items()})


def test_a_segment_says_what_is_in_it(tmp_path: Path) -> None:
    segment = write_segment(tmp_path, "s", [("a", table(3, 5)), ("b", table(2, 1, x="1"))], written=9)
    assert (segment.file, segment.datasets, segment.rows, segment.written) == ("s.parquet", ("a", "b"), 5, 9)
    assert (segment.since, segment.until, segment.first_id, segment.last_id) == (1, 7, "000001", "000007")
    assert segment.columns == {"@timestamp", "event.id", "x"}
    assert segment.bytes == (tmp_path / "s.parquet").stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["s.parquet"]


def test_each_row_group_is_of_one_dataset(tmp_path: Path) -> None:
    write_segment(tmp_path, "s", [("a", table(ROW_GROUP + 1)), ("b", table(2))], written=0)
    meta = pq.read_metadata(tmp_path / "s.parquet")
    assert [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] == [ROW_GROUP, 1, 2]


def test_a_segment_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), SegmentFile(tmp_path, "s", table(1).schema) as file:
        file.add("a", table(1))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_removing_twice_is_no_error(tmp_path: Path) -> None:
    segment = write_segment(tmp_path, "s", [("a", table(1))], written=0)
    remove(tmp_path, [segment, segment])
    assert list(tmp_path.iterdir()) == []
