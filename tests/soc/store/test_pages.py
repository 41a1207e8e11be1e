"""Pages of events."""

# ruff: noqa: E501 - tables are read by row

import pytest

from soc.query import Query
from soc.store.pages import columns_for, event_of, parts, times_of
from soc.store.selection import Selection
from soc.store.sql import Scan
from tests.soc.store.worlds import a_segment


@pytest.mark.parametrize(("query", "expected"), [
    (Query(since=1, until=9), (1, 9)), (Query(since=1, until=9, after=(5, "x")), (1, 6)), (Query(after=(5, "x")), (None, 6)),
    (Query(since=1, until=4, after=(5, "x")), (1, 4)), (Query(since=1, after=(5, "x"), oldest_first=True), (5, None)),
])  # fmt: skip
def test_times_left_to_see(query: Query, expected: tuple[int | None, int | None]) -> None:
    assert times_of(query) == expected


@pytest.mark.parametrize(("oldest_first", "expected"), [
    (False, [(["d", "c"], 20), (["b", "a"], None)]),
    (True, [(["a", "b"], 15), (["c", "d"], None)]),
])  # fmt: skip
def test_portions_come_nearest_first_with_what_may_still_come(
    monkeypatch: pytest.MonkeyPatch, oldest_first: bool, expected: list[tuple[list[str], int | None]]
) -> None:
    monkeypatch.setattr("soc.store.pages.MOST_FILES", 2)
    segments = [a_segment("b", 10, 20), a_segment("d", 30, 40), a_segment("a", 0, 10), a_segment("c", 15, 35)]
    assert [([s.file for s in part.segments], bound) for part, bound in parts(Selection(segments), oldest_first)] == expected


def test_nothing_is_one_portion_of_nothing() -> None:
    assert list(parts(Selection([]), False)) == []


@pytest.mark.parametrize(("fields", "expected"), [
    (("user.name", "nowhere"), ["user.name"]), (("acme.x",), ["acme.x", "[]acme.x", "_extra"]), (("Foo",), ["Foo^1", "_extra"]), ((), []),
    (("_odd",), ["_extra"]),
])  # fmt: skip
def test_columns_in_which_fields_may_be(fields: tuple[str, ...], expected: list[str]) -> None:
    found = columns_for(fields, Scan({"user.name", "acme.x", "[]acme.x", "Foo^1", "_extra"}))
    assert [c for c in found if c != "_extra" or "nowhere" not in fields] == expected


def test_cells_back_into_an_event() -> None:
    columns = ["Foo^1", "[]acme.x", "tags", "source.port", "_extra"]
    assert event_of(columns, ("1", ["a", "b"], ["t"], None, {"k": ["v"], "l": ["1", "2"]})) == {
        "Foo": "1", "acme.x": ["a", "b"], "tags": ["t"], "k": "v", "l": ["1", "2"],
    }  # fmt: skip
    assert event_of(["_extra"], ({"k": ["v"], "l": ["1"]},), ("l",)) == {"l": "1"}
