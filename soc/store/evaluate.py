"""The reference: what a filter and an aggregation mean, in Python over single events. Every other store must agree with it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import TypeAlias

from soc.errors import QueryError
from soc.model import Event
from soc.query import (
    Aggregation,
    All,
    And,
    Bucket,
    Cardinality,
    Cidr,
    Contains,
    DateHistogram,
    Exists,
    Filter,
    Not,
    Or,
    Prefix,
    Range,
    Regex,
    Stat,
    Term,
    Terms,
    TermsOf,
    Value,
    Wildcard,
)
from soc.store.leaves import (
    STATS,
    TEXT_FIELDS,
    Bound,
    bounds,
    compiled,
    compiled_glob,
    fold,
    has_text,
    kind_of,
    lies_in,
    network,
    number,
    term,
)

Test: TypeAlias = Callable[[Event], bool]
_COMPARE: dict[str, Callable[[object, object], bool]] = {
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    "<": lambda a, b: a < b,  # type: ignore[operator]
}


def matches(tree: Filter, event: Event) -> bool:
    return matcher(tree)(event)


def matcher(tree: Filter) -> Test:
    """The filter as a function. Raises QueryError for a regular expression or a network that is none."""
    match tree:
        case All():
            return lambda _: True
        case And(parts):
            every = [matcher(part) for part in parts]
            return lambda event: all(test(event) for test in every)
        case Or(parts):
            some = [matcher(part) for part in parts]
            return lambda event: any(test(event) for test in some)
        case Not(part):
            test = matcher(part)
            return lambda event: not test(event)
        case Contains(None, text):
            return matcher(Or(tuple(Contains(name, text) for name in TEXT_FIELDS)))
        case Exists(name) | Term(name) | Terms(name) | Range(name):
            return _any(name, _value_test(tree))
        case Prefix(name) | Contains(str(name)) | Wildcard(name) | Regex(name) | Cidr(name):
            on_text = _text_test(tree)
            return _any(name, lambda value: on_text(_text(value))) if has_text(name) else lambda _: False
    raise AssertionError(tree)


def _any(name: str, test: Callable[[Value], bool]) -> Test:
    return lambda event: any(test(value) for value in _values(event, name))


def _values(event: Event, name: str) -> Sequence[Value]:
    value = event.get(name)
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)  # type: ignore[return-value]


def _text(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _value_test(leaf: Filter) -> Callable[[Value], bool]:
    match leaf:
        case Term(name, value):
            return _value_test(Terms(name, (value,)))
        case Terms(name, values):
            good = {ready for value in values if (ready := term(name, value)) is not None}
            return lambda value: (fold(value) if isinstance(value, str) else value) in good
        case Range():
            return _range_test(leaf)
    return lambda _: True


def _range_test(leaf: Range) -> Callable[[Value], bool]:
    ready = bounds(leaf)
    if ready is None:
        return lambda _: False
    numeric = kind_of(leaf.field) != "text"

    def test(value: Value) -> bool:
        read = value if numeric else number(str(value))
        if ready.numbers and (read is None or not _within(read, ready.numbers)):
            return False
        return _within(fold(str(value)), ready.texts)

    return test


def _within(value: object, asked: Iterable[Bound]) -> bool:
    return all(_COMPARE[op](value, bound) for op, bound in asked)


def _text_test(leaf: Filter) -> Callable[[str], bool]:
    match leaf:
        case Prefix(_, text):
            start = fold(text)
            return lambda value: fold(value).startswith(start)
        case Contains(_, text):
            part = fold(text)
            return lambda value: part in fold(value)
        case Wildcard(_, text):
            whole = compiled_glob(text)
            return lambda value: whole.fullmatch(fold(value)) is not None
        case Regex(_, text):
            anywhere = compiled(text)
            return lambda value: anywhere.search(value) is not None
        case Cidr(_, text):
            net = network(text)
            return lambda value: lies_in(value, net)
    raise AssertionError(leaf)


# ------------------------------------------------------------------ aggregations


def check(asked: Aggregation) -> None:
    """Raises QueryError for an aggregation that nobody can compute."""
    match asked:
        case DateHistogram() if type(asked.interval) is not int or asked.interval <= 0:
            raise QueryError(f"DateHistogram: an interval of {asked.interval!r} µs is none")
        case DateHistogram() if kind_of(asked.field) != "whole":
            raise QueryError(f"DateHistogram: {asked.field} is no date")
        case TermsOf(fields) if not fields:
            raise QueryError("TermsOf: no field given")
        case Stat(kind, name) if kind not in STATS or kind_of(name) == "truth":
            raise QueryError(f"Stat: no {kind!r} of {name}; known are {', '.join(STATS)} of numbers")


def aggregated(events: Sequence[Event], asked: Aggregation) -> list[Bucket] | float | None:
    """One aggregation over these events."""
    match asked:
        case DateHistogram():
            return _histogram(events, asked)
        case TermsOf(fields, size):
            counts = Counter(key for event in events for key in _keys(event, fields))
            return [Bucket(key, n) for key, n in _top(counts, size)]
        case Cardinality(name):
            return float(len({value for event in events for value in _values(event, name)}))
        case Stat(kind, name):
            return figure(kind, list(_numbers(events, name)))


def _keys(event: Event, fields: Sequence[str]) -> Iterator[tuple[Value | None, ...]]:
    """Every combination of the fields' distinct values; none where a field is missing."""
    yield from product(*(dict.fromkeys(_values(event, name)) for name in fields))


def _top(counts: Counter[tuple[Value | None, ...]], size: int) -> list[tuple[tuple[Value | None, ...], int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], [_text(v) for v in item[0] if v is not None]))[:size]


def _histogram(events: Sequence[Event], asked: DateHistogram) -> list[Bucket]:
    counts: Counter[tuple[Value | None, ...]] = Counter()
    rows = [(start, event) for event in events if (start := _start(event, asked)) is not None]
    if asked.by is None:
        counts.update((start,) for start, _ in rows)
    else:
        split = Counter(key for _, event in rows for key in _keys(event, (asked.by,)))
        shown = {key[0] for key, _ in _top(split, asked.size)}
        for start, event in rows:
            values = dict.fromkeys(_values(event, asked.by)) or (None,)
            counts.update((start, value if value in shown else None) for value in values)
    return [Bucket(key, n) for key, n in sorted(counts.items(), key=_by_time)]


def _start(event: Event, asked: DateHistogram) -> int | None:
    times = _values(event, asked.field)
    return int(times[0]) // asked.interval * asked.interval if times else None


def _by_time(item: tuple[tuple[Value | None, ...], int]) -> tuple[int, bool, str]:
    start, *split = item[0]
    value = split[0] if split else None
    return int(start or 0), value is None, "" if value is None else _text(value)


def _numbers(events: Iterable[Event], name: str) -> Iterator[float]:
    for event in events:
        for value in _values(event, name):
            read = number(value) if isinstance(value, str) else value
            if read is not None and not isinstance(read, bool):
                yield read


def figure(kind: str, numbers: list[float]) -> float | None:
    """'sum', 'avg', 'min', 'max' or a percentile with linear interpolation; None over no numbers."""
    if not numbers:
        return None
    if kind == "sum":
        return float(sum(numbers))
    if kind == "avg":
        return sum(numbers) / len(numbers)
    if kind in ("min", "max"):
        return float(min(numbers) if kind == "min" else max(numbers))
    numbers.sort()
    place = (len(numbers) - 1) * int(kind[1:]) / 100
    low, high = numbers[math.floor(place)], numbers[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))
