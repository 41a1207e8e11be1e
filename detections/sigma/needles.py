"""What must stand in a value for a predicate to hold: texts to scan for, or the regex itself.

A needle is folded text; anchors become separators in it: SEPARATOR + 'abc' is "begins with abc". Necessary always; `exact` says
that it is sufficient too.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple, TypeAlias

from detections.sigma.codegen import LONG
from detections.sigma.ir import ONE, Predicate
from detections.sigma.text import SEPARATOR, fold

_SHORTEST = 3
_MOST = 64


class Regex(NamedTuple):
    """A regex in which no text is sure to stand; it is looked for itself."""

    regex: str
    flags: str


Key: TypeAlias = str | Regex


class Needle(NamedTuple):
    key: Key
    exact: bool


def needles_of(one: Predicate) -> tuple[Needle, ...]:
    """Any event that satisfies the predicate has at least one of these in its field; () if nothing is sure to be there."""
    if one.kind in ("is", "cased"):
        return _of_pattern(one)
    if one.kind == "re":
        return _of_regex(one)
    return ()


def _of_pattern(one: Predicate) -> tuple[Needle, ...]:
    assert isinstance(one.value, tuple)
    pattern, plain = one.value, one.kind == "is"
    at = [number for number, part in enumerate(pattern) if isinstance(part, str)]
    if not at:
        return (Needle(SEPARATOR + SEPARATOR, plain),) if not pattern and one.field is not None else ()
    longest = max(at, key=lambda number: len(pattern[number]))
    text = fold(pattern[longest])
    if not _is_clean(text):
        return ()
    if one.field is None:
        return (Needle(text, False),)
    before = SEPARATOR if longest == 0 else ""
    after = SEPARATOR if longest == len(pattern) - 1 else ""
    return (Needle(before + text + after, plain and len(at) == 1 and ONE not in pattern),)


def _of_regex(one: Predicate) -> tuple[Needle, ...]:
    assert isinstance(one.value, tuple)
    whole = Regex(*one.value)
    if one.field in LONG:  # texts of a regex occur often in a long value, the regex seldom
        return (Needle(whole, False),)
    texts = {fold(text) for text in required(whole.regex) or ()}
    if texts and all(map(_is_clean, texts)):
        return tuple(Needle(text, False) for text in sorted(texts))
    return (Needle(whole, False),) if one.field is not None else ()


def _is_clean(text: str) -> bool:
    """Whether a scan can find it: it holds none of the characters that scans use for themselves."""
    return not any(letter < "\t" or "\x1c" <= letter < " " for letter in text)


def required(regex: str) -> set[str] | None:
    """Texts one of which any match of the regex must contain, each of three letters or more; None if there are none."""
    import re._parser as parser  # type: ignore[import-not-found]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _required(parser.parse(regex))
    except Exception:  # RE2 and Python do not spell everything alike: then there is nothing sure, and the regex is looked for
        return None
    return found if found and min(map(len, found)) >= _SHORTEST and len(found) <= _MOST else None


def _required(tree: Any) -> set[str] | None:
    best: set[str] | None = None
    run = ""

    def offer(texts: set[str] | None) -> None:
        nonlocal best
        if texts and (best is None or min(map(len, texts)) > min(map(len, best))):
            best = texts

    for operator, argument in tree:
        name = str(operator)
        if name == "LITERAL":
            run += chr(argument)
            continue
        offer({run} if run else None)
        run = ""
        if name == "SUBPATTERN":
            offer(_required(argument[3]))
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and argument[0] > 0:
            offer(_required(argument[2]))
        elif name == "ATOMIC_GROUP":
            offer(_required(argument))
        elif name == "BRANCH":
            branches = [_required(branch) for branch in argument[1]]
            if all(branches):
                offer(set().union(*(branch for branch in branches if branch)))
    offer({run} if run else None)
    return best
