"""Case and text: the same classes as re.IGNORECASE, the same number of characters."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detections.sigma.text import ListValue, as_text, fold, fold_above_ascii, keyword_text, keyword_texts

LETTER = st.characters(codec="utf-8")


@given(LETTER, LETTER)
def test_two_letters_fold_alike_exactly_when_a_regex_takes_one_for_the_other(one: str, other: str) -> None:
    assert (fold(one) == fold(other)) == bool(re.fullmatch(re.escape(one), other, re.IGNORECASE))


@pytest.mark.parametrize(("one", "other", "alike"), [
    ("K", "\u212a", True),  # the kelvin sign
    ("s", "\u017f", True),  # the long s
    ("ß", "SS", False),  # one letter is never two
    ("\u0130", "i", True),
    ("Ω", "ω", True),
    ("药", "藥", False),
])  # fmt: skip
def test_odd_letters(one: str, other: str, alike: bool) -> None:
    assert (fold(one) == fold(other)) is alike is bool(re.fullmatch(re.escape(one), other, re.IGNORECASE))


@given(st.text())
def test_folding_keeps_every_place(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold_above_ascii(text)) == fold(text) == fold(fold(text))


@pytest.mark.parametrize(
    ("value", "text"), [(4688, "4688"), (True, "true"), (False, "false"), (1.5, "1.5"), ("x", "x"), ("", "")]
)
def test_values_as_rules_see_them(value: Any, text: str) -> None:
    assert as_text(value) == text


def test_a_list_is_for_the_slow_way() -> None:
    with pytest.raises(ListValue):
        as_text(["x"])


@pytest.mark.parametrize(("event", "seen"), [
    ({"message": "a", "user.name": "b"}, ["a"]),
    ({"message": "a", "event.original": "b"}, ["a", "b"]),
    ({"user.name": "b", "event.id": "1-2", "event.dataset": "x", "soc.source": "y"}, ["b"]),
    ({"event.dataset": "windows.security", "message": "a", "user.name": "b", "source.port": 7}, ["a", "b"]),
    ({"event.dataset": "sigma.-.aws.-", "message": "a", "x": "sigma.-.aws.-"}, ["a", "sigma.-.aws.-"]),  # once ours, once theirs
    ({"user.name": "b", "tags": ["c", 4, "d"]}, ["b", "c", "d"]),
    ({}, []),
])  # fmt: skip
def test_what_keywords_look_at(event: dict[str, Any], seen: list[str]) -> None:
    assert sorted(keyword_texts(event)) == seen
    assert keyword_text(event).count("\x1e") == max(len(seen) - 1, 0)
