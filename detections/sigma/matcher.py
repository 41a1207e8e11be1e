"""Batches of events against a plan: group by route, scan each field's values once, verify the few rules that are left.

Costs of an event, in order: its key, one look-up per field that the route looks into (values known to be harmless are not
scanned again), one scan of what is new, and the verdict of each candidate rule. Lists take a slower way and the same verdict.
"""

from __future__ import annotations

import marshal
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

from detections.mapping import CHANNEL, CODE, source_of
from detections.sigma import scan
from detections.sigma.evaluate import judge
from detections.sigma.ir import fields
from detections.sigma.needles import Regex
from detections.sigma.plan import Plan
from detections.sigma.routes import Key
from detections.sigma.text import ListValue, as_text, keyword_text
from detections.sigma.verify import Folded, Verdict, remembered, verdict_of
from soc.fields.sources import LogSource
from soc.model import Event

_Candidates = dict[int, list[int]]
"""Event number -> numbers of the route's rules, perhaps one twice."""

_Found = list[tuple[int, list[int]]]
"""(event number, numbers of rules)."""

_KNOWN_MOST = 50_000
_UNIQUE = 0.4
"""A field of which more than this share of values is new each time is scanned without remembering."""
_KEYS_MOST = 50_000
_get = dict.get
_loads: Callable[[Any], Any] = marshal.loads


class Column:
    """What a route looks for in one field."""

    def __init__(self, field: str | None, blob: Any, verdict: Callable[[int], Verdict]) -> None:
        self.field = field
        texts, self._text_rules, prepared, regexes, self._regex_rules, regexes_prepared, tested, self._absent = _loads(blob)
        self._texts = scan.texts(texts, prepared) if texts else None
        self._regexes = scan.regexes([Regex(*one) for one in regexes], regexes_prepared) if regexes else None
        self._tested = [(verdict(code), rule) for code, rule in tested]
        self._harmless: set[str] = set()
        self._telling: dict[str, tuple[int, ...]] = {}
        self._seen = self._new = 0
        self._is_unique = field is None

    def candidates(self, numbers: Sequence[int], values: list[Any], found: _Candidates) -> None:
        """Add to `found`, event by event, the rules whose trigger stands in its value."""
        texts = [value if value.__class__ is str else scan.MISSING if value is None else as_text(value) for value in values]
        if self._is_unique:
            for at, rules in self._scan(texts):
                found.setdefault(numbers[at], []).extend(rules)
            return
        telling = self._telling
        different = set(texts)
        new = [text for text in different - self._harmless if text not in telling]
        if new:
            self._learn(new)
        self._seen += len(texts)
        self._new += len(new)
        if telling and not telling.keys().isdisjoint(different):
            for number, told in zip(numbers, map(telling.get, texts), strict=True):
                if told:
                    found.setdefault(number, []).extend(told)
        if len(self._harmless) > _KNOWN_MOST or len(telling) > _KNOWN_MOST:
            self._harmless.clear()
            telling.clear()
        self._is_unique = self._seen > 2_000 and self._new > self._seen * _UNIQUE

    def candidates_of_lists(self, numbers: Sequence[int], values: list[Any], found: _Candidates) -> None:
        """The same where values may be lists: each element for itself."""
        own: list[int] = []
        texts: list[str] = []
        for number, value in zip(numbers, values, strict=True):
            for one in value if value.__class__ is list and value else (value,):
                own.append(number)
                texts.append(one if one.__class__ is str else scan.MISSING if one is None or one == [] else as_text(one))
        for at, rules in self._scan(texts):
            found.setdefault(own[at], []).extend(rules)

    def _learn(self, new: list[str]) -> None:
        telling: dict[int, set[int]] = defaultdict(set)
        for at, rules in self._scan(new):
            telling[at].update(rules)
        self._harmless.update(new)
        for at, all_rules in telling.items():
            self._harmless.discard(new[at])
            self._telling[new[at]] = tuple(all_rules)

    def _scan(self, texts: Sequence[str]) -> Iterable[tuple[int, tuple[int, ...]]]:
        """(number of the text, rules), the same one perhaps twice."""
        hits: list[tuple[int, tuple[int, ...]]] = []
        if self._texts is not None:
            rules = self._text_rules
            hits += [(at, rules[needle]) for at, needle in self._texts.find(texts)]
        if self._absent:
            hits = self._by_absence(texts, hits)
        if self._regexes is not None:
            rules = self._regex_rules
            hits += [(at, rules[needle]) for at, needle in self._regexes.find(texts)]
        for verdict, rule in self._tested:
            for at, text in enumerate(texts):
                if verdict(Folded({} if text is scan.MISSING or self.field is None else {self.field: text})):
                    hits.append((at, (rule,)))
        return hits

    def _by_absence(self, texts: Sequence[str], hits: list[tuple[int, tuple[int, ...]]]) -> list[tuple[int, tuple[int, ...]]]:
        """~rule among the finds means that a text stood there which must not: all other values are the rule's."""
        found = {(at, rule) for at, rules in hits for rule in rules if rule < 0}
        left = [(at, tuple([rule for rule in rules if rule >= 0])) for at, rules in hits] if found else hits
        for rule, must_be_there in self._absent:
            left += [
                (at, (rule,))
                for at, text in enumerate(texts)
                if (at, ~rule) not in found and not (must_be_there and text is scan.MISSING)
            ]
        return left


class RoutePlan:
    """One route, loaded: its rules, what is left to test of each, its columns when first needed."""

    def __init__(self, blob: Any, engine: Matcher) -> None:
        self.rules, self._codes, self.untriggered, self.always, columns = _loads(blob)
        self.is_dead = not self.rules and not self.always
        self.may_list = False
        """An event of this route had a list where a rule looks."""
        self._engine = engine
        self._verdicts: list[Verdict | None] = [None] * len(self._codes)
        self._unread = columns
        self._columns: list[Column] | None = None

    @property
    def columns(self) -> list[Column]:
        if self._columns is None:
            plan = self._engine.plan
            self._columns = [Column(field, plan.blob(number), self._engine.verdict) for field, number in self._unread]
        return self._columns

    def verdict(self, own: int) -> Verdict:
        """What is left to test of a rule whose trigger was found."""
        found = self._verdicts[own]
        if found is None:
            number = self._codes[own]
            found = self._verdicts[own] = _proven if number < 0 else self._engine.verdict(number)
        return found


def _proven(_folded: Folded) -> bool:
    return True


class Matcher:
    """Runs a plan. Not shared between threads."""

    def __init__(self, plan: Plan, declared: Mapping[str, LogSource]) -> None:
        self.plan = plan
        self._declared = declared
        self._sources: dict[str, LogSource] = {}
        self._routes: dict[object, RoutePlan] = {}
        self._by_key: dict[Key, RoutePlan] = {}
        self._verdicts: dict[int, Verdict] = {}
        self._fields: dict[int, set[str]] = {}
        self._judges: dict[int, Verdict] = {}

    def run(self, events: Sequence[Event]) -> list[tuple[int, list[int]]]:
        """(event number, numbers of the rules it satisfies), in the order of routes."""
        found: _Found = []
        for route, numbers in self._grouped(events).items():
            if not route.is_dead:
                self._run_route(route, numbers, events, found)
        return found

    def verdict(self, number: int) -> Verdict:
        found = self._verdicts.get(number)
        if found is None:
            code, read = _loads(self.plan.blob(number))
            found = verdict_of(code)
            if read:
                found = remembered(found, read)
            self._verdicts[number] = found
        return found

    # -------------------------------------------------------------- routes

    def _grouped(self, events: Sequence[Event]) -> dict[RoutePlan, list[int]]:
        by_dataset: dict[object, list[int]] = defaultdict(list)
        for number, dataset in enumerate(map(_get, events, repeat("event.dataset"))):
            by_dataset[dataset if dataset.__class__ is str else None].append(number)
        groups: dict[RoutePlan, list[int]] = {}
        for dataset, numbers in by_dataset.items():
            if isinstance(dataset, str) and dataset.startswith("windows."):
                for key, own in self._windows(events, numbers):
                    self._join(groups, key, own)
            else:
                self._join(groups, self._source(dataset), numbers)
        return groups

    def _join(self, groups: dict[RoutePlan, list[int]], key: Key, numbers: list[int]) -> None:
        route = self._by_key.get(key) or self._route(key)
        if route in groups:
            groups[route] += numbers
        else:
            groups[route] = numbers

    @staticmethod
    def _windows(events: Sequence[Event], numbers: list[int]) -> Iterable[tuple[Key, list[int]]]:
        by_key: dict[Key, list[int]] = defaultdict(list)
        own = [events[number] for number in numbers]
        for number, channel, code in zip(numbers, map(_get, own, repeat(CHANNEL)), map(_get, own, repeat(CODE)), strict=True):
            by_key[_key_text(channel), _key_text(code)].append(number)
        return by_key.items()

    def _source(self, dataset: object) -> LogSource:
        if not isinstance(dataset, str):
            return None, None, None
        source = self._sources.get(dataset)
        if source is None:
            if len(self._sources) > _KEYS_MOST:
                self._sources.clear()
            source = self._sources[dataset] = source_of(dataset, self._declared)
        return source

    def _route(self, key: Key) -> RoutePlan:
        route = self.plan.router.route(key)
        found = self._routes.get(route)
        if found is None:
            found = self._routes[route] = RoutePlan(self.plan.route(route), self)
        if len(self._by_key) > _KEYS_MOST:
            self._by_key.clear()
        self._by_key[key] = found
        return found

    # -------------------------------------------------------------- one route

    def _run_route(self, route: RoutePlan, numbers: list[int], events: Sequence[Event], found: _Found) -> None:
        candidates: _Candidates = {}
        for column in route.columns:
            self._look(route, column, numbers, events, candidates)
        untriggered, always = route.untriggered, route.always
        if not candidates and not untriggered and not always:
            return
        rules = route.rules
        for number in numbers if untriggered or always else candidates:
            event = events[number]
            own = candidates.get(number)
            satisfied = list(always)
            folded = Folded(event)
            for rule in {*own, *untriggered} if own else untriggered:
                try:
                    if route.may_list and self._reads_list(rules[rule], event):
                        raise ListValue
                    is_so = route.verdict(rule)(folded)
                except ListValue:
                    is_so = self._plainly(rules[rule])(folded)
                if is_so:
                    satisfied.append(rules[rule])
            if satisfied:
                found.append((number, satisfied))

    @staticmethod
    def _look(route: RoutePlan, column: Column, numbers: list[int], events: Sequence[Event], candidates: _Candidates) -> None:
        field = column.field
        if field is None:
            column.candidates(numbers, [keyword_text(events[number]) for number in numbers], candidates)
            return
        values = [_get(events[number], field) for number in numbers]
        if not route.may_list:
            try:
                column.candidates(numbers, values, candidates)
                return
            except ListValue:
                route.may_list = True
        column.candidates_of_lists(numbers, values, candidates)

    def _plainly(self, rule: int) -> Verdict:
        found = self._judges.get(rule)
        if found is None:
            found = self._judges[rule] = judge(self.plan.rules[rule].node)
        return found

    def _reads_list(self, rule: int, event: Event) -> bool:
        read = self._fields.get(rule)
        if read is None:
            read = self._fields[rule] = fields(self.plan.rules[rule].node)
        return any(event.get(name).__class__ is list for name in read)


def _key_text(value: object) -> str | None:
    """Channel and code are text; whatever else stands there must not become a route of its own by its type."""
    return value if isinstance(value, str) else None if value is None else str(value)
