"""`ParquetStore`: questions asked of segments and of what writers have not flushed yet."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from soc.fields import type_of
from soc.model import Event
from soc.query import (
    Aggregation,
    Bucket,
    Cardinality,
    DateHistogram,
    Filter,
    Found,
    Query,
    TermsOf,
)
from soc.store.catalog import Catalog, Segment, Snapshot
from soc.store.hot import Frame, HotReader
from soc.store.leaves import kind_of
from soc.store.names import EXTRA, LIST, column_of, field_of, type_of_column
from soc.store.sql import Scan, as_number, quoted


class ParquetStore:
    """The reader's side; any number of them, in any process, beside any number of writers."""

    def __init__(self, folder: Path, threads: int = 2, memory_mb: int = 512) -> None:
        self._folder = Path(folder)
        self._catalog = Catalog(self._folder)
        self._lock = threading.Lock()
        self._hot: dict[str, HotReader] = {}
        self._db = duckdb.connect(config={"threads": threads, "memory_limit": f"{memory_mb}MB"})
        self._db.execute("set parquet_metadata_cache = true")
        self._db.execute("set temp_directory = ''")

    def close(self) -> None:
        self._db.close()
        self._catalog.close()

    # ---- what there is

    def _now(self) -> tuple[Snapshot, list[Frame]]:
        """One consistent moment: segments, and the hot events that are in none of them."""
        with self._lock:
            for _ in range(10):
                snapshot = self._catalog.snapshot()
                frames = self._frames(snapshot)
                if frames is not None:
                    return snapshot, frames
        return snapshot, []

    def _frames(self, snapshot: Snapshot) -> list[Frame] | None:
        """None if a hot file was flushed since the snapshot."""
        readers = {}
        for name in snapshot.hot:
            reader = self._hot.get(name) or HotReader(self._folder / "hot" / name)
            try:
                reader.refresh()
            except FileNotFoundError:
                if self._catalog.snapshot().hot != snapshot.hot:
                    return None
                continue
            readers[name] = reader
        self._hot = readers
        return [frame for reader in readers.values() for frame in reader.frames]

    # ---- questions

    def search(self, query: Query, deadline_secs: float | None = None) -> Found:
        snapshot, frames = self._now()
        scan = self._scan(snapshot.segments, frames)
        where = [scan.where(query.where), *self._times(scan, query.since, query.until)]
        time, id_ = scan.column("@timestamp"), scan.column("event.id")
        if query.after is not None:
            a, b = scan.bind(query.after[0]), scan.bind(query.after[1])
            where.append(f"({time}, {id_}) {'>' if query.oldest_first else '<'} ({a}, {b})")
        names = list(query.fields) if query.fields is not None else sorted({field_of(c) for c in scan.available if c != EXTRA})
        wanted = [c for name in names if (base := column_of(name)) for c in (base, LIST + base) if c in scan.available]
        if EXTRA in scan.available:
            wanted.append(EXTRA)
        aliases = [scan.column(c) for c in wanted]
        order = "asc" if query.oldest_first else "desc"
        rows = self._run(scan, snapshot.segments, frames,
            f"select {', '.join([time, id_, *aliases])} from {{source}} where {' and '.join(where)} "
            f"order by {time} {order}, {id_} {order} limit {query.limit + 1}")
        page = rows[: query.limit]
        events = [_event(wanted, row[2:], None if query.fields is None else set(query.fields)) for row in page]
        return Found(events, (page[-1][0], page[-1][1]) if len(rows) > query.limit and page else None)

    def count(self, where: Filter, since: int | None = None, until: int | None = None) -> int:
        snapshot, frames = self._now()
        scan = self._scan(snapshot.segments, frames)
        tests = [scan.where(where), *self._times(scan, since, until)]
        return int(self._run(scan, snapshot.segments, frames, f"select count(*) from {{source}} where {' and '.join(tests)}")[0][0])

    def aggregate(
        self, where: Filter, aggregations: Mapping[str, Aggregation], since: int | None = None, until: int | None = None,
        deadline_secs: float | None = None,
    ) -> dict[str, list[Bucket] | float | None]:
        snapshot, frames = self._now()
        return {name: self._aggregate(snapshot, frames, where, a, since, until) for name, a in aggregations.items()}

    def _aggregate(self, snapshot: Snapshot, frames: list[Frame], where: Filter, a: Aggregation, since: int | None, until: int | None) -> list[Bucket] | float | None:
        scan = self._scan(snapshot.segments, frames)
        test = " and ".join([scan.where(where), *self._times(scan, since, until)])
        if isinstance(a, DateHistogram):
            step = scan.bind(a.interval)
            start = f"(x0 - ((x0 % {step}) + {step}) % {step})"
            if a.by is None:
                sql = f"select {start}, count(*) from (select unnest({_values(scan, a.field)}) as x0 from {{source}} where {test}) group by 1 order by 1"
                return [Bucket((k,), n) for k, n in self._run(scan, snapshot.segments, frames, sql)]
            sql = (
                f"with e as (select {_values(scan, a.field)}[1] as x0, coalesce({_values(scan, a.by)}, [null]) as b from {{source}} where {test}), "
                f"r as (select x0, unnest(b) as y from e where x0 is not null), "
                f"t as (select y from r where y is not null group by y order by count(*) desc, cast(y as varchar) limit {a.size}) "
                f"select {start}, case when y in (select y from t) then y end as z, count(*) from r group by 1, 2 order by 1, cast(z as varchar) nulls last"
            )
            return [Bucket((k, z), n) for k, z, n in self._run(scan, snapshot.segments, frames, sql)]
        if isinstance(a, TermsOf):
            parts = [f"unnest(x{i})" for i in range(len(a.fields))]
            inner = f"select {', '.join(f'{_values(scan, f)} as x{i}' for i, f in enumerate(a.fields))} from {{source}} where {test}"
            for i in range(len(a.fields)):
                inner = f"select * replace (unnest(x{i}) as x{i}) from ({inner})"
            keys = ", ".join(f"x{i}" for i in range(len(a.fields)))
            ties = ", ".join(f"cast(x{i} as varchar)" for i in range(len(a.fields)))
            sql = f"select * from (select {keys}, count(*) as n from ({inner}) group by all) order by n desc, {ties} limit {a.size}"
            return [Bucket(tuple(row[:-1]), row[-1]) for row in self._run(scan, snapshot.segments, frames, sql)]
        if isinstance(a, Cardinality):
            sql = f"select count(distinct x) from (select unnest({_values(scan, a.field)}) as x from {{source}} where {test})"
            return float(self._run(scan, snapshot.segments, frames, sql)[0][0])
        value = as_number("x") if kind_of(a.field) == "text" else "x"
        figure = f"quantile_cont(y, {int(a.kind[1:]) / 100})" if a.kind[0] == "p" else f"{a.kind}(y)"
        sql = f"select {figure} from (select {value} as y from (select unnest({_values(scan, a.field)}) as x from {{source}} where {test}))"
        found = self._run(scan, snapshot.segments, frames, sql)[0][0]
        return None if found is None else float(found)

    def get(self, ids: Iterable[str]) -> dict[str, Event]:
        from soc.query import Terms
        wanted = tuple(ids)
        found = self.search(Query(Terms("event.id", wanted), limit=len(wanted)))
        return {str(e["event.id"]): e for e in found.events}

    def fields(self) -> dict[str, str]:
        snapshot, frames = self._now()
        names = {field_of(c) for c in self._scan(snapshot.segments, frames).available if c != EXTRA}
        return {name: type_of(name) for name in sorted(names)}

    def delete(self, where: Filter) -> int:
        raise NotImplementedError

    def retain(self, keep_days: int, max_bytes: int = 0, dry_run: bool = False, now: int | None = None) -> Mapping[str, int]:
        raise NotImplementedError

    # ---- how

    def _scan(self, segments: Sequence[Segment], frames: Sequence[Frame]) -> Scan:
        available: set[str] = set()
        for columns in {segment.columns for segment in segments}:
            available |= columns
        for frame in frames:
            available.update(frame.batch.schema.names)
        return Scan(available | {"@timestamp", "event.id"})

    def _times(self, scan: Scan, since: int | None, until: int | None) -> Iterator[str]:
        time = scan.column("@timestamp")
        if since is not None:
            yield f"{time} >= {scan.bind(since)}"
        if until is not None:
            yield f"{time} < {scan.bind(until)}"

    def _run(self, scan: Scan, segments: Sequence[Segment], frames: Sequence[Frame], sql: str) -> list[tuple]:
        cursor = self._db.cursor()
        parts = []
        groups: dict[frozenset[str], list[Segment]] = {}
        for segment in segments:
            groups.setdefault(segment.columns.intersection(scan.columns), []).append(segment)
        for i, (present, members) in enumerate(groups.items()):
            scan.values[f"files{i}"] = [str(self._folder / "segments" / m.file) for m in members]
            parts.append(f"select {_projection(scan, present)} from read_parquet($files{i})")
        table = _hot_table(scan, frames)
        cursor.register("hot", table)
        parts.append(f"select {_projection(scan, frozenset(scan.columns))} from hot")
        return cursor.execute(sql.replace("{source}", f"({' union all '.join(parts)})"), scan.values).fetchall()


def _projection(scan: Scan, present: frozenset[str]) -> str:
    return ", ".join(
        f"{quoted(column) if column in present else f'null::{_sql_type(column)}'} as {alias}" for column, alias in scan.columns.items()
    )


def _sql_type(column: str) -> str:
    if column == EXTRA:
        return "map(varchar, varchar[])"
    kind = type_of_column(column)
    if pa.types.is_list(kind):
        return _SQL[str(kind.value_type)] + "[]"
    return _SQL[str(kind)]


_SQL = {"string": "varchar", "int64": "bigint", "double": "double", "bool": "boolean"}


def _hot_table(scan: Scan, frames: Sequence[Frame]) -> pa.Table:
    schema = pa.schema([(c, type_of_column(c)) for c in scan.columns])
    tables = []
    for frame in frames:
        names = set(frame.batch.schema.names)
        n = frame.batch.num_rows
        tables.append(pa.table([frame.batch[c] if c in names else pa.nulls(n, type_of_column(c)) for c in scan.columns], schema=schema))
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _values(scan: Scan, name: str) -> str:
    """SQL of the list of distinct values of a field, null if it has none."""
    sources = [f"case when {s} is not null then [{s}] end" for s in scan.singles(name)]
    sources += [f"list_distinct({items})" for items in scan.lists(name)]
    empty = f"null::{_SQL[{'text': 'string', 'whole': 'int64', 'real': 'double', 'truth': 'bool'}[kind_of(name)]]}[]"
    return f"coalesce({', '.join([*sources, empty])})"


def _event(columns: Sequence[str], row: Sequence[object], wanted: set[str] | None) -> Event:
    event: Event = {}
    for column, value in zip(columns, row, strict=True):
        if value is None:
            continue
        if column == EXTRA:
            assert isinstance(value, dict)
            for k, v in value.items():
                if wanted is None or k in wanted:
                    event[k] = v if len(v) > 1 else v[0]
        else:
            event[field_of(column)] = value
    return event
