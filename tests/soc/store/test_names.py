"""Field names and their columns."""

# ruff: noqa: E501 - tables are read by row

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.store.names import EXTRA, LIST, column_of, field_of, holds_list, sql_type, type_of_column


@pytest.mark.parametrize("name", ["", "_extra", "_x", "[]tags", "a^1", "x\0", "a\nb", "\ud800", "x" * 257])
def test_names_that_may_only_live_in_the_map(name: str) -> None:
    assert column_of(name) is None


@pytest.mark.parametrize(("name", "column"), [("source.ip", "source.ip"), ("字段", "字段"), ('a"b', 'a"b'), ("Foo", "Foo^1"), ("fOO", "fOO^6")])
def test_a_column(name: str, column: str) -> None:
    assert column_of(name) == column


@given(st.lists(st.text(alphabet="aAbB.^_[]é", min_size=1, max_size=5), min_size=2, max_size=8, unique=True))
def test_no_two_fields_share_a_column_for_an_engine_that_ignores_case(names: list[str]) -> None:
    columns = [column for name in names if (column := column_of(name)) is not None]
    both = [c.lower() for c in columns] + [(LIST + c).lower() for c in columns]
    assert len(set(both)) == len(both)
    assert [field_of(c) for c in columns] == [name for name in names if column_of(name) is not None]


@pytest.mark.parametrize(("column", "kind", "sql"), [
    ("source.port", pa.int64(), "bigint"), ("@timestamp", pa.int64(), "bigint"), ("tags", pa.list_(pa.string()), "varchar[]"),
    ("[]source.port", pa.list_(pa.int64()), "bigint[]"), ("soc.sample", pa.bool_(), "boolean"), ("event.risk_score", pa.float64(), "double"),
    ("acme.x", pa.string(), "varchar"), ("[]acme.x", pa.list_(pa.string()), "varchar[]"), ("Acme^1", pa.string(), "varchar"),
])  # fmt: skip
def test_types(column: str, kind: pa.DataType, sql: str) -> None:
    assert (type_of_column(column), sql_type(column), holds_list(column)) == (kind, sql, sql.endswith("]"))


def test_the_map() -> None:
    assert sql_type(EXTRA) == "map(varchar, varchar[])"
