"""Two scanners, one answer: what a plain search finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detections.sigma import scan
from detections.sigma.needles import Regex
from detections.sigma.text import SEPARATOR, fold

LETTERS = "aAbB.0 \x1f\x1e\\\"kK\u212a\u017fs监é\ud800"
VALUES = st.lists(st.text(LETTERS, max_size=8), min_size=1, max_size=6)
NEEDLES = st.lists(st.text("aAb.0k监s", min_size=1, max_size=3).map(fold), min_size=1, max_size=6, unique=True)
ANCHORS = st.sampled_from([("", ""), (SEPARATOR, ""), ("", SEPARATOR), (SEPARATOR, SEPARATOR)])


def plainly(needles: list[str], values: list[str]) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for at, value in enumerate(values):
        text = f"{SEPARATOR}{fold(value.replace(SEPARATOR, chr(0x1E)))}{SEPARATOR}"
        found.update((at, number) for number, needle in enumerate(needles) if needle in text)
    return found


@pytest.mark.parametrize("scanner", ["hyperscan", "aho-corasick"])
def test_texts_are_found_where_a_plain_search_finds_them(scanner: str) -> None:
    @settings(max_examples=300, deadline=None)
    @given(NEEDLES, ANCHORS, VALUES)
    def check(needles: list[str], anchors: tuple[str, str], values: list[str]) -> None:
        own = [f"{anchors[0]}{needle}{anchors[1]}" for needle in needles] + [SEPARATOR + SEPARATOR]
        finder = scan.texts(own, scan.prepare_texts(own)) if scanner == "hyperscan" else scan._AhoCorasick(own)
        assert set(finder.find(values)) == plainly(own, values)

    check()


def test_a_value_that_is_not_there_is_found_by_nothing() -> None:
    assert scan.texts([SEPARATOR + SEPARATOR, "a"], b"").find([scan.MISSING]) == []


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize(("regex", "flags", "value", "found"), [
    ("^a.c$", "", "abc", True),
    ("^a.c$", "", "ABC", False),
    ("^a.c$", "i", "ABC", True),
    ("a.c", "", "a\nc", False),
    ("a.c", "s", "a\nc", True),
    ("^c", "m", "a\nc", True),
    ("药.", "", "药品", True),
])  # fmt: skip
def test_regexes(prepared: bool, regex: str, flags: str, value: str, found: bool) -> None:
    needles = [Regex(regex, flags), Regex("never", "")]
    finder = scan.regexes(needles, scan.prepare_regexes(needles) if prepared else b"")
    got = finder.find([value, scan.MISSING])
    assert ((0, 0) in got) is found
    assert all(at == 0 for at, _ in got)
    assert value.isascii() is False or (0, 1) not in got
