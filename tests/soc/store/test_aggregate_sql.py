"""Aggregations as SQL; what they give is in tests/contracts."""

# ruff: noqa: E501 - tables are read by row

import pytest

from soc.query import Aggregation, Cardinality, DateHistogram, Stat, TermsOf
from soc.store.aggregate_sql import aggregation_sql
from soc.store.sql import Scan


@pytest.mark.parametrize("asked", [
    DateHistogram(10), DateHistogram(10, by="user.name"), TermsOf(("user.name",), 3), Cardinality("user.name"), Stat("max", "source.port"),
])  # fmt: skip
def test_single_values_are_grouped_without_making_lists_of_them(asked: Aggregation) -> None:
    scan = Scan({"@timestamp", "user.name", "source.port"})
    text = aggregation_sql(scan, asked, "true")
    assert "unnest" not in text
    assert "{source}" in text


@pytest.mark.parametrize("asked", [DateHistogram(10, by="tags"), TermsOf(("tags",)), Cardinality("tags"), TermsOf(("user.name", "tags"))])
def test_lists_are_taken_apart(asked: Aggregation) -> None:
    assert "unnest" in aggregation_sql(Scan({"@timestamp", "tags", "user.name"}), asked, "true")


def test_sizes_are_bound() -> None:
    scan = Scan({"user.name"})
    assert "77" not in aggregation_sql(scan, TermsOf(("user.name",), 77), "true")
    assert 77 in scan.values.values()
