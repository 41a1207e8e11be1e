"""Which segments and hot events a question touches, and their SQL as one table.

Columns that a segment lacks become NULL of the right type here, from the catalog: DuckDB need not open every file to find out.
"""

# ruff: noqa: S608 - the texts put together here are our own and quoted column names; values are bound

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from soc.query import And, Cidr, Filter, Not, Or, Term, Terms
from soc.store.catalog import Segment
from soc.store.leaves import fold
from soc.store.names import sql_type, type_of_column
from soc.store.sql import Scan, quoted

_PLACE = ", filename as file, file_row_number as row_number"
_PLACED = ", filename = true, file_row_number = true"


@dataclass(frozen=True, slots=True)
class Selection:
    """Segments and tables of hot events that are asked together."""

    segments: Sequence[Segment]
    hot: Sequence[pa.Table] = ()

    def available(self) -> set[str]:
        """Columns that occur."""
        names = {"@timestamp", "event.id"}
        for columns in {segment.columns for segment in self.segments}:
            names |= columns
        for table in self.hot:
            names.update(table.schema.names)
        return names

    def source(self, scan: Scan, folder: Path) -> tuple[str, dict[str, pa.Table]]:
        """The SQL of all these events with the scan's columns, and the tables to register for it."""
        scan.column("@timestamp")  # so that something is selected, also by a filter whose fields occur nowhere
        groups: dict[frozenset[str], list[str]] = {}
        for segment in self.segments:
            groups.setdefault(segment.columns.intersection(scan.columns), []).append(str(folder / segment.file))
        parts = []
        for number, (present, files) in enumerate(groups.items()):
            scan.values[f"f{number}"] = files
            columns, options = (_PLACE, _PLACED) if scan.placed else ("", "")
            parts.append(f"select {_projection(scan, present)}{columns} from read_parquet($f{number}{options})")
        tables: dict[str, pa.Table] = {}
        if self.hot or not parts:
            tables["hot"] = _one_table(self.hot, scan.columns)
            parts.append(f"select {_projection(scan, scan.columns)} from hot")
        return f"({' union all '.join(parts)})", tables


def _projection(scan: Scan, present: frozenset[str] | dict[str, str]) -> str:
    def source_of(column: str) -> str:
        return quoted(column) if column in present else f"null::{sql_type(column)}"

    return ", ".join(f"{source_of(column)} as {alias}" for column, alias in scan.columns.items())


def _one_table(tables: Sequence[pa.Table], columns: dict[str, str]) -> pa.Table:
    schema = pa.schema([(column, type_of_column(column)) for column in columns])
    parts = [pa.table([_column(table, f) for f in schema], schema=schema) for table in tables]
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _column(table: pa.Table, wanted: pa.Field[Any]) -> Any:
    index = table.schema.get_field_index(wanted.name)
    return table.column(index) if index >= 0 else pa.nulls(len(table), wanted.type)


def only(table: pa.Table, ids: Sequence[str]) -> pa.Table:
    """The table's events of these ids."""
    return table.filter(pc.is_in(table["event.id"], pa.array(ids, pa.string())))


def without(table: pa.Table, ids: frozenset[str]) -> pa.Table:
    """The table without the events of these ids."""
    if not ids:
        return table
    return table.filter(pc.invert(pc.is_in(table["event.id"], pa.array(list(ids), pa.string()))))


# ------------------------------------------------------------------ pruning


def touched(
    segments: Sequence[Segment], where: Filter, since: int | None = None, until: int | None = None
) -> list[Segment]:
    """Segments in which something may match: by their times, and their datasets where the filter fixes them."""
    allowed = datasets_of(where)
    return [
        s for s in segments
        if (since is None or s.until >= since) and (until is None or s.since < until) and may_hold(s.datasets, allowed)
    ]


def may_hold(datasets: Sequence[str], allowed: frozenset[str] | None) -> bool:
    """'' stands for events of any dataset that had no room of its own."""
    return allowed is None or any(not name or fold(name) in allowed for name in datasets)


def datasets_of(tree: Filter) -> frozenset[str] | None:
    """The datasets, folded, that a matching event must be of; None if it may be any."""
    match tree:
        case Term("event.dataset", value):
            return frozenset([fold(str(value))])
        case Terms("event.dataset", values):
            return frozenset(fold(str(value)) for value in values)
        case And(parts):
            known = [found for part in parts if (found := datasets_of(part)) is not None]
            return frozenset.intersection(*known) if known else None
        case Or(parts):
            each = [datasets_of(part) for part in parts]
            return frozenset().union(*(found or () for found in each)) if None not in each else None
    return None


def ipv6_leaves(tree: Filter) -> Iterator[Cidr]:
    """The filter's IPv6 networks."""
    match tree:
        case And(parts) | Or(parts):
            for part in parts:
                yield from ipv6_leaves(part)
        case Not(part):
            yield from ipv6_leaves(part)
        case Cidr(_, network) if ":" in network:
            yield tree
