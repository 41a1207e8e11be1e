"""Upkeep of segments: one process at a time, readers and writers undisturbed. Deletion by filter, and retention."""

# ruff: noqa: S608 - the texts put together here are our own and quoted column names; values are bound

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from soc.model import now as clock
from soc.query import Filter
from soc.store.ask import Asker
from soc.store.catalog import Catalog, Segment, add_segments, drop_segments
from soc.store.hot import HotReader
from soc.store.segments import SegmentFile, remove, sync_folder
from soc.store.selection import Selection, touched, without
from soc.store.sql import Scan

DAY = 86_400_000_000
GRACE_SECS = 600
"""How long a replaced file stays for the readers that are in it."""


@contextmanager
def alone(folder: Path, wait: bool = True) -> Iterator[bool]:
    """True inside when this process holds the lock of upkeep; the system lets go of it when the process dies."""
    with (folder / "upkeep.lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def replace(catalog: Catalog, old: Sequence[Segment], new: Sequence[Segment], now: int) -> bool:
    """Swap segments in one transaction; False (and the new files gone) if some old one is not there any more."""
    with catalog.transaction() as db:
        ids = {row[0] for row in db.execute("select id from segments")}
        there = all(segment.id in ids for segment in old)
        if there:
            add_segments(db, new)
            drop_segments(db, old, now)
    if not there:
        remove(catalog.folder / "segments", new)
    return there


def retain(folder: Path, keep_days: int, max_bytes: int, dry_run: bool, now: int | None) -> Mapping[str, int]:
    """Drop segments whose events were all stored longer ago, and the oldest beyond `max_bytes` (0: no limit)."""
    with alone(folder), _catalog(folder) as catalog:
        kept = sorted(catalog.snapshot().segments, key=lambda s: (s.written, s.id))
        oldest = (clock() if now is None else now) - keep_days * DAY
        gone = [s for s in kept if s.written < oldest]
        kept = [s for s in kept if s.written >= oldest]
        size = sum(s.bytes for s in kept)
        while max_bytes and size > max_bytes:
            gone.append(kept.pop(0))
            size -= gone[-1].bytes
        if not dry_run:
            with catalog.transaction() as db:
                drop_segments(db, gone, clock())
            catalog.bury(clock() - GRACE_SECS * 1_000_000)
    return {"segments": len(gone), "events": sum(s.rows for s in gone), "bytes": sum(s.bytes for s in gone)}


# ------------------------------------------------------------------ deletion


def delete(folder: Path, asker: Asker, where: Filter) -> int:
    """Take matching events out: hot ones by a tombstone that their writer heeds, stored ones by writing their segments anew."""
    with alone(folder), _catalog(folder) as catalog:
        # While this transaction is open no writer can flush: an event is hot or stored, and cannot slip from one to the other.
        with catalog.transaction() as db:
            ids = _hot_matches(catalog, asker, where)
            db.executemany("insert or ignore into tombstones values(?)", [(id_,) for id_ in set(ids)])
            segments = touched(catalog.snapshot().segments, where)
        return len(ids) + sum(_delete_in(catalog, asker, segment, where) for segment in segments)


def _hot_matches(catalog: Catalog, asker: Asker, where: Filter) -> list[str]:
    snapshot = catalog.snapshot()
    tables: list[pa.Table] = []
    for name in snapshot.hot:
        reader = HotReader(catalog.folder / "hot" / name)
        try:
            reader.refresh()
        except FileNotFoundError:
            continue
        tables += [without(table, snapshot.tombstones) for _, table in reader.tables()]
    rows, _ = asker.ask(
        Selection((), tables), lambda scan: f"select {scan.column('event.id')} from {{source}} where {scan.where(where)}", where
    )
    return [row[0] for row in rows]


def _delete_in(catalog: Catalog, asker: Asker, segment: Segment, where: Filter) -> int:
    def statement(scan: Scan) -> str:
        scan.placed = True
        return f"select row_number from {{source}} where {scan.where(where)}"

    rows, readable = asker.ask(Selection([segment]), statement, where)
    if not rows or not readable:
        return 0
    gone = {row[0] for row in rows}
    new = [] if len(gone) == segment.rows else [_rewritten(catalog.folder / "segments", segment, gone)]
    return len(gone) if replace(catalog, [segment], new, clock()) else 0


def _rewritten(folder: Path, old: Segment, gone: set[int]) -> Segment:
    """The segment without these rows, row group by row group."""
    name = f"c{time.time_ns():x}-d"
    with pq.ParquetFile(folder / old.file) as source, SegmentFile(folder, name, source.schema_arrow) as file:
        first = 0
        for index in range(source.num_row_groups):
            table = source.read_row_group(index, use_threads=False)
            left = table.filter(pa.array([first + i not in gone for i in range(len(table))], pa.bool_()))
            first += len(table)
            if len(left):
                file.add(old.datasets[index if len(old.datasets) > 1 else 0], left)
        new = file.finish(old.written)
    sync_folder(folder)
    return new


@contextmanager
def _catalog(folder: Path) -> Iterator[Catalog]:
    catalog = Catalog(folder)
    try:
        yield catalog
    finally:
        catalog.close()
