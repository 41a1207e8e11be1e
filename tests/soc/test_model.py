"""The nouns: times survive the way to text and back, ids sort as they arrived."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.model import RawBatch, alert_id, event_id, iso, micros, place_of

TIMES = [
    ("1970-01-01T00:00:00Z", 0),
    ("2023-11-14T22:13:20Z", 1_700_000_000_000_000),
    ("2023-11-15T06:13:20+08:00", 1_700_000_000_000_000),  # the same moment in Beijing
    ("2023-11-14 22:13:20.000001", 1_700_000_000_000_001),  # no zone: UTC
    ("1969-12-31T23:59:59.5Z", -500_000),
]


@pytest.mark.parametrize(("text", "value"), TIMES)
def test_text_to_micros(text: str, value: int) -> None:
    assert micros(text) == value


@pytest.mark.parametrize("text", ["", "yesterday", "2023-13-01", "2023-11-14T25:00:00Z"])
def test_what_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        micros(text)


@given(st.integers(-60_000_000_000_000_000, 250_000_000_000_000_000))
def test_a_time_survives_as_text(value: int) -> None:
    assert micros(iso(value)) == value


@pytest.mark.parametrize("value", [10**30, -(10**30)])
def test_a_time_outside_the_calendar_is_shown_as_its_number(value: int) -> None:
    assert iso(value) == str(value)


@given(
    st.tuples(st.integers(0, 2**40 - 1), st.integers(0, 2**16 - 1)),
    st.tuples(st.integers(0, 2**40 - 1), st.integers(0, 2**16 - 1)),
)
def test_ids_sort_as_places_do(a: tuple[int, int], b: tuple[int, int]) -> None:
    assert (event_id(*a) < event_id(*b)) == (a < b)
    assert place_of(event_id(*a)) == a


PEERS = [
    ((("192.0.2.7", 2), ("192.0.2.9", 1)), ["192.0.2.7", "192.0.2.7", "192.0.2.9"]),
    ((("192.0.2.7", 1),), ["192.0.2.7", "", ""]),  # fewer than records: the rest is unknown
    ((("192.0.2.7", 9),), ["192.0.2.7"] * 3),  # more than records
    ((), ["", "", ""]),
]


@pytest.mark.parametrize(("peers", "each"), PEERS)
def test_every_record_has_its_peer(peers: tuple[tuple[str, int], ...], each: list[str]) -> None:
    assert list(RawBatch("syslog", [b"a", b"b", b"c"], 0, peers=peers).peer_of()) == each


def test_an_alert_id_depends_on_every_part_and_their_border() -> None:
    assert alert_id("a", "b") == alert_id("a", "b")
    assert len({alert_id("a", "b"), alert_id("ab", ""), alert_id("", "ab"), alert_id("a", "c")}) == 4
