"""Filters and aggregations into DuckDB SQL. Values are bound by name, never pasted; columns are called c0, c1 … inside.

Each leaf is wrapped so that a missing field makes it false, not NULL: otherwise NOT would lose the events without the field.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from soc.query import (
    All,
    And,
    Cidr,
    Contains,
    Exists,
    Filter,
    Not,
    Or,
    Prefix,
    Range,
    Regex,
    Term,
    Terms,
    Wildcard,
)
from soc.store.leaves import NUMBER, bounds, fold, glob, kind_of, network, pattern, term
from soc.store.names import EXTRA, LIST, column_of, type_of_column

TEXT_FIELDS = ("message", "event.original")
"""What a search for bare words looks at."""
Condition = Callable[[str], str]
"""From the SQL of one value to the SQL of what is asked of it."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(slots=True)
class Scan:
    """The SQL over one selection of segments and hot events, as it is put together: columns it needs, values it binds."""

    available: Collection[str]
    """Columns that at least one of the selected files has."""
    columns: dict[str, str] = field(default_factory=dict)
    """Column -> its alias."""
    values: dict[str, object] = field(default_factory=dict)

    def column(self, name: str) -> str:
        return self.columns.setdefault(name, f"c{len(self.columns)}")

    def bind(self, value: object) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    # ---- the places a field's values may be in

    def singles(self, name: str) -> list[str]:
        """Aliases of columns with one value each."""
        column = column_of(name)
        if column is None or column not in self.available or _is_list(column):
            return []
        return [self.column(column)]

    def lists(self, name: str) -> list[str]:
        """SQL of list values."""
        column = column_of(name)
        found = []
        if column is not None:
            found = [self.column(c) for c in (column, LIST + column) if c in self.available and _is_list(c)]
        if EXTRA in self.available and kind_of(name) == "text":
            found.append(f"map_extract_value({self.column(EXTRA)}, {self.bind(name)})")
        return found

    def any(self, name: str, condition: Condition) -> str:
        """True where a value of the field meets the condition, else false."""
        tests = [condition(single) for single in self.singles(name)]
        tests += [f"len(list_filter({items}, lambda x: {condition('x')})) > 0" for items in self.lists(name)]
        return "(" + " or ".join(f"coalesce({test}, false)" for test in tests) + ")" if tests else "false"

    # ---- filters

    def where(self, tree: Filter) -> str:
        match tree:
            case All():
                return "true"
            case And(parts):
                return "(" + " and ".join(map(self.where, parts)) + ")" if parts else "true"
            case Or(parts):
                return "(" + " or ".join(map(self.where, parts)) + ")" if parts else "false"
            case Not(part):
                return f"(not {self.where(part)})"
            case Exists(name):
                return self.any(name, lambda x: f"{x} is not null")
            case Contains(None, text):
                return "(" + " or ".join(self.where(Contains(name, text)) for name in TEXT_FIELDS) + ")"
            case _:
                return self._leaf(tree)

    def _leaf(self, leaf: Filter) -> str:
        match leaf:
            case Term(name, value):
                return self._terms(name, (value,))
            case Terms(name, values):
                return self._terms(name, values)
            case Range():
                return self._range(leaf)
            case Prefix(name, text):
                return self._text(name, text, lambda x, v: f"starts_with({x}, {v})")
            case Contains(str(name), text):
                return self._text(name, text, lambda x, v: f"contains({x}, {v})")
            case Wildcard(name, text):
                return self._wildcard(name, text)
            case Regex(name, text):
                value = self.bind(pattern(text))
                return self._texts(name, lambda x: f"regexp_matches({x}, {value})")
            case Cidr(name, text):
                return self._cidr(name, text)
        raise AssertionError(leaf)

    def _terms(self, name: str, values: tuple[object, ...]) -> str:
        good = list(dict.fromkeys(v for value in values if (v := term(name, value)) is not None))  # type: ignore[arg-type]
        if not good:
            return "false"
        kind = kind_of(name)
        if kind == "text":
            lower = any(map(_has_case, good))
            bound = [self.bind(v) for v in good]
            return self.any(name, lambda x: f"{_lower(x, lower)} in ({', '.join(bound)})")
        bound = [self.bind(v) for v in good]
        return self.any(name, lambda x: f"{x} in ({', '.join(bound)})")

    def _range(self, leaf: Range) -> str:
        ready = bounds(leaf)
        if ready is None:
            return "false"
        numeric = kind_of(leaf.field) != "text"
        numbers = [(op, self.bind(v)) for op, v in ready.numbers]
        texts = [(op, self.bind(v)) for op, v in ready.texts]

        def condition(x: str) -> str:
            read = x if numeric else as_number(x)
            tests = [f"{read} {op} {v}" for op, v in numbers] + [f"lower({x}) {op} {v}" for op, v in texts]
            return "(" + " and ".join(tests or [f"{x} is not null"]) + ")"

        return self.any(leaf.field, condition)

    def _texts(self, name: str, condition: Condition) -> str:
        """A condition on the text of text, whole and truth values; others have none that two systems would write alike."""
        kind = kind_of(name)
        if kind == "real" or type_is_date(name):
            return "false"
        return self.any(name, condition if kind == "text" else lambda x: condition(f"cast({x} as varchar)"))

    def _text(self, name: str, text: str, test: Callable[[str, str], str]) -> str:
        value = self.bind(fold(text))
        return self._texts(name, lambda x: test(_lower(x, _has_case(text)), value))

    def _wildcard(self, name: str, text: str) -> str:
        value = self.bind(f"(?s){glob(text)}")
        return self._texts(name, lambda x: f"regexp_full_match(lower({x}), {value})")

    def _cidr(self, name: str, text: str) -> str:
        net = network(text)
        value = self.bind(_ipv4_pattern(net) if isinstance(net, ipaddress.IPv4Network) else "")
        return self._texts(name, lambda x: f"regexp_full_match({x}, {value})")


def type_is_date(name: str) -> bool:
    from soc.store.leaves import is_date

    return is_date(name)


def as_number(x: str) -> str:
    """SQL that reads a number from a text, NULL if it is none (or an infinite one)."""
    return (
        f"case when len({x}) <= 64 and regexp_full_match({x}, '{NUMBER}') and isfinite(try_cast({x} as double)) "
        f"then try_cast({x} as double) end"
    )


def _is_list(column: str) -> bool:
    return str(type_of_column(column)).startswith("list")


def _lower(x: str, needed: bool) -> str:
    return f"lower({x})" if needed else x


def _has_case(text: object) -> bool:
    """Whether other texts fold to this one: without letters that have case, folding may be left out."""
    return isinstance(text, str) and not (text.lower() == text.upper() == text.title())


def _ipv4_pattern(net: ipaddress.IPv4Network) -> str:
    """A regular expression for the addresses of the network in dotted form."""
    low, high = net.network_address.packed, net.broadcast_address.packed
    every = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    octets = [
        every if (a, b) == (0, 255) else "(?:" + "|".join(map(str, range(a, b + 1))) + ")" for a, b in zip(low, high, strict=True)
    ]
    return r"\.".join(octets)
