"""The list of what is stored: one SQLite file beside the segments, whose transactions are the store's transactions.

A segment exists when its row is committed, and a batch is flushed when its sequence is in `flushed`, which is the same
transaction: that is all there is to exactly-once. Readers take one snapshot of segments and live hot files, without a lock.
"""

# ruff: noqa: S608 - the texts put together here are our own and quoted column names; values are bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from soc.model import event_id

_SCHEMA = """
create table if not exists segments(
  id integer primary key autoincrement, file text unique, datasets text, rows int, bytes int, since int, until int,
  first_id text, last_id text, written int, columns text);
create table if not exists retired(file text primary key, at int);
create table if not exists writers(worker int primary key, generation int, hot text);
create table if not exists flushed(seq integer primary key);
create table if not exists tombstones(id text primary key) without rowid;
create table if not exists counters(name text primary key, value int) without rowid;
"""
_COLUMNS = "id, file, datasets, rows, bytes, since, until, first_id, last_id, written, columns"


@dataclass(frozen=True, slots=True)
class Segment:
    """One Parquet file of events. `id` is 0 until the catalog has given it one."""

    file: str
    datasets: tuple[str, ...]
    """`event.dataset` of its events, '' for events without; each row group holds events of one."""
    rows: int
    bytes: int
    since: int
    """µs UTC of the earliest event."""
    until: int
    """µs UTC of the latest event, inclusive."""
    first_id: str
    last_id: str
    written: int
    """µs UTC, our clock, when its oldest event was stored: the age that retention goes by."""
    columns: frozenset[str]
    id: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was stored at one moment."""

    segments: tuple[Segment, ...]
    hot: frozenset[str]
    """Names of the hot files of living writers; none of their events is in a segment of this snapshot."""
    tombstones: frozenset[str]


@lru_cache(maxsize=4096)
def _names(text: str) -> frozenset[str]:
    return frozenset(json.loads(text))


class Catalog:
    """One process's connection to the catalog. Used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "segments").mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "hot").mkdir(mode=0o700, exist_ok=True)
        self._db = sqlite3.connect(folder / "catalog.db", isolation_level=None, timeout=30, check_same_thread=False)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=full")
        self._db.executescript(_SCHEMA)
        self._known: dict[int, Segment] = {}
        self._version = -1
        self._snapshot = Snapshot((), frozenset(), frozenset())

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything or nothing; other writers wait (30 s at most), readers do not."""
        self._db.execute("begin immediate")
        self._version = -1  # data_version tells of other connections' changes only
        try:
            yield self._db
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    # ---- reading

    def snapshot(self) -> Snapshot:
        """The stored state now; cheap while nothing has changed."""
        version = self._db.execute("pragma data_version").fetchone()[0]
        if version == self._version:
            return self._snapshot
        nested = self._db.in_transaction
        if not nested:
            self._db.execute("begin")
        try:
            ids = [row[0] for row in self._db.execute("select id from segments order by id")]
            newest = max(self._known, default=0)
            for row in self._db.execute(f"select {_COLUMNS} from segments where id > ?", (newest,)):
                self._known[row[0]] = _segment(row)
            hot = frozenset(row[0] for row in self._db.execute("select hot from writers where hot is not null"))
            tombstones = self.tombstones()
        finally:
            if not nested:
                self._db.execute("commit")
        self._known = {id_: self._known[id_] for id_ in ids}
        self._snapshot = Snapshot(tuple(self._known.values()), hot, tombstones)
        self._version = version
        return self._snapshot

    def flushed(self, seqs: Iterable[int]) -> set[int]:
        """Those of the sequences that are in segments already."""
        asked = json.dumps(list(seqs))
        rows = self._db.execute("select seq from flushed where seq in (select value from json_each(?))", (asked,))
        return {row[0] for row in rows}

    def marks(self) -> set[int]:
        """All sequences that are known to be in segments."""
        return {row[0] for row in self._db.execute("select seq from flushed")}

    def tombstones(self) -> frozenset[str]:
        """Ids of hot events that were deleted before their writer flushed them."""
        return frozenset(row[0] for row in self._db.execute("select id from tombstones"))

    def counters(self) -> dict[str, int]:
        return dict(self._db.execute("select name, value from counters"))

    def retired(self) -> dict[str, int]:
        """File -> when it was replaced or dropped, µs UTC."""
        return dict(self._db.execute("select file, at from retired"))

    # ---- writing, each inside a transaction of the caller's

    def start_writer(self, worker: int) -> int:
        """A new generation for this worker; what an earlier one had not flushed is no longer seen."""
        with self.transaction() as db:
            db.execute("insert or ignore into writers values(?, 0, null)", (worker,))
            db.execute("update writers set generation = generation + 1, hot = null where worker = ?", (worker,))
            return int(db.execute("select generation from writers where worker = ?", (worker,)).fetchone()[0])

    def registered(self) -> list[tuple[int, int]]:
        """(worker, generation) of the writers whose hot files are read."""
        return [(row[0], row[1]) for row in self._db.execute("select worker, generation from writers where hot is not null")]

    def bury_writer(self, worker: int, generation: int) -> None:
        """Its hot events are seen no more; they come again from the log."""
        with self.transaction() as db:
            db.execute("update writers set hot = null where worker = ? and generation = ?", (worker, generation))

    def settle(self, below: int) -> None:
        with self.transaction() as db:
            db.execute("delete from flushed where seq < ?", (below,))
            db.execute("delete from tombstones where id < ?", (event_id(below, 0),))

    def bury(self, before: int) -> int:
        """Unlink files retired before this moment (readers may still be in younger ones); how many."""
        old = [file for file, at in self.retired().items() if at <= before]
        for file in old:
            (self.folder / "segments" / file).unlink(missing_ok=True)
        with self.transaction() as db:
            db.executemany("delete from retired where file = ?", [(file,) for file in old])
        return len(old)


def add_segments(db: sqlite3.Connection, segments: Sequence[Segment]) -> None:
    rows = [
        (s.file, json.dumps(s.datasets), s.rows, s.bytes, s.since, s.until, s.first_id, s.last_id, s.written,
         json.dumps(sorted(s.columns)))
        for s in segments
    ]
    db.executemany(f"insert into segments({_COLUMNS[4:]}) values(?,?,?,?,?,?,?,?,?,?)", rows)


def drop_segments(db: sqlite3.Connection, segments: Sequence[Segment], now: int) -> None:
    db.executemany("delete from segments where id = ?", [(s.id,) for s in segments])
    db.executemany("insert or replace into retired values(?, ?)", [(s.file, now) for s in segments])


def add_counters(db: sqlite3.Connection, counts: Mapping[str, int]) -> None:
    sql = "insert into counters values(?, ?) on conflict(name) do update set value = value + excluded.value"
    db.executemany(sql, [(name, n) for name, n in counts.items() if n])


def _segment(row: Sequence[object]) -> Segment:
    id_, file, datasets, rows, size, since, until, first_id, last_id, written, columns = row
    return Segment(
        file=str(file), datasets=tuple(json.loads(str(datasets))), rows=_int(rows), bytes=_int(size), since=_int(since),
        until=_int(until), first_id=str(first_id), last_id=str(last_id), written=_int(written),
        columns=_names(str(columns)), id=_int(id_),
    )


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
