"""Field names and the columns that hold them.

DuckDB compares column names without (ASCII) case, so `Foo` and `foo` in one file would be one column to it: a name with capital
letters gets a suffix that spells out which letters they are. A scalar field that once held several values has a second column
with the prefix `[]`. Names that could be mistaken for such a column, and those beyond the limit, live in the map column `_extra`.
"""

from __future__ import annotations

import re
from functools import lru_cache

import pyarrow as pa

from soc.fields import REAL, WHOLE, catalogue

EXTRA = "_extra"
"""Column of type map<text, list<text>> for dynamic fields that have no column of their own."""
EXTRA_TYPE = pa.map_(pa.string(), pa.list_(pa.string()))
LIST = "[]"
LONGEST_NAME = 256
_CAPITALS = re.compile("[A-Z]")


@lru_cache(maxsize=20_000)
def column_of(name: str) -> str | None:
    """The column of a field's single values (of its lists, if it always holds one); None if it may only live in `_extra`."""
    if not name or len(name) > LONGEST_NAME or name[0] in "_[" or "^" in name or not name.isprintable():
        return None
    if not _CAPITALS.search(name):
        return name
    mask = sum(1 << i for i, c in enumerate(name) if "A" <= c <= "Z")
    return f"{name}^{mask:x}"


def field_of(column: str) -> str:
    """The field a column belongs to."""
    return column.removeprefix(LIST).partition("^")[0]


@lru_cache(maxsize=20_000)
def type_of_column(column: str) -> pa.DataType:
    """The Arrow type that this column has in every segment."""
    if column == EXTRA:
        return EXTRA_TYPE
    kind, listed = catalogue().get(field_of(column), ("keyword", False))
    one = _arrow(kind)
    return pa.list_(one) if listed or column.startswith(LIST) else one


def _arrow(kind: str) -> pa.DataType:
    if kind in WHOLE or kind == "date":
        return pa.int64()  # dates are µs UTC: no zone to get wrong, no year out of range, nothing to convert
    if kind in REAL:
        return pa.float64()
    return pa.bool_() if kind == "boolean" else pa.string()


@lru_cache(maxsize=20_000)
def holds_list(column: str) -> bool:
    return pa.types.is_list(type_of_column(column))


@lru_cache(maxsize=20_000)
def sql_type(column: str) -> str:
    """The column's type as DuckDB writes it."""
    if column == EXTRA:
        return "map(varchar, varchar[])"
    kind = type_of_column(column)
    if isinstance(kind, pa.ListType):
        return _SQL_TYPES[str(kind.value_type)] + "[]"
    return _SQL_TYPES[str(kind)]


_SQL_TYPES = {"string": "varchar", "int64": "bigint", "double": "double", "bool": "boolean"}
