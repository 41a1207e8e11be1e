"""`ParquetStore`: questions asked of segments and of what writers have not flushed yet."""

# ruff: noqa: S608 - the texts put together here are our own and quoted column names; values are bound

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from soc.fields import type_of
from soc.model import Event
from soc.query import Aggregation, All, Bucket, Cardinality, Filter, Found, Query, Stat
from soc.store import upkeep
from soc.store.aggregate_sql import aggregation_sql
from soc.store.ask import NEVER, Asker, Row
from soc.store.catalog import Catalog, Segment, Snapshot
from soc.store.engine import Deadline, Late
from soc.store.hot import HotReader
from soc.store.names import EXTRA, field_of
from soc.store.pages import event_of, page_sql, parts, places_sql, time_tests, times_of, whole_sql
from soc.store.selection import Selection, datasets_of, may_hold, only, touched, without
from soc.store.sql import Scan

MOST_IDS = 500
"""Ids asked for in one go."""
LARGEST_PAGE = 100_000


class Aggregates(dict[str, "list[Bucket] | float | None"]):
    """What `aggregate` answers; `partial` says that the deadline came first, or that a segment could not be read."""

    partial: bool = False


class ParquetStore:
    """The reader's side; any number of them, in any process and thread, beside any number of writers."""

    def __init__(self, folder: Path, threads: int = 2, memory_mb: int = 512) -> None:
        self.folder = Path(folder)
        self._catalog = Catalog(self.folder)
        self._asker = Asker(self.folder, threads, memory_mb)
        self._lock = threading.RLock()
        self._hot: dict[str, HotReader] = {}

    def close(self) -> None:
        self._asker.close()
        self._catalog.close()

    # ---- questions

    def search(self, query: Query, deadline_secs: float | None = None) -> Found:
        deadline = Deadline(deadline_secs)
        query = replace(query, limit=min(max(query.limit, 0), LARGEST_PAGE))
        selection = self._select(query.where, *times_of(query))
        rows: list[Row] = []
        partial = False
        try:
            for part, bound in parts(selection, query.oldest_first):
                found, whole = self._page(part, query, deadline)
                partial = partial or not whole
                rows = sorted(rows + found, key=lambda row: row[:2], reverse=not query.oldest_first)[: query.limit + 1]
                if len(rows) > query.limit and bound is not None and _is_past(bound, rows[-1][0], query.oldest_first):
                    break
        except Late:
            partial = True
        page, more = rows[: query.limit], len(rows) > query.limit > 0
        events = [row[2] for row in page] if query.fields is not None else self._whole(selection, page)
        return Found(events, (page[-1][0], page[-1][1]) if more else None, partial)

    def count(self, where: Filter, since: int | None = None, until: int | None = None) -> int:
        selection = self._select(where, since, until)
        known = 0
        if isinstance(where, All):  # segments that lie wholly within the times were counted when they were written
            known = sum(s.rows for s in selection.segments if _is_inside(s, since, until))
            selection = Selection([s for s in selection.segments if not _is_inside(s, since, until)], selection.hot)
        rows, _ = self._asker.ask(
            selection, lambda scan: f"select count(*) from {{source}} where {_condition(scan, where, since, until)}", where
        )
        return known + int(rows[0][0])

    def aggregate(
        self, where: Filter, aggregations: Mapping[str, Aggregation], since: int | None = None, until: int | None = None,
        deadline_secs: float | None = None,
    ) -> Aggregates:
        deadline = Deadline(deadline_secs)
        selection = self._select(where, since, until)
        answers = Aggregates()
        for name, asked in aggregations.items():
            rows, whole = self._figures(selection, asked, where, since, until, deadline)
            answers[name] = _answer(asked, rows)
            answers.partial = answers.partial or not whole
        return answers

    def get(self, ids: Iterable[str]) -> dict[str, Event]:
        snapshot, hot = self._moment()
        selection = Selection(snapshot.segments, [table for _, table in hot])
        return {str(event["event.id"]): event for event in self._by_id(selection, ids, NEVER)}

    def fields(self) -> dict[str, str]:
        snapshot, hot = self._moment()
        columns = Selection(snapshot.segments, [table for _, table in hot]).available() - {EXTRA}
        return {name: type_of(name) for name in sorted(map(field_of, columns))} if snapshot.segments or hot else {}

    def stats(self) -> Mapping[str, int]:
        """For the health page: events (and of them hot), bytes, times in µs UTC (0 for none), values without a place.

        `ignored` values did not fit their field and are in soc.ignored, `extra` ones had no column left; neither is lost.
        """
        snapshot, hot = self._moment()
        waiting = sum(len(table) for _, table in hot)
        with self._lock:
            counters = self._catalog.counters()
        return {
            "segments": len(snapshot.segments), "events": sum(s.rows for s in snapshot.segments) + waiting, "hot": waiting,
            "bytes": sum(s.bytes for s in snapshot.segments),
            "oldest": min((s.since for s in snapshot.segments), default=0),
            "newest": max((s.until for s in snapshot.segments), default=0),
            "ignored": counters.get("ignored", 0), "extra": counters.get("extra", 0), "broken": len(self._asker.broken),
        }

    def broken(self) -> Mapping[str, str]:
        """Segment file -> why it cannot be read. Such segments are left out, and what was asked is partial."""
        return dict(self._asker.broken)

    # ---- upkeep

    def delete(self, where: Filter) -> int:
        """Take matching events out for good; how many. Waits for a compaction to end."""
        return upkeep.delete(self.folder, self._asker, where)

    def retain(self, keep_days: int, max_bytes: int = 0, dry_run: bool = False, now: int | None = None) -> Mapping[str, int]:
        """Age counts from when an event was stored: old logs that were read in today are not gone tomorrow."""
        return upkeep.retain(self.folder, keep_days, max_bytes, dry_run, now)

    # ---- how

    def _moment(self) -> tuple[Snapshot, list[tuple[str, pa.Table]]]:
        """One consistent moment: segments, and (dataset, hot events) that are in none of them."""
        with self._lock:
            while not self._read_hot(snapshot := self._catalog.snapshot()):
                pass  # a writer flushed just now: its events were in neither
            tables = [table for reader in self._hot.values() for table in reader.tables()]
        return snapshot, [(dataset, without(table, snapshot.tombstones)) for dataset, table in tables]

    def _read_hot(self, snapshot: Snapshot) -> bool:
        readers = {name: self._hot.get(name) or HotReader(self.folder / "hot" / name) for name in snapshot.hot}
        for reader in readers.values():
            try:
                reader.refresh()
            except FileNotFoundError:  # not begun yet, or flushed since the snapshot
                if self._catalog.snapshot() is not snapshot:
                    return False
        self._hot = readers
        return True

    def _select(self, where: Filter, since: int | None, until: int | None) -> Selection:
        snapshot, hot = self._moment()
        allowed = datasets_of(where)
        tables = [table for dataset, table in hot if may_hold((dataset,), allowed)]
        return Selection(touched(snapshot.segments, where, since, until), tables)

    def _page(self, part: Selection, query: Query, deadline: Deadline) -> tuple[list[Row], bool]:
        wanted: list[str] = []
        rows, whole = self._asker.ask(part, page_sql(query, wanted), query.where, deadline)
        return [(row[0], row[1], event_of(wanted, row[2:], query.fields)) for row in rows], whole

    def _whole(self, selection: Selection, page: Sequence[Row]) -> list[Event]:
        """The whole events of a page, fetched by id from the few segments that may have them. Not bound to the deadline:
        it is a few milliseconds, and without it the search was in vain."""
        if not page:
            return []
        first, last = min(page[0][0], page[-1][0]), max(page[0][0], page[-1][0])
        near = [s for s in selection.segments if s.since <= last and s.until >= first]
        events = self._by_id(Selection(near, selection.hot), [row[1] for row in page], NEVER)
        found = {(event["@timestamp"], event["event.id"]): event for event in events}
        return [found[row[0], row[1]] for row in page if (row[0], row[1]) in found]

    def _by_id(self, selection: Selection, ids: Iterable[str], deadline: Deadline) -> list[Event]:
        wanted = sorted(set(ids))
        events: list[Event] = []
        for start in range(0, len(wanted), MOST_IDS):
            some = wanted[start : start + MOST_IDS]
            near = self._holding(selection.segments, some, deadline)
            hot = [found for table in selection.hot if len(found := only(table, some))]  # all columns of all of them cost 0.1 s
            columns: list[str] = []
            rows, _ = self._asker.ask(Selection(near, hot), whole_sql(some, columns), deadline=deadline)
            events += [event_of(columns, row) for row in rows]
        return events

    def _holding(self, segments: Sequence[Segment], ids: Sequence[str], deadline: Deadline) -> list[Segment]:
        """The segments in which these ids are."""
        near = [s for s in segments if any(s.first_id <= id_ <= s.last_id for id_ in ids)]
        if len(near) < 3:
            return near
        rows, _ = self._asker.ask(Selection(near), places_sql(ids), deadline=deadline)
        found = {Path(row[0]).name for row in rows}
        return [s for s in near if s.file in found]

    def _figures(
        self, selection: Selection, asked: Aggregation, where: Filter, since: int | None, until: int | None, deadline: Deadline
    ) -> tuple[list[Row], bool]:
        try:
            return self._asker.ask(
                selection, lambda scan: aggregation_sql(scan, asked, _condition(scan, where, since, until)), where, deadline
            )
        except Late:
            return [], False


def _condition(scan: Scan, where: Filter, since: int | None, until: int | None) -> str:
    return scan.where(where) + time_tests(scan, since, until)


def _answer(asked: Aggregation, rows: Sequence[Row]) -> list[Bucket] | float | None:
    if isinstance(asked, Cardinality | Stat):
        figure: Any = rows[0][0] if rows else None
        return None if figure is None else float(figure)
    return [Bucket(tuple(row[:-1]), int(row[-1])) for row in rows]


def _is_past(bound: int, last: int, oldest_first: bool) -> bool:
    """Whether everything still to come lies behind the last row: nothing more can get onto the page."""
    return bound > last if oldest_first else bound < last


def _is_inside(segment: Segment, since: int | None, until: int | None) -> bool:
    return (since is None or segment.since >= since) and (until is None or segment.until < until)
