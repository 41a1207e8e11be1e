"""Values into the shape of the catalogue, nothing lost."""

# ruff: noqa: E501 - tables are read by row

import math

import pytest

from soc.model import Event
from soc.store.fitting import DATES, IGNORED, fit_one, fitted


@pytest.mark.parametrize(("kind", "value", "expected"), [
    ("long", 22, 22), ("long", "22", 22), ("long", " 22", 22), ("long", 22.0, 22),
    ("long", 22.5, None),  # would be another number
    ("long", True, None), ("long", "0x16", None), ("long", 2**63, None), ("long", "9" * 5000, None), ("long", math.nan, None),
    ("float", "1.5", 1.5), ("float", 3, 3.0), ("float", math.inf, None), ("float", "nan", None), ("float", 10**400, None),
    ("boolean", "TRUE", True), ("boolean", 1, None), ("boolean", "yes", None),
    ("date", 5, 5), ("date", "1970-01-01T00:00:01Z", 1_000_000), ("date", "5", 5), ("date", DATES[-1] + 1, None), ("date", "soon", None),
    ("keyword", "x", "x"), ("keyword", 7, "7"), ("keyword", 1.5, "1.5"), ("keyword", True, "true"), ("keyword", b"x", None),
    ("keyword", {}, None), ("keyword", "\ud800", "?"), ("ip", "not an address", "not an address"),
])  # fmt: skip
def test_one_value(kind: str, value: object, expected: object) -> None:
    got = fit_one(kind, value)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(("event", "expected"), [
    ({"tags": "a"}, {"tags": ["a"]}),
    ({"user.name": ["a"]}, {"user.name": "a"}),  # a list of one under a scalar field
    ({"user.name": ["a", "b"]}, {"user.name": ["a", "b"]}),
    ({"user.name": [], "tags": [None], "x": None}, {}),
    ({"source.port": ["22", "x"]}, {"source.port": 22, IGNORED: ["source.port=x"]}),
    ({IGNORED: "before", "source.port": "x"}, {IGNORED: ["before", "source.port=x"]}),
])  # fmt: skip
def test_a_whole_event(event: Event, expected: Event) -> None:
    assert fitted(event, "id", 5) == {"@timestamp": 5, "event.id": "id"} | expected


def test_the_event_given_is_left_as_it_is() -> None:
    event: Event = {"tags": "a", IGNORED: ["x"], "source.port": "y"}
    fitted(event)
    assert event == {"tags": "a", IGNORED: ["x"], "source.port": "y"}


def test_what_is_ignored_is_kept_in_part_however_long() -> None:
    kept = fitted({"source.port": "x" * 10_000})[IGNORED]
    assert isinstance(kept, list)
    assert len(kept[0]) == 1024
