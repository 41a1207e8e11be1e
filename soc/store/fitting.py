"""What a store keeps of an event: every value as the field catalogue wants it, and nothing lost.

A value that does not fit its field ('ssh' as a port) goes as text into `soc.ignored`, where it can still be found. This is the
exact and slow way; columns.py converts well-formed batches without it and comes here only for those that are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from soc.fields import REAL, TEXT, WHOLE, catalogue
from soc.model import Event, micros

IGNORED = "soc.ignored"
"""Own list field with 'name=value' of each value that did not fit."""
LONGEST_IGNORED = 1024
_DYNAMIC = ("keyword", False)
INT64 = range(-(2**63), 2**63)
DATES = range(-62_135_596_800_000_000, 253_402_300_800_000_000)
"""µs UTC of the years 1 to 9999."""


def fitted(event: Event, id_: str = "", received: int = 0) -> Event:
    """The event as it will be read back; `id_` and `received` (µs UTC) stand in for an id or a time that it lacks.

    None and empty lists vanish; a list of one under a scalar field becomes its value; a list of several stays a list.
    """
    out: Event = {}
    ignored: list[object] = []
    known = catalogue()
    for name, value in event.items():
        kind, listed = known.get(name, _DYNAMIC)
        if type(value) is str and not listed and kind in TEXT and value.isascii() and name.isprintable():
            out[name] = value  # most values of most events
            continue
        items = value if isinstance(value, list | tuple) else (value,)
        kept = list(_each(name, kind, items, ignored))
        if kept:
            out[name if name.isprintable() else _clean(name)] = kept if listed or len(kept) > 1 else kept[0]
    if ignored:
        before = out.get(IGNORED)
        out[IGNORED] = (before if isinstance(before, list) else []) + ignored
    if type(out.get("@timestamp")) is not int:
        out["@timestamp"] = received
    if type(out.get("event.id")) is not str:
        out["event.id"] = id_
    return out


def _each(name: str, kind: str, items: list[object] | tuple[object, ...], ignored: list[object]) -> Iterator[object]:
    for item in items:
        if item is None:
            continue
        good = fit_one(kind, item)
        if good is None:
            ignored.append(_clean(f"{name}={item}"[:LONGEST_IGNORED]))
        else:
            yield good


def fit_one(kind: str, value: object) -> str | int | float | bool | None:
    """One value as an ECS type wants it, None if it cannot be had. Whole numbers are those of 64 bits, real ones finite."""
    if kind in WHOLE or kind == "date":
        return _whole(kind, value)
    if kind in REAL:
        return _real(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def _whole(kind: str, value: object) -> int | None:
    try:
        if isinstance(value, str):
            number = micros(value) if kind == "date" and not value.lstrip("-").isdigit() else int(value[:32], 10)
        elif isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            return None
        else:
            number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if number in (DATES if kind == "date" else INT64) else None


def _real(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _clean(text: str) -> str:
    """The text with lone surrogates, which have no UTF-8, replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
