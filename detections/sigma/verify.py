"""The exact verdict: generated code over values that are folded on first use.

The code of a condition reads like ``L['process.name']=='certutil.exe' and '-urlcache' in L['process.command_line']``. It is
made once, when the plan is built (`codegen`), and kept there; here is what it may call.
"""

from __future__ import annotations

import ipaddress
import types
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from os import urandom
from typing import Any, TypeAlias

from detections.sigma import frontend
from detections.sigma.ir import Node
from detections.sigma.text import ListValue, as_text, fold, keyword_text, keyword_texts

GONE = "".join(chr(0xDC80 + byte % 64) for byte in urandom(12))
"""Stands in a verdict for a field that is not there: random halves of characters, which no rule can spell and nobody can send."""

Verdict: TypeAlias = Callable[["Folded"], bool]
_BOUND = 20_000


class Folded(dict[str | None, str]):
    """Field -> its text without regard to case, made when first asked for; None -> all that keywords look at."""

    __slots__ = ("event",)

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.event = event

    def __missing__(self, field: str | None) -> str:
        if field is None:
            text = fold(keyword_text(self.event))
        else:
            value = self.event.get(field)
            text = GONE if value is None else fold(value if value.__class__ is str else as_text(value))
        self[field] = text
        return text


class _Regexes(dict[tuple[str, str, str], Callable[[str], bool]]):
    """(search | fullmatch, regex, flags) -> whether a text has it."""

    def __missing__(self, key: tuple[str, str, str]) -> Callable[[str], bool]:
        how, regex, flags = key
        method = getattr(frontend.compiled(regex, flags), how)

        def has(text: str) -> bool:
            try:
                return method(text) is not None
            except UnicodeEncodeError:  # half a character, which JSON can spell and UTF-8 cannot
                return method(text.encode("utf-8", "replace").decode()) is not None

        self[key] = has
        return has


def raw(folded: Folded, field: str) -> str:
    """The field's text as it is; GONE if it is not there."""
    value = folded.event.get(field)
    return GONE if value is None else as_text(value)


def any_raw(folded: Folded, has: Callable[[str], bool]) -> bool:
    return any(map(has, keyword_texts(folded.event)))


def any_folded(folded: Folded, has: Callable[[str], bool]) -> bool:
    return any(has(fold(text)) for text in keyword_texts(folded.event))


_addresses: dict[str, tuple[int, int]] = {}


def in_network(folded: Folded, field: str, version: int, low: int, high: int) -> bool:
    text = raw(folded, field)
    found = _addresses.get(text)
    if found is None:
        try:
            address = ipaddress.ip_address(text)
            found = address.version, int(address)
        except ValueError:
            found = 0, 0
        if len(_addresses) > _BOUND:
            _addresses.clear()
        _addresses[text] = found
    return found[0] == version and low <= found[1] <= high


def compares(folded: Folded, field: str, operator: str, number: float) -> bool:
    value = folded.event.get(field)
    if value.__class__ is list:
        raise ListValue
    if value is None or value.__class__ is bool:
        return False
    try:
        own = float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    if operator == "lt":
        return own < number
    if operator == "lte":
        return own <= number
    if operator == "gt":
        return own > number
    return own >= number if operator == "gte" else own != number


def same(folded: Folded, field: str, other: str, at_start: bool, at_end: bool) -> bool:
    """Field compared with field, without regard to case: equal, or begins, ends with, contains the other."""
    own, theirs = folded[field], folded[other]
    if own is GONE or theirs is GONE:
        return False
    if at_start and at_end:
        return theirs in own
    if at_start:
        return own.startswith(theirs)
    return own.endswith(theirs) if at_end else own == theirs


def time_part(folded: Folded, field: str, part: str, number: int) -> bool:
    """Minute, hour, day, week (ISO), month or year of a time, in UTC."""
    value = folded.event.get(field)
    if value.__class__ is list:
        raise ListValue
    try:
        if isinstance(value, int):
            when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
        else:
            when = datetime.fromisoformat(str(value))
            when = when.astimezone(UTC) if when.tzinfo else when
    except (ValueError, OverflowError):
        return False
    return bool(when.isocalendar().week == number if part == "week" else getattr(when, part) == number)


ENVIRONMENT: dict[str, Any] = {
    "M": GONE,
    "RX": _Regexes(),
    "raw": raw,
    "any_raw": any_raw,
    "any_folded": any_folded,
    "in_network": in_network,
    "compares": compares,
    "same": same,
    "time_part": time_part,
    "keyword_texts": keyword_texts,
}
"""What generated code may call."""


def verdict_of(code: types.CodeType) -> Verdict:
    """The function that code from a plan is."""
    return types.FunctionType(code, ENVIRONMENT)


def remembered(verdict: Verdict, fields: tuple[str, ...]) -> Verdict:
    """The verdict kept by the values it rests on: for conditions with a regex, whose values repeat."""
    known: dict[Any, bool] = {}

    def look(folded: Folded) -> bool:
        key = raw(folded, fields[0]) if len(fields) == 1 else tuple([raw(folded, field) for field in fields])
        found = known.get(key)
        if found is None:
            if len(known) > 1_000:
                known.clear()
            found = known[key] = bool(verdict(folded))
        return found

    return look


@cache
def function(node: Node) -> Verdict:
    """The verdict of a condition, compiled now."""
    from detections.sigma.codegen import Source

    return verdict_of(Source().code(node))
