import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.grouping import LONGEST, MODES, MOST_LINES, grouping, groups, mode_of, records_of
from soc.errors import ConfigError


def told(mode: str, text: bytes) -> list[list[bytes]]:
    return list(groups(text.split(b"\n"), grouping(mode)))


@pytest.mark.parametrize(
    ("mode", "text", "sizes"),
    [
        ("single", b"a\n b\nc", [1, 1, 1]),
        ("stack", b"a\n b\nc", [2, 1]),
        ("stack", b"Error\n\tat x\nCaused by: y\n\t... 3 more\nnext", [4, 1]),
        ("stack", b"2026 ERROR\nTraceback (most recent call last):\n  File\nnext", [3, 1]),
        ("stack", b"{\n  a\n}\nnext", [3, 1]),
        ("stack", b"Caused nothing\nb", [1, 1]),  # only begins like it
        ("csv", b'1,"a\nb",2\n3,c', [2, 1]),
        ("csv", b'1,"a ""quoted"" b",2\n3', [1, 1]),  # doubled quotes stay even
        ("audit", b"m audit(1.1:7): a\nm audit(1.1:7): b\nm audit(1.1:8): c", [2, 1]),
        ("audit", b"m audit(1.1:7): a\nno serial\nm audit(1.1:7): b", [1, 1, 1]),
        ("audit", b"m audit(1.1:7): a\nm audit(1.1:77): b", [1, 1]),  # a prefix is another serial
        (r"\d{4}-", b"2026-a\nmore\n2026-b", [2, 1]),
        (r"\d{4}-", b"begins in the middle\n2026-b", [1, 1]),
    ],
)
def test_lines_that_belong_together(mode: str, text: bytes, sizes: list[int]) -> None:
    assert [len(group) for group in told(mode, text)] == sizes


def test_records() -> None:
    stack, single = grouping("stack"), grouping("single")
    assert records_of([b"a", b" b", b""], stack) == [b"a\n b"]
    assert records_of([b""], stack) == []
    assert records_of([b"a", b"", b"b"], single) == [b"a", b"b"]
    assert records_of([b"x" * 2 * LONGEST], stack) == [b"x" * LONGEST]


@pytest.mark.parametrize("mode", ["stack", "csv", "audit"])
def test_a_group_without_end_is_divided(mode: str) -> None:
    line = {"stack": b" x", "csv": b"x", "audit": b"audit(1.1:1)"}[mode]
    lines = [b'"open' if mode == "csv" else line] + [line] * (3 * MOST_LINES)
    assert max(len(group) for group in groups(lines, grouping(mode))) <= MOST_LINES


def test_many_large_lines_are_divided_by_size() -> None:
    got = list(groups([b" " + b"x" * (LONGEST // 2)] * 10, grouping("stack")))
    assert max(sum(map(len, group)) for group in got) <= 2 * LONGEST


def test_formats_know_their_mode() -> None:
    assert [mode_of(name) for name in ("audit", "csvlog", "json", "text")] == ["audit", "csv", "single", "single"]


def test_a_pattern_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match=r"multiline.*'\('.*nor a regular expression"):
        grouping("(")


@given(mode=st.sampled_from(MODES), lines=st.lists(st.sampled_from([b"a", b" b", b'"', b"audit(1:2)", b"", b"}"])))
def test_no_line_is_lost_or_moved(mode: str, lines: list[bytes]) -> None:
    assert [line for group in groups(lines, grouping(mode)) for line in group] == lines
