"""The field catalogue: every name has one type, in every parser, rule mapping and store.

`ecs.csv` holds the names and types of the Elastic Common Schema 9.4 (Apache-2.0); `own.csv` ours, under `soc.*`, `business.*`
and the product namespaces that ECS leaves to others (`winlog.*`, `auditd.*`, `postgresql.*` …).

A name that stands in neither is a *dynamic* field: text, always. That one sentence spares the store every clash of types that
senders could otherwise provoke; numbers in such fields can still be compared, because `Range` reads them from the text.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources

from soc.model import micros

TEXT = frozenset(
    {"keyword", "wildcard", "constant_keyword", "match_only_text", "text", "flattened", "version", "ip", "geo_point"}
)
WHOLE = frozenset({"long", "integer", "short", "byte", "unsigned_long"})
REAL = frozenset({"float", "double", "half_float", "scaled_float"})


@cache
def catalogue() -> Mapping[str, tuple[str, bool]]:
    """Name -> (ECS type, holds a list)."""
    known: dict[str, tuple[str, bool]] = {}
    for name in ("ecs.csv", "own.csv"):
        text = resources.files("soc.fields").joinpath(name).read_text(encoding="utf-8")
        for row in csv.DictReader(text.splitlines()):
            known[row["field"]] = (row["type"], row["array"] == "1")
    return known


def type_of(name: str) -> str:
    """The ECS type of a field; 'keyword' for a dynamic one."""
    return catalogue().get(name, ("keyword", False))[0]


def is_list(name: str) -> bool:
    """Whether the field always holds a list, even of one."""
    return catalogue().get(name, ("keyword", False))[1]


def fit(name: str, value: object) -> object | None:
    """The value as the catalogue wants it, or None if it cannot be had: '22' -> 22 for a port, 22 -> '22' for a dynamic field.

    Dates become µs UTC, booleans are read from 'true'/'false', lists are made where the field holds one and joined to their
    first element where it does not. For values from outside whose shape nobody promised; parsers of known formats need it not.
    """
    kind, listed = catalogue().get(name, ("keyword", False))
    if isinstance(value, list | tuple):
        fitted = [one for item in value if (one := _one(kind, item)) is not None]
        return fitted if listed or kind in TEXT else (fitted[0] if fitted else None)
    one = _one(kind, value)
    return [one] if listed and one is not None else one


def _one(kind: str, value: object) -> object | None:
    if value is None or isinstance(value, dict | list):
        return None
    try:
        if kind in WHOLE:
            return int(value) if isinstance(value, int | float) else int(str(value), 10)
        if kind in REAL:
            return float(str(value))
        if kind == "boolean":
            return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())
        if kind == "date":
            return value if type(value) is int else micros(str(value))
    except (ValueError, OverflowError):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
