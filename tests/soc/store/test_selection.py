"""Which segments a question touches."""

import pyarrow as pa
import pytest

from soc.query import All, And, Cidr, Exists, Filter, Not, Or, Term, Terms
from soc.store.selection import datasets_of, ipv6_leaves, may_hold, only, touched, without
from tests.soc.store.worlds import a_segment

A, B = Term("event.dataset", "A"), Term("event.dataset", "b")
X = Exists("x")


@pytest.mark.parametrize(("where", "expected"), [
    (All(), None), (A, {"a"}), (Terms("event.dataset", ("A", "b")), {"a", "b"}), (Terms("event.dataset", ()), set()), (X, None),
    (And((A, X)), {"a"}), (And((A, B)), set()), (And((X, X)), None), (And(()), None),
    (Or((A, B)), {"a", "b"}), (Or((A, X)), None), (Or(()), set()), (Or((A, And((B, X)))), {"a", "b"}),
    (Not(A), None),  # any but this one
    (And((Not(A), B)), {"b"}),
])  # fmt: skip
def test_datasets_that_a_filter_fixes(where: Filter, expected: set[str] | None) -> None:
    assert datasets_of(where) == expected


@pytest.mark.parametrize(("datasets", "allowed", "expected"), [
    (("a",), None, True), (("A",), {"a"}, True), (("a",), {"b"}, False), (("a", "b"), {"b"}, True),
    (("",), {"a"}, True),  # events of any dataset that had no room of its own
    (("a",), set(), False),
])  # fmt: skip
def test_a_segment_may_hold(datasets: tuple[str, ...], allowed: set[str] | None, expected: bool) -> None:
    assert may_hold(datasets, None if allowed is None else frozenset(allowed)) is expected


@pytest.mark.parametrize(("since", "until", "expected"), [
    (None, None, True), (10, None, False), (9, None, True), (None, 0, False), (None, 1, True), (20, 30, False), (3, 5, True),
])  # fmt: skip
def test_times(since: int | None, until: int | None, expected: bool) -> None:
    segment = a_segment(since=0, until=9)  # both ends inclusive; a question's `until` is not
    assert (touched([segment], All(), since, until) == [segment]) is expected


def test_ipv6_networks_are_found_anywhere() -> None:
    six = Cidr("a", "::/0")
    assert list(ipv6_leaves(Or((Not(And((six,))), Cidr("a", "10.0.0.0/8"), X)))) == [six]


def test_tombstones() -> None:
    table = pa.table({"event.id": ["a", "b", "c"]})
    assert without(table, frozenset(["b", "x"]))["event.id"].to_pylist() == ["a", "c"]
    assert without(table, frozenset()) is table
    assert only(table, ["c", "x", "a"])["event.id"].to_pylist() == ["a", "c"]
