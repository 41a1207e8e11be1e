"""Many needles, many values, one pass: hyperscan where it is installed, Aho-Corasick where it is not. Both find the same."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import accumulate, count
from operator import add
from os import urandom
from typing import Any, Protocol, TypeAlias

import ahocorasick_rs

from detections.sigma.needles import Regex
from detections.sigma.text import SEPARATOR, WITHIN, fold, fold_above_ascii
from detections.sigma.verify import ENVIRONMENT

hyperscan: Any
try:
    hyperscan = import_module("hyperscan")
except ImportError:  # an extra: wheels exist for common machines only
    hyperscan = None

MISSING = "".join(chr(1 + byte % 8) for byte in urandom(12))
"""Stands in a scan for a value that is not there. Random, so nobody can send it; no needle holds such characters."""

Hits: TypeAlias = list[tuple[int, int]]
"""(number of the value, number of the needle), the same one perhaps twice."""


def version() -> str:
    """What prepared needles depend on."""
    return f"hyperscan {hyperscan.__version__}" if hyperscan else f"aho-corasick {ahocorasick_rs.__name__}"


class Needles(Protocol):
    """Looks for prepared needles in values."""

    def find(self, values: Sequence[str]) -> Hits: ...


# ------------------------------------------------------------------ texts


def prepare_texts(needles: Sequence[str]) -> bytes:
    """What a plan keeps so that `texts` is quick; empty where nothing can be prepared."""
    if not hyperscan:
        return b""
    encoded = [one.encode("utf-8", "surrogatepass") for one in needles]
    return _dump(_compiled(encoded, [hyperscan.HS_FLAG_CASELESS] * len(needles), True))


def texts(needles: Sequence[str], prepared: bytes) -> Needles:
    """Finds folded texts; SEPARATOR at their ends stands for the ends of a value."""
    return _HyperscanTexts(needles, prepared) if hyperscan else _AhoCorasick(needles)


class _Joined:
    """Values in one text between separators, and where each ends in it."""

    def __init__(self, needles: Sequence[str]) -> None:
        self._tails = bytes(one.endswith(SEPARATOR) for one in needles)

    def join(self, values: Sequence[str]) -> tuple[str, Sequence[str]]:
        text = f"{SEPARATOR}{SEPARATOR.join(values)}{SEPARATOR}"
        if text.count(SEPARATOR) != len(values) + 1:
            values = [value.replace(SEPARATOR, WITHIN) for value in values]
            text = f"{SEPARATOR}{SEPARATOR.join(values)}{SEPARATOR}"
        return text, values

    def hits(self, found: Sequence[tuple[int, int]], lengths: Any) -> Hits:
        ends = list(map(add, accumulate(lengths), count(1)))
        tails = self._tails
        return [(bisect_left(ends, end - tails[needle]), needle) for needle, end in found]


class _HyperscanTexts(_Joined):
    def __init__(self, needles: Sequence[str], prepared: bytes) -> None:
        super().__init__(needles)
        self._database = _load(prepared or prepare_texts(needles))
        self._found: list[tuple[int, int]] = []
        append = self._found.append
        self._note = lambda number, _start, end, _flags, _context: append((number, end))

    def find(self, values: Sequence[str]) -> Hits:
        text, values = self.join(values)
        plain = text.isascii()
        if plain:
            self._database.scan(text.encode(), self._note)
        else:
            text = fold_above_ascii(text)
            self._database.scan(text.encode("utf-8", "surrogatepass"), self._note)
        if not self._found:
            return []
        if not plain:
            values = text[1:-1].split(SEPARATOR)
        hits = self.hits(self._found, (len(one if plain else one.encode("utf-8", "surrogatepass")) for one in values))
        self._found.clear()
        return hits


class _AhoCorasick(_Joined):
    def __init__(self, needles: Sequence[str]) -> None:
        super().__init__(needles)
        self._automaton = ahocorasick_rs.AhoCorasick([_whole(one) for one in needles])

    def find(self, values: Sequence[str]) -> Hits:
        text, values = self.join(values)
        found = self._automaton.find_matches_as_indexes(_whole(fold(text)), overlapping=True)
        return self.hits([(number, end) for number, _, end in found], map(len, values)) if found else []


def _whole(text: str) -> str:
    """Without halves of characters, which this library does not take."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# ------------------------------------------------------------------ regexes


def prepare_regexes(needles: Sequence[Regex]) -> bytes:
    """The same for regexes; empty where hyperscan is not there or takes one of them not."""
    if not hyperscan:
        return b""
    names = {"i": hyperscan.HS_FLAG_CASELESS, "m": hyperscan.HS_FLAG_MULTILINE, "s": hyperscan.HS_FLAG_DOTALL}
    base = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_PREFILTER | hyperscan.HS_FLAG_ALLOWEMPTY
    flags = [base | sum(names[letter] for letter in one.flags) for one in needles]
    try:
        return _dump(_compiled([one.regex.encode() for one in needles], flags, False))
    except (hyperscan.error, UnicodeEncodeError):
        return b""


def regexes(needles: Sequence[Regex], prepared: bytes) -> Needles:
    """Finds values that a regex may match: all that it does match, and perhaps more."""
    return _HyperscanRegexes(prepared, len(needles)) if prepared else _EachRegex(needles)


class _HyperscanRegexes:
    """Bytes are looked at, so a value with a letter above ASCII may match every one."""

    def __init__(self, prepared: bytes, needles: int) -> None:
        self._database = _load(prepared)
        self._all = range(needles)
        self._found: list[int] = []
        append = self._found.append
        self._note = lambda number, _start, _end, _flags, _context: append(number)

    def find(self, values: Sequence[str]) -> Hits:
        hits: Hits = []
        scan, note, found = self._database.scan, self._note, self._found
        for number, value in enumerate(values):
            if value is MISSING:
                continue
            if value.isascii():
                scan(value.encode(), note)
                if found:
                    hits += [(number, needle) for needle in found]
                    found.clear()
            else:
                hits += [(number, needle) for needle in self._all]
        return hits


class _EachRegex:
    def __init__(self, needles: Sequence[Regex]) -> None:
        self._tests: list[Callable[[str], bool]] = [ENVIRONMENT["RX"]["search", one.regex, one.flags] for one in needles]

    def find(self, values: Sequence[str]) -> Hits:
        return [
            (number, needle)
            for number, value in enumerate(values)
            if value is not MISSING
            for needle, test in enumerate(self._tests)
            if test(value)
        ]


# ------------------------------------------------------------------ hyperscan


def _compiled(expressions: list[bytes], flags: list[int], literal: bool) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    numbers = list(range(len(expressions)))
    database.compile(expressions=expressions, ids=numbers, elements=len(expressions), flags=flags, literal=literal)
    return database


def _dump(database: Any) -> bytes:
    return bytes(hyperscan.dumpb(database))


def _load(prepared: bytes) -> Any:
    database = hyperscan.loadb(prepared, hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)
    return database
