"""A page of events: which columns it needs, its SQL, and rows back into events."""

# ruff: noqa: S608 - the texts put together here are our own and quoted column names; values are bound

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from soc.fields import catalogue
from soc.model import Event
from soc.query import Query
from soc.store.ask import Row, Statement
from soc.store.catalog import Segment
from soc.store.names import EXTRA, LIST, column_of, field_of
from soc.store.selection import Selection
from soc.store.sql import Scan

FIRST_ROWS = 200_000
MOST_FILES = 128


def times_of(query: Query) -> tuple[int | None, int | None]:
    """since and until of what is left to see, the place of the last row seen considered."""
    since, until = query.since, query.until
    if query.after is not None:
        seen = query.after[0]
        if query.oldest_first:
            since = seen if since is None else max(since, seen)
        else:
            until = seen + 1 if until is None else min(until, seen + 1)
    return since, until


def parts(selection: Selection, oldest_first: bool) -> Iterator[tuple[Selection, int | None]]:
    """The selection in portions, nearest in time first; with each the nearest time that may still come, None after the last."""
    if oldest_first:
        ordered = sorted(selection.segments, key=lambda s: s.since)
    else:
        ordered = sorted(selection.segments, key=lambda s: -s.until)
    hot, start, size = selection.hot, 0, FIRST_ROWS
    while start < len(ordered) or hot:
        end = _end(ordered, start, size)
        rest = ordered[end] if end < len(ordered) else None
        bound = None if rest is None else (rest.since if oldest_first else rest.until)
        yield Selection(ordered[start:end], hot), bound
        hot, start, size = (), end, size * 2


def _end(ordered: Sequence[Segment], start: int, rows: int) -> int:
    end = start
    while end < len(ordered) and end - start < MOST_FILES and rows > 0:
        rows -= ordered[end].rows
        end += 1
    return end


def time_tests(scan: Scan, since: int | None, until: int | None) -> str:
    """SQL that goes behind a condition."""
    time = scan.column("@timestamp")
    lower = "" if since is None else f" and {time} >= {scan.bind(since)}"
    return lower + ("" if until is None else f" and {time} < {scan.bind(until)}")


def page_sql(query: Query, wanted: list[str]) -> Statement:
    """(time, id, columns…) of the first `limit` + 1 events; the columns taken are left in `wanted`."""

    def statement(scan: Scan) -> str:
        wanted[:] = [] if query.fields is None else columns_for(query.fields, scan)
        time, id_ = scan.column("@timestamp"), scan.column("event.id")
        where = scan.where(query.where) + time_tests(scan, *times_of(query))
        sign, order = (">", "asc") if query.oldest_first else ("<", "desc")
        if query.after is not None:
            seen, last = map(scan.bind, query.after)
            where += f" and ({time} {sign} {seen} or ({time} = {seen} and {id_} {sign} {last}))"
        columns = ", ".join([time, id_, *map(scan.column, wanted)])
        limit = scan.bind(query.limit + 1)
        return f"select {columns} from {{source}} where {where} order by {time} {order}, {id_} {order} limit {limit}"

    return statement


def whole_sql(ids: Sequence[str], wanted: list[str]) -> Statement:
    """Every column of the events of these ids; the columns taken are left in `wanted`."""

    def statement(scan: Scan) -> str:
        wanted[:] = sorted(scan.available)
        columns = ", ".join(map(scan.column, wanted))
        return f"select {columns} from {{source}} where {scan.column('event.id')} in ({', '.join(map(scan.bind, ids))})"

    return statement


def places_sql(ids: Sequence[str]) -> Statement:
    """The files in which these ids are. Reads one column; `whole_sql` over every file that might have them reads all."""

    def statement(scan: Scan) -> str:
        scan.placed = True
        return f"select distinct file from {{source}} where {scan.column('event.id')} in ({', '.join(map(scan.bind, ids))})"

    return statement


def columns_for(fields: Sequence[str], scan: Scan) -> list[str]:
    """The columns in which these fields' values may be."""
    own = [column for name in fields if (column := column_of(name)) is not None]
    places = chain(own, (LIST + column for column in own))
    found = [place for place in places if place in scan.available]
    return found + ([EXTRA] if EXTRA in scan.available and any(name not in catalogue() for name in fields) else [])


def event_of(columns: Sequence[str], cells: Row, fields: Sequence[str] | None = None) -> Event:
    """The event in these cells; of `_extra` only the fields asked for."""
    event: Event = {}
    for column, value in zip(columns, cells, strict=True):
        if value is None:
            continue
        if column == EXTRA:
            event |= {k: v if len(v) > 1 else v[0] for k, v in value.items() if fields is None or k in fields}
        else:
            event[field_of(column)] = value
    return event
