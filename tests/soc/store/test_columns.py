"""Events into Arrow: everything that goes in comes out, by the quick way and the slow one alike."""

# ruff: noqa: E501 - tables are read by row

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.model import Event
from soc.store.columns import WIDE, Columns
from soc.store.fitting import fitted
from soc.store.names import EXTRA
from soc.store.pages import event_of

BASE: Event = {"@timestamp": 1, "event.id": "x"}


def back(batches: list[pa.RecordBatch]) -> list[Event]:
    """In the order of their ids."""
    found = []
    for batch in batches:
        rows = [tuple(dict(v) if n == EXTRA and v else v for n, v in row.items()) for row in batch.to_pylist()]
        found += [event_of(batch.schema.names, row) for row in rows]
    return sorted(found, key=lambda event: str(event["event.id"]))


_NAMES = st.sampled_from(["a", "A", "a.b", "_x", "tags", "source.port", "event.risk_score", "soc.sample", "event.created", "soc.ignored"])
_ONE = st.text(max_size=3) | st.integers() | st.floats() | st.booleans() | st.none() | st.sampled_from(["\ud800", "22", "true", "1.5"])
_EVENTS = st.lists(st.dictionaries(_NAMES, _ONE | st.lists(_ONE, max_size=3), max_size=6), max_size=6)


@given(batches=st.lists(_EVENTS, min_size=1, max_size=4), limit=st.integers(0, 3))
def test_what_goes_in_is_what_the_fitting_says(batches: list[list[Event]], limit: int) -> None:
    columns = Columns(limit)
    for events in batches:
        given_ = [BASE | {"event.id": str(number)} | event for number, event in enumerate(events)]
        if given_:
            assert back(columns.convert(given_)) == [fitted(event) for event in given_]
        columns.forget()


def test_a_text_under_a_list_field_is_not_its_letters() -> None:
    columns = Columns()
    columns.convert([BASE | {"tags": ["one", "two"]}])
    assert back(columns.convert([BASE | {"tags": "web"}])) == [BASE | {"tags": ["web"]}]
    assert back(columns.convert([BASE | {"tags": "w"}])) == [BASE | {"tags": ["w"]}]


def test_what_did_not_fit_is_counted() -> None:
    columns = Columns(dynamic_limit=1)
    columns.convert([BASE | {"a": "1", "b": "2", "source.port": "ssh", "event.risk_score": math.nan}])
    assert (columns.ignored, columns.extra) == (2, 1)


def test_names_not_seen_between_two_flushes_are_forgotten() -> None:
    columns = Columns(dynamic_limit=2)
    columns.convert([BASE | {"old.a": "1", "old.b": "1"}])
    columns.forget()
    columns.convert([BASE])
    columns.forget()
    columns.convert([BASE | {"new.a": "1", "new.b": "1"}])
    assert columns.extra == 0  # the old ones make room


@pytest.mark.parametrize(("width", "kept"), [(10, True), (WIDE + 1, False)])
def test_empty_columns_are_kept_only_where_they_are_few(width: int, kept: bool) -> None:
    columns = Columns()
    columns.convert([BASE | {f"n{i}": "1" for i in range(width)}])
    assert ("n5" in columns.convert([BASE])[0].schema.names) is kept


def test_one_odd_event_leaves_the_others_to_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = Columns()
    plain: list[Event] = [{"@timestamp": 1, "event.id": f"{i:02}", "tags": ["a", "b"], "acme.x": "1"} for i in range(50)]
    columns.convert(plain)
    odd: Event = {"@timestamp": 1, "event.id": "99", "acme.x": ["1", "2"], "source.port": "22"}
    slow: list[int] = []
    by_hand = columns._slow

    def counted(events: list[Event]) -> pa.RecordBatch:
        slow.append(len(events))
        return by_hand(events)

    monkeypatch.setattr(columns, "_slow", counted)
    assert back(columns.convert([*plain[:20], odd, *plain[20:]])) == [*plain, odd | {"source.port": 22}]
    assert slow == [1]
