"""How values become text, and how case is ignored. One definition, for the plan, the scan and the verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

# the very classes that re.IGNORECASE uses; it has no public name for them
_lower_of: Any = import_module("_sre").unicode_tolower
_others_of: Any = import_module("re._casefix")._EXTRA_CASES

SEPARATOR = "\x1f"
"""Between values in one scan; anchors in needles are separators too."""
WITHIN = "\x1e"
"""Between the texts of one event that a keyword looks at, and in place of a separator that a value holds."""

_ABOVE_ASCII = re.compile("[^\x00-\x7f]+")


class _Folding(dict[int, int]):
    """Simple case folding, one character to one character: the least member of the class that re.IGNORECASE would accept."""

    def __missing__(self, code: int) -> int:
        lower: int = _lower_of(code)
        self[code] = min((lower, *_others_of.get(lower, ())))
        return self[code]


_folding = _Folding()


def fold_above_ascii(text: str) -> str:
    """The text with all but its ASCII letters folded: enough for a scan that ignores ASCII case itself."""
    if text.isascii():
        return text
    return _ABOVE_ASCII.sub(lambda run: run[0].translate(_folding), text)


def fold(text: str) -> str:
    """The text as one that differs in case only would read. Keeps the number of characters."""
    return text.lower() if text.isascii() else fold_above_ascii(text).lower()


class ListValue(TypeError):
    """The field holds a list on this event: the quick path cannot decide, `evaluate` does."""


def as_text(value: Any) -> str:
    """What a rule compares with: 4688 is '4688', True is 'true'. Raises ListValue."""
    if value.__class__ is str:
        return str(value)
    if value.__class__ is list:
        raise ListValue
    return "true" if value is True else "false" if value is False else str(value)


OURS = ("event.id", "event.dataset", "soc.source", "soc.parser")
"""Texts that we add to every event: a keyword does not look at them."""


def keyword_texts(event: Mapping[str, Any]) -> list[str]:
    """What a keyword looks at: all texts of a Windows or tagged event; of any other its message and original line, if there."""
    message = event.get("message")
    if message.__class__ is str and not str(event.get("event.dataset", "")).startswith(("windows.", "sigma.")):
        original = event.get("event.original")
        return [message] if original is None else [message, str(original)]
    values = event.values()
    texts = [value for value in values if value.__class__ is str]
    for name in OURS:
        own = event.get(name)
        if own.__class__ is str:
            texts.remove(own)  # one of its like: which one is all the same
    if list in map(type, values):
        texts += [one for value in values if value.__class__ is list for one in value if one.__class__ is str]
    return texts


def keyword_text(event: Mapping[str, Any]) -> str:
    """The same in one piece."""
    return WITHIN.join(keyword_texts(event))
