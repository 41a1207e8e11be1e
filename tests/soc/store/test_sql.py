"""SQL is put together from our own words; what people and senders give is bound or quoted. Meaning: tests/contracts."""

# ruff: noqa: E501 - tables are read by row

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.query import And, Cidr, Contains, Exists, Filter, Prefix, Range, Regex, Term, Wildcard
from soc.store.sql import Scan, as_number, quoted

EVIL = "'; drop table x; -- \" $v0 {source} \\"


@pytest.mark.parametrize("where", [
    Term("user.name", EVIL), Range("user.name", gte=EVIL), Prefix("user.name", EVIL), Contains("user.name", EVIL), Contains(None, EVIL),
    Wildcard("user.name", EVIL + "*"), Regex("user.name", "'; drop"), Term(EVIL, EVIL), Exists(EVIL), And((Term(EVIL, 1), Cidr(EVIL, "10.0.0.0/8"))),
])  # fmt: skip
def test_nothing_given_stands_in_the_text(where: Filter) -> None:
    scan = Scan({"user.name", "message", EVIL, "[]" + EVIL, "_extra"})
    text = scan.where(where)
    assert "drop" not in text
    assert "--" not in text


def test_a_field_that_occurs_nowhere_is_false() -> None:
    assert Scan(set()).where(Term("user.name", "x")) == "false"


def test_text_without_case_is_not_folded() -> None:
    assert "lower" not in Scan({"message"}).where(Contains("message", "导出 100%"))
    assert "lower" in Scan({"message"}).where(Contains("message", "导出 a"))


def test_a_map_is_asked_only_for_dynamic_fields() -> None:
    scan = Scan({"_extra"})
    assert scan.where(Exists("user.name")) == "false"
    assert "map_extract_value" in scan.where(Exists("acme.name"))


@given(st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text and text.isprintable()))
def test_any_name_can_be_quoted(name: str) -> None:
    result = duckdb.connect().execute(f"select 1 as {quoted(name)}")
    assert result.description is not None
    assert result.description[0][0] == name


@pytest.mark.parametrize(("text", "expected"), [("7", 7.0), ("-1.5e3", -1500.0), ("1e999", None), (" 5", None), ("x", None), ("nan", None)])
def test_numbers_in_texts(text: str, expected: float | None) -> None:
    assert duckdb.connect().execute(f"select {as_number('$v')}", {"v": text}).fetchall() == [(expected,)]
