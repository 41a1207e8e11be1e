"""Compaction: many small segments of a day into few large ones, in one catalog transaction per round.

Segments are merged with others of about their size, eight at least, so that an event is rewritten three times in its life and
not once per flush; what is left of a day that is over is merged once more. Row groups are copied one at a time, so memory is
bounded by the widest of them. Replaced files stay for a grace period, for the readers that are in them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from soc.model import now as clock
from soc.store.catalog import Catalog, Segment
from soc.store.names import type_of_column
from soc.store.segments import ROW_GROUP, SegmentFile, remove, sync_folder
from soc.store.upkeep import alone, replace
from soc.store.writer import OWN_FILE_ROWS

DAY = 86_400_000_000
GRACE_SECS = 600
ROWS = 250_000
"""Events of a full segment."""
TIERS = (2_000, 16_000, 125_000)
"""Below so many events, a segment is of the first, second, third size; above, it is left alone."""
FEWEST = 8
"""Segments of one size and day that are worth merging while the day goes on."""


def compact(
    folder: Path, now: Callable[[], int] = clock, grace_secs: int = GRACE_SECS, fewest: int = FEWEST, rows: int = ROWS
) -> Mapping[str, int]:
    """Merge what is worth it: {"before": merged segments, "after": new ones, "events": …, "unlinked": old files, "failed": …}.

    `failed` segments cannot be read (or the disk is full): they stay as they are. Returns zeros while another process is at it.
    """
    done = {"before": 0, "after": 0, "events": 0, "unlinked": 0, "failed": 0}
    with alone(folder, wait=False) as mine:
        if not mine:
            return done
        catalog = Catalog(folder)
        try:
            _remove_orphans(catalog)
            whole = [s for s in catalog.snapshot().segments if _is_whole(folder / "segments" / s.file, s.bytes)]
            done["failed"] = len(catalog.snapshot().segments) - len(whole)
            for old in list(_worth_merging(whole, now(), fewest)):
                try:
                    new = _merged(folder / "segments", old, rows)
                except (pa.ArrowException, OSError):
                    done["failed"] += len(old)
                    continue
                if replace(catalog, old, new, now()):
                    done["before"] += len(old)
                    done["after"] += len(new)
                    done["events"] += sum(segment.rows for segment in new)
            done["unlinked"] = catalog.bury(now() - grace_secs * 1_000_000)
        finally:
            catalog.close()
    return done


def _remove_orphans(catalog: Catalog) -> None:
    known = {segment.file for segment in catalog.snapshot().segments} | catalog.retired().keys()
    for path in (catalog.folder / "segments").glob("c*"):
        if path.name not in known:
            path.unlink(missing_ok=True)


def _is_whole(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size


def _worth_merging(segments: Sequence[Segment], now: int, fewest: int) -> Iterator[list[Segment]]:
    """Groups of one day and size, of one dataset or of several small ones; on a day that is over, of any size below full."""
    groups: dict[tuple[int, int, str], list[Segment]] = {}
    for segment in segments:
        day, tier = segment.written // DAY, _tier(segment)
        if tier < len(TIERS):
            over = day < now // DAY
            key = (day, 0 if over else tier, segment.datasets[0] if len(segment.datasets) == 1 else "\0several")
            groups.setdefault(key, []).append(segment)
    for (day, _, _), members in groups.items():
        if len(members) >= (2 if day < now // DAY else fewest):
            yield members


def _tier(segment: Segment) -> int:
    return sum(segment.rows >= limit for limit in TIERS)


def _merged(folder: Path, old: Sequence[Segment], rows: int) -> list[Segment]:
    """New files with all events of the old ones: one or more per dataset, and one for all datasets with few events."""
    sources = _row_groups(folder, old)
    stem = f"c{time.time_ns():x}"
    made: list[Segment] = []
    small: list[tuple[str, pa.Table]] = []
    written = min(segment.written for segment in old)
    try:
        for dataset, groups in sources.items():
            if sum(group.rows for group in groups) < OWN_FILE_ROWS:
                small.append((dataset, _joined([group.read() for group in groups])))
                continue
            for some in _full_files(groups, rows):
                made.append(_write(folder, f"{stem}-{len(made)}", dataset, some, written))
        if small:
            with SegmentFile(folder, f"{stem}-{len(made)}", pa.unify_schemas([t.schema for _, t in small])) as file:
                for dataset, table in small:
                    file.add(dataset, table)
                made.append(file.finish(written))
        sync_folder(folder)
    except BaseException:
        remove(folder, made)
        raise
    return made


class _RowGroup:
    """One row group of an old segment, read when its turn comes."""

    def __init__(self, path: Path, index: int, meta: pq.FileMetaData) -> None:
        self._path, self._index = path, index
        group = meta.row_group(index)
        self.rows = group.num_rows
        parts = [group.column(i) for i in range(group.num_columns)]
        empty = {part.path_in_schema for part in parts if _is_empty(part.statistics, group.num_rows)}
        self.columns = [name for name in meta.schema.to_arrow_schema().names if name not in empty]

    def read(self) -> pa.Table:
        with pq.ParquetFile(self._path) as file:
            table = file.read_row_group(self._index, columns=self.columns, use_threads=False)
        return table.select(self.columns)  # asked for `x`, Parquet also gives `x.y`


def _is_empty(statistics: Any, rows: int) -> bool:
    return statistics is not None and statistics.has_null_count and statistics.null_count == rows


def _row_groups(folder: Path, old: Sequence[Segment]) -> dict[str, list[_RowGroup]]:
    """Dataset -> row groups in arrival order."""
    found: dict[str, list[_RowGroup]] = {}
    for segment in sorted(old, key=lambda s: (s.first_id, s.id)):
        path = folder / segment.file
        meta = pq.read_metadata(path)
        for index in range(meta.num_row_groups):
            dataset = segment.datasets[index if len(segment.datasets) > 1 else 0]
            found.setdefault(dataset, []).append(_RowGroup(path, index, meta))
    return found


def _full_files(groups: Sequence[_RowGroup], rows: int) -> Iterator[list[_RowGroup]]:
    """The row groups of one new file after another."""
    some: list[_RowGroup] = []
    for group in groups:
        if some and sum(g.rows for g in some) + group.rows > rows:
            yield some
            some = []
        some.append(group)
    yield some


def _write(folder: Path, name: str, dataset: str, groups: Sequence[_RowGroup], written: int) -> Segment:
    columns = dict.fromkeys(column for group in groups for column in group.columns)
    schema = pa.schema([(column, type_of_column(column)) for column in columns])
    with SegmentFile(folder, name, schema) as file:
        waiting: list[pa.Table] = []
        for group in groups:
            waiting.append(group.read())
            if sum(map(len, waiting)) >= ROW_GROUP:
                file.add(dataset, _joined(waiting))
                waiting = []
        if waiting:
            file.add(dataset, _joined(waiting))
        return file.finish(written)


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="default")
