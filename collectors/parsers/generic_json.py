"""Any JSON object: nested names become dotted ones, ECS names get their type, all others are text.

The last to be asked about a JSON record. Names are the sender's choice, so their number, depth and length are bounded, and those
that say what *we* know of an event (`soc.*`, `event.id`, `event.ingested`) are kept under `sender.`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from soc.contracts import Fields, RawLine
from soc.fields import REAL, TEXT, WHOLE, fit, is_list, type_of

programs = ()
dataset = "json"
logsources: dict[str, tuple[str | None, str | None, str | None]] = {}
fields = None
"""Whatever the sender sends."""
marks = ((),)

_MAX_DEPTH = 32
_MAX_FIELDS = 1_000
_MAX_NAMES = 20_000
_MAX_NAME = 256
_IGNORED = "soc.ignored"
_OURS = ("event.id", "event.ingested")


class Name:
    """One place in the tree of names that were seen: what the field is called and which Python class needs no fitting."""

    __slots__ = ("below", "kind", "name")

    def __init__(self, name: str) -> None:
        self.name = f"sender.{name}" if name in _OURS or name.startswith("soc.") else name
        self.below: dict[str, Name] = {}
        type_ = type_of(self.name)
        plain = {**dict.fromkeys(TEXT, str), **dict.fromkeys(WHOLE, int), **dict.fromkeys(REAL, float), "boolean": bool}
        self.kind: type | None = None if is_list(self.name) else plain.get(type_)


class Names:
    """The tree of names; bounded, because whoever sends the records chooses them."""

    def __init__(self) -> None:
        self.top: dict[str, Name] = {}
        self._count = 0

    def of(self, level: dict[str, Name], prefix: str, key: str) -> Name:
        made = Name(f"{prefix}.{key}"[:_MAX_NAME] if prefix else key[:_MAX_NAME])
        if self._count < _MAX_NAMES:
            self._count += 1
            level[key] = made
        return made


_names = Names()


def parse(line: RawLine) -> Fields | None:
    """A body that is one JSON object."""
    try:
        record = orjson.loads(line.body)
    except ValueError:
        return None
    return parse_json(record, line) if isinstance(record, dict) else None


def parse_json(record: dict[str, Any], _line: RawLine) -> Fields | None:
    """All its fields, flat. Names dropped for a limit stand in soc.ignored."""
    flat: Fields = {}
    _flatten(record, _names.top, "", flat, 1)
    if "@timestamp" not in flat:
        for name in ("timestamp", "time", "ts"):
            if isinstance(value := flat.get(name), str) and type(when := fit("@timestamp", value)) is int:
                flat["@timestamp"] = when
                break
    return flat


def _flatten(record: Mapping[str, Any], level: dict[str, Name], prefix: str, flat: Fields, depth: int) -> None:
    for key, value in record.items():
        place = level.get(key)
        if place is None:
            place = _names.of(level, prefix, key)
        kind = value.__class__
        if kind is place.kind:
            flat[place.name] = value
        elif kind is dict:
            if depth < _MAX_DEPTH:
                _flatten(value, place.below, place.name, flat, depth + 1)
            else:
                _ignore(flat, place.name)
        elif value is not None:
            fitted = fit(place.name, [_scalar(one) for one in value] if kind is list else value)
            if fitted is not None:
                flat[place.name] = fitted
            else:
                _ignore(flat, place.name)
        if len(flat) > _MAX_FIELDS:
            _ignore(flat, place.name)
            return


def _scalar(value: object) -> object:
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


def _ignore(flat: Fields, name: str) -> None:
    ignored = flat.setdefault(_IGNORED, [])
    if isinstance(ignored, list) and len(ignored) < 20:
        ignored.append(name)
