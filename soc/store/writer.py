"""`ParquetWriter`: a worker's way into the Parquet store.

append -> Arrow batches per dataset, seen at once through a hot file -> flush: files, fsync, rename, fsync, one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from soc.errors import Conflict
from soc.model import Event, event_id
from soc.model import now as clock
from soc.store.catalog import Catalog, Segment, add_counters, add_segments
from soc.store.columns import Columns
from soc.store.fitting import DATES, fitted
from soc.store.hot import Alive, Frame, HotFile, frames_of, is_alive
from soc.store.segments import remove, sync_folder, write_segment
from soc.store.selection import without

OWN_FILE_ROWS = 2000
"""A dataset with fewer rows in a flush shares a file with the other small ones."""
DATASETS = 64
"""More datasets than this between two flushes are kept under '' (a sender may invent a new one for every event)."""


class ParquetWriter:
    """One per worker number; a second one with the same number takes over, and the first can flush no more."""

    def __init__(self, folder: Path, worker: int = 0, dynamic_limit: int = 1000, now: Callable[[], int] = clock) -> None:
        self._folder = Path(folder)
        self._worker = worker
        self._now = now
        self._limit = dynamic_limit
        self._catalog = Catalog(self._folder)
        self._generation = self._catalog.start_writer(worker)
        self._columns: dict[str, Columns] = {}
        self._datasets: set[str] = set()
        self._pending: list[Frame] = []
        self._seqs: set[int] = set()
        self._waiting = 0
        self._files = 0
        self._closed = False
        self._clean()
        self._alive = Alive(self._sign(worker, self._generation))
        self._hot = self._next_hot()
        with self._catalog.transaction() as db:
            db.execute("update writers set hot = ? where worker = ?", (self._hot.path.name, worker))
        self._marks = self._catalog.marks()

    # ---- the contract

    def append(self, seq: int, events: Sequence[Event]) -> None:
        """Searchable at once by other processes, durable after `flush`. A sequence stored or waiting already is left out."""
        if seq in self._marks or seq in self._seqs:
            return
        groups = self._grouped(seq, events)
        batches = [(dataset, batch) for dataset, group in groups.items() for batch in self._columns[dataset].convert(group)]
        self._seqs.add(seq)
        if batches:
            self._hot.append(frames_of(seq, batches))
        self._pending += [Frame(seq, dataset, batch) for dataset, batch in batches]
        self._waiting += len(events)

    def flush(self) -> None:
        """Make everything appended durable, all of it or, after a crash, none.

        Raises OSError when the disk does not let us (all of it is still waiting), Conflict if another writer took over.
        """
        if not self._seqs:
            return
        self._files += 1
        hot = self._next_hot()
        try:
            while not self._flushed_to(hot):
                pass  # somebody deleted waiting events while they were written
        except sqlite3.OperationalError as error:  # a full disk, as SQLite says it
            raise OSError(f"catalog of the store: {error}") from error
        self._marks |= self._seqs
        self._columns = {name: columns for name, columns in self._columns.items() if name in self._datasets}
        self._datasets = set()
        self._seqs, self._pending, self._waiting = set(), [], 0
        self._hot.remove()
        self._hot = hot
        for columns in self._columns.values():
            columns.forget()
        pa.default_memory_pool().release_unused()  # 90 MB a worker at 50,000 events of 1.8 kB

    def _flushed_to(self, hot: HotFile) -> bool:
        stored = self._catalog.flushed(self._seqs)  # by another worker, when their number has changed
        tombstones = self._catalog.tombstones()
        segments = self._write([frame for frame in self._pending if frame.seq not in stored], tombstones)
        try:
            done = self._commit(segments, hot, tombstones)
        except BaseException:
            remove(self._folder / "segments", segments)
            raise
        if not done:
            remove(self._folder / "segments", segments)
        return done

    @property
    def waiting(self) -> int:
        """Events appended and not yet flushed."""
        return self._waiting

    @property
    def hot_failure(self) -> str | None:
        """Why events are not seen before their flush at the moment, for the health page; None when all is well."""
        return self._hot.failed

    def settle(self, below: int) -> None:
        """Cursors have passed this sequence: marks kept to recognise a replay may go."""
        with suppress(sqlite3.OperationalError):  # the disk is full: the marks do no harm, a later call removes them
            self._catalog.settle(below)
        self._marks = {seq for seq in self._marks if seq >= below}

    def close(self) -> None:
        """Flush and let go."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            self._alive.end()
            self._catalog.close()

    # ---- how

    def _grouped(self, seq: int, events: Sequence[Event]) -> dict[str, list[Event]]:
        groups: dict[str, list[Event]] = {}
        for index, event in enumerate(events):
            time = event.get("@timestamp")
            if type(time) is not int or time not in DATES or type(event.get("event.id")) is not str:
                event = fitted(event, event_id(seq, index), self._now())
            dataset = event.get("event.dataset")
            if type(dataset) is not str or (dataset not in self._datasets and len(self._datasets) >= DATASETS):
                dataset = ""
            group = groups.get(dataset)
            if group is None:
                group = groups[dataset] = []
                self._datasets.add(dataset)
                self._columns.setdefault(dataset, Columns(self._limit))
            group.append(event)
        return groups

    def _write(self, frames: Sequence[Frame], tombstones: frozenset[str]) -> list[Segment]:
        by_dataset: dict[str, list[pa.Table]] = {}
        for frame in frames:
            by_dataset.setdefault(frame.dataset, []).append(without(pa.Table.from_batches([frame.batch]), tombstones))
        tables = {name: _filled(pa.concat_tables(parts, promote_options="default")) for name, parts in by_dataset.items()}
        own = {name: table for name, table in tables.items() if len(table) >= OWN_FILE_ROWS}
        small = [(name, table) for name, table in tables.items() if name not in own and len(table)]
        folder = self._folder / "segments"
        segments: list[Segment] = []
        try:
            for number, groups in enumerate([[item] for item in own.items()] + ([small] if small else [])):
                name = f"w{self._worker}-{self._generation}-{self._files}-{number}"
                segments.append(write_segment(folder, name, groups, self._now()))
            sync_folder(folder)
        except BaseException:
            remove(folder, segments)
            raise
        return segments

    def _commit(self, segments: Sequence[Segment], hot: HotFile, tombstones: frozenset[str]) -> bool:
        """False if the tombstones have changed since the files were written."""
        with self._catalog.transaction() as db:
            if self._catalog.tombstones() != tombstones:
                return False
            mine = db.execute(
                "update writers set hot = ? where worker = ? and generation = ?",
                (hot.path.name, self._worker, self._generation),
            )
            if mine.rowcount != 1:
                raise Conflict(f"store: another writer took over as worker {self._worker}")
            add_segments(db, segments)
            db.executemany("insert or ignore into flushed values(?)", [(seq,) for seq in self._seqs])
            add_counters(db, self._counts())
        return True

    def _counts(self) -> dict[str, int]:
        counts = {
            "ignored": sum(c.ignored for c in self._columns.values()),
            "extra": sum(c.extra for c in self._columns.values()),
        }
        for columns in self._columns.values():
            columns.ignored = columns.extra = 0
        return counts

    def _next_hot(self) -> HotFile:
        return HotFile(self._folder / "hot" / f"w{self._worker}-{self._generation}-{self._files}.hot")

    def _sign(self, worker: int, generation: int) -> Path:
        return self._folder / "hot" / f"w{worker}-{generation}.alive"

    def _clean(self) -> None:
        """Remove what earlier generations of this worker left: hot files, unfinished files, files nobody committed.

        Also the hot events of other workers that are dead: where there are fewer workers now, theirs come to us from the log.
        """
        for worker, generation in self._catalog.registered():
            if not is_alive(self._sign(worker, generation)):
                self._catalog.bury_writer(worker, generation)
                for path in (self._folder / "hot").glob(f"w{worker}-{generation}*"):
                    path.unlink(missing_ok=True)
        mine = f"w{self._worker}-"
        for path in (self._folder / "hot").glob(mine + "*"):
            path.unlink(missing_ok=True)
        known = {segment.file for segment in self._catalog.snapshot().segments} | self._catalog.retired().keys()
        for path in (self._folder / "segments").glob(mine + "*"):
            if path.name not in known:
                path.unlink(missing_ok=True)


def _filled(table: pa.Table) -> pa.Table:
    """The table without columns in which there is nothing."""
    return table.select([i for i, column in enumerate(table.columns) if column.null_count < len(table)])
