"""Sigma correlation rules: event_count, value_count, temporal, temporal_ordered, and chains of them.

Windows slide on event time: at each event the rule looks back over its timespan, the event of exactly that age still included.
Pure functions of signals in any order; `soc.correlations` keeps the signals. From the specification (SigmaHQ, Sigma Correlation
Rules 2.1); a chain groups by the same fields on all its levels.
"""

from __future__ import annotations

import json
import operator
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from soc.contracts import Hit, Signal
from soc.errors import RuleError
from soc.model import Event, Rule

Kind = Literal["event_count", "value_count", "temporal", "temporal_ordered"]
_KINDS = ("event_count", "value_count", "temporal", "temporal_ordered")
_OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt, "eq": operator.eq, "neq": operator.ne,
}  # fmt: skip
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LONGEST = 31 * 86_400 * 1_000_000
_MOST_BASES, _MOST_FIELDS, _DEEPEST = 64, 10, 5
_EVENTS_NAMED = 100
_KEYS = frozenset({"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"})


class Base(NamedTuple):
    """A rule that is counted: its id and how its log source calls our fields."""

    id: str
    rename: Callable[[str], str]


class _Point(NamedTuple):
    """The rule holds over the window that ends here."""

    time: int
    events: tuple[str, ...]
    number: int


@dataclass(frozen=True, slots=True)
class SigmaCorrelation:
    """One correlation rule; `parts` are its bases in the order of the rule, plain rules by id or correlations."""

    rule: Rule
    kind: Kind
    parts: tuple[str | SigmaCorrelation, ...]
    own_timespan: int
    """µs."""
    conditions: tuple[tuple[str, int], ...]
    groups: Mapping[str, tuple[str, ...]]
    """Base rule -> the fields, by our names, whose values make the group."""
    values: Mapping[str, tuple[str, ...]]
    """Base rule -> the fields told apart by value_count."""
    silent: frozenset[str]

    @property
    def bases(self) -> frozenset[str]:
        return frozenset(self.groups)

    @property
    def timespan(self) -> int:
        """Of the whole chain: so far back an event may matter."""
        return self.own_timespan + max((part.timespan for part in self.parts if isinstance(part, SigmaCorrelation)), default=0)

    def signal(self, base: str, event: Event) -> Signal | None:
        group = [_text(event.get(name)) for name in self.groups[base]]
        if None in group:
            return None
        told = [_text(event.get(name)) for name in self.values.get(base, ())]
        if told and all(one is None for one in told):
            return None
        time = event.get("@timestamp")
        if not isinstance(time, int):
            return None
        return Signal(base, _joined(group), time, str(event.get("event.id", "")), _joined(told))

    def evaluate(self, signals: Sequence[Signal]) -> list[Hit]:
        hits: list[Hit] = []
        last: int | None = None
        for point in self.points(signals):
            if last is None or point.time - last > self.own_timespan:
                hits.append(Hit(point.time, point.events, point.number))
            last = point.time
        return hits

    def points(self, signals: Sequence[Signal]) -> list[_Point]:
        """Every event at which the rule holds, in order of time; a burst has many."""
        marks = [_Mark(one.time, self._place(one.base), one.value, (one.event,)) for one in signals if one.base in self._plain]
        for at, part in enumerate(self.parts):
            if isinstance(part, SigmaCorrelation):
                marks += [_Mark(point.time, at, "", point.events) for point in part.points(signals)]
        marks.sort()
        if self.kind == "temporal_ordered":
            return self._ordered(marks)
        return self._counted(marks)

    @property
    def _plain(self) -> frozenset[str]:
        return frozenset(part for part in self.parts if isinstance(part, str))

    def _place(self, base: str) -> int:
        return self.parts.index(base)

    def _counted(self, marks: Sequence[_Mark]) -> list[_Point]:
        """event_count counts marks, value_count different values, temporal different parts."""
        window: deque[_Mark] = deque()
        seen: Counter[str] = Counter()
        key = _KEYS_OF[self.kind]
        found = []
        for mark in marks:
            window.append(mark)
            seen[key(mark)] += 1
            while window[0].time < mark.time - self.own_timespan:
                old = key(window.popleft())
                seen[old] -= 1
                if not seen[old]:
                    del seen[old]
            count = len(window) if self.kind == "event_count" else len(seen)
            if all(_OPERATORS[name](count, bound) for name, bound in self.conditions):
                found.append(_Point(mark.time, _events(window), count))
        return found

    def _ordered(self, marks: Sequence[_Mark]) -> list[_Point]:
        """The latest start of a chain that has come so far, for each of its steps."""
        starts: list[int | None] = [None] * len(self.parts)
        window: deque[_Mark] = deque()
        found = []
        for mark in marks:
            window.append(mark)
            while window[0].time < mark.time - self.own_timespan:
                window.popleft()
            start = mark.time if mark.part == 0 else starts[mark.part - 1]
            if start is None:
                continue
            starts[mark.part] = start
            if mark.part == len(self.parts) - 1 and mark.time - start <= self.own_timespan:
                found.append(_Point(mark.time, _events(window), len(window)))
        return found


class _Mark(NamedTuple):
    """A part of the rule has come; at the same moment, parts come in the order of the rule."""

    time: int
    part: int
    value: str
    events: tuple[str, ...]


_KEYS_OF: Mapping[str, Callable[[_Mark], str]] = {
    "event_count": lambda _: "",
    "value_count": lambda mark: mark.value,
    "temporal": lambda mark: str(mark.part),
}


def _events(marks: Iterable[_Mark]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event for mark in marks for event in mark.events))[-_EVENTS_NAMED:]


def _text(value: object) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return None if value is None else str(value)


def _joined(values: Sequence[str | None]) -> str:
    """One text for several values; two different lists never give the same."""
    if len(values) <= 1:
        return values[0] or "" if values else ""
    return json.dumps(values, ensure_ascii=False)


# ------------------------------------------------------------------ from YAML


def build(
    document: Mapping[str, Any],
    rule: Rule,
    bases: Callable[[str], Base | SigmaCorrelation | None],
) -> SigmaCorrelation:
    """The rule of a document with a `correlation` block. `bases` finds what it counts by name or id.

    Raises RuleError naming file and key.
    """
    block = document["correlation"]
    if not isinstance(block, dict):
        raise _wrong(rule, "correlation", "is not a mapping")
    if unknown := sorted(set(map(str, block)) - _KEYS):
        raise _wrong(rule, unknown[0], f"is not known; known: {', '.join(sorted(_KEYS))}")
    kind = block.get("type")
    if kind not in _KINDS:
        raise _wrong(rule, "type", f"{kind!r} is not supported; known: {', '.join(_KINDS)}")
    names = _texts(rule, "rules", block.get("rules"), _MOST_BASES)
    if not names:
        raise _wrong(rule, "rules", "names no rule")
    fields = _texts(rule, "group-by", block.get("group-by"), _MOST_FIELDS)
    conditions, told = _condition(rule, kind, block.get("condition"), len(names))
    parts: list[str | SigmaCorrelation] = []
    groups: dict[str, tuple[str, ...]] = {}
    values: dict[str, tuple[str, ...]] = {}
    for name in names:
        found = bases(name)
        if found is None:
            raise _wrong(rule, "rules", f"there is no rule {name!r}")
        if isinstance(found, SigmaCorrelation):
            _check_chain(rule, found, fields, told)
            groups |= found.groups
            values |= found.values
            parts.append(found)
            continue
        aliases = _aliases(rule, block.get("aliases"), name)
        groups[found.id] = tuple(found.rename(aliases.get(field, field)) for field in fields)
        if told:
            values[found.id] = tuple(found.rename(aliases.get(field, field)) for field in told)
        parts.append(found.id)
    if len(set(map(_name_of, parts))) < len(parts):
        raise _wrong(rule, "rules", "names a rule twice")
    silent = frozenset[str]() if block.get("generate") is True else frozenset(one for one in parts if isinstance(one, str))
    silent = silent.union(*(one.silent for one in parts if isinstance(one, SigmaCorrelation)))
    return SigmaCorrelation(
        rule, cast(Kind, kind), tuple(parts), _timespan(rule, block.get("timespan")), conditions, groups, values, silent
    )


def _name_of(part: str | SigmaCorrelation) -> str:
    return part if isinstance(part, str) else part.rule.id


def _wrong(rule: Rule, key: str, what: str) -> RuleError:
    return RuleError(f"{rule.path}: correlation of {rule.id}: {key}: {what}")


def _texts(rule: Rule, key: str, given: object, most: int) -> tuple[str, ...]:
    listed = [given] if isinstance(given, str) else given
    if listed is None:
        return ()
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise _wrong(rule, key, "is neither a text nor a list of texts")
    if len(listed) > most:
        raise _wrong(rule, key, f"has {len(listed)} entries; at most {most}")
    return tuple(listed)


def _condition(rule: Rule, kind: str, given: object, parts: int) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
    """(comparisons, fields told apart)."""
    if kind.startswith("temporal"):
        if given is not None:
            raise _wrong(rule, "condition", f"{kind} has none: all its rules must match")
        return (("gte", parts),), ()
    if not isinstance(given, dict):
        raise _wrong(rule, "condition", "is not a mapping such as {gte: 10}")
    told = _texts(rule, "condition.field", given.get("field"), _MOST_FIELDS)
    if (kind == "value_count") != bool(told):
        raise _wrong(rule, "condition.field", "belongs to value_count, which needs it")
    found = []
    for name, bound in given.items():
        if name == "field":
            continue
        if name not in _OPERATORS:
            raise _wrong(rule, f"condition.{name}", f"is not known; known: {', '.join(_OPERATORS)}, field")
        if not isinstance(bound, int) or isinstance(bound, bool) or not 0 <= bound <= 1_000_000:
            raise _wrong(rule, f"condition.{name}", f"{bound!r} is not a whole number up to a million")
        found.append((name, bound))
    if not found:
        raise _wrong(rule, "condition", "compares with nothing")
    return tuple(found), told


def _timespan(rule: Rule, given: object) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhdw])", str(given))
    if match is None:
        raise _wrong(rule, "timespan", f"{given!r} is not a number with s, m, h, d or w, such as 10m")
    span = int(match[1]) * _UNITS[match[2]] * 1_000_000
    if span > _LONGEST:
        raise _wrong(rule, "timespan", "is longer than 31 days")
    return span


def _aliases(rule: Rule, given: object, name: str) -> dict[str, str]:
    """Alias -> field of this base rule."""
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise _wrong(rule, "aliases", "is not a mapping of aliases to {rule: field}")
    return {str(alias): str(own[name]) for alias, own in given.items() if name in own}


def _check_chain(rule: Rule, inner: SigmaCorrelation, fields: Sequence[str], told: Sequence[str]) -> None:
    if any(len(own) != len(fields) for own in inner.groups.values()):
        raise _wrong(rule, "group-by", f"{inner.rule.id} groups by other fields; a chain groups by the same on all levels")
    if told:
        raise _wrong(rule, "condition.field", "the rules of a chain have no fields to tell apart")
    depth, level = 1, [inner]
    while level:
        level = [part for one in level for part in one.parts if isinstance(part, SigmaCorrelation)]
        depth += 1
    if depth > _DEEPEST:
        raise _wrong(rule, "rules", f"a chain of more than {_DEEPEST} levels")
