"""Decides, for each route, what to look for in which field, and what is left to be tested when it is found.

For each rule the *trigger* is the clause that must hold and costs least: how often it will be found, times the cost of what must
then be tested. A clause that is literally one of the rule's conjuncts is proven by the find itself and is not tested again. No
rule should be tested on every event: a rule of negations alone is decided once for each distinct value of its field.
"""

from __future__ import annotations

import marshal
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from detections.mapping import Where
from detections.sigma import scan
from detections.sigma.codegen import LONG, Source
from detections.sigma.frequencies import share
from detections.sigma.ir import MANY, And, Node, Not, Or, Predicate, decided, fields, joined, predicates
from detections.sigma.needles import Needle, Regex, needles_of
from detections.sigma.routes import Route, Router, is_decided

_FIELD, _CANDIDATE, _TEST = 0.12, 0.2, 0.04
"""µs: one more field to look at, one more candidate to verify, one test in it."""
_SURE = 3
"""A needle longer than this may prove by its absence."""

class Planned(NamedTuple):
    """A rule with our field names and the place it looks at."""

    where: Where
    node: Node


class _Clause(NamedTuple):
    """Needles of these predicates, one of which is found wherever the clause holds; `whole`: and that proves it."""

    chance: float
    parts: tuple[Predicate, ...]
    whole: bool


class _Trigger(NamedTuple):
    """How a rule is found. `tested` instead of `parts`: a condition over one field, decided once per distinct value."""

    cost: float
    parts: tuple[Predicate, ...]
    tested: Node | None
    proves: tuple[int, ...]
    """Conjuncts of the rule that need no test any more; (-1,) is all of it."""
    fields: frozenset[str | None]


class _Column:
    """What is looked for in one field, by whom (numbers of the route's rules; ~n says that rule n is not the one)."""

    def __init__(self) -> None:
        self.texts: dict[str, set[int]] = defaultdict(set)
        self.regexes: dict[Regex, set[int]] = defaultdict(set)
        self.tested: list[tuple[int, int]] = []
        self.absent: list[tuple[int, bool]] = []

    def dump(self) -> bytes:
        texts, regexes = sorted(self.texts), sorted(self.regexes)
        return marshal.dumps(
            (
                texts,
                [tuple(sorted(self.texts[one])) for one in texts],
                scan.prepare_texts(texts) if texts else b"",
                [tuple(one) for one in regexes],
                [tuple(sorted(self.regexes[one])) for one in regexes],
                scan.prepare_regexes(regexes) if regexes else b"",
                self.tested,
                self.absent,
            )
        )


class Planner:
    """Plans routes of a set of rules. `blobs` collects what they refer to by number, beginning at `base`."""

    def __init__(self, rules: Sequence[Planned], base: int = 0) -> None:
        self.rules, self.base = rules, base
        self.blobs: list[bytes] = []
        self.router = Router.of((rule.where, rule.node) for rule in rules)
        self._numbers: dict[bytes, int] = {}
        self._codes: dict[tuple[int, object, object], int] = {}
        self._needles: dict[Predicate, tuple[Needle, ...]] = {}
        self._chances: dict[Predicate, float] = {}
        self._costs: dict[int, float] = {}
        self._by_place: dict[int, list[int]] = defaultdict(list)
        places = {where: at for at, where in enumerate(self.router.places)}
        for number, rule in enumerate(rules):
            self._by_place[places[rule.where]].append(number)

    @cached_property
    def _is_routed(self) -> list[bool]:
        """Whether the route decides parts of the rule."""
        return [any(is_decided(one) for one in predicates(rule.node)) for rule in self.rules]

    def routes(self, declared: Iterable[tuple[str | None, str | None, str | None]]) -> list[Route]:
        """Every route that there can be, as far as can be foreseen."""
        return list(dict.fromkeys(self.router.route(key) for key in self.router.keys(declared)))

    def put(self, blob: bytes) -> int:
        number = self._numbers.get(blob)
        if number is None:
            number = self._numbers[blob] = self.base + len(self.blobs)
            self.blobs.append(blob)
        return number

    # -------------------------------------------------------------- one route

    def plan(self, route: Route) -> bytes:
        """The route's plan, as `matcher.RoutePlan` reads it."""
        places = set(route.places)
        truth = {self.router.statements[at]: at in set(route.holds) for place in places for at in self.router.asked[place]}
        rules: list[int] = []
        always: list[int] = []
        nodes: list[Node] = []
        for rule in sorted(number for place in places for number in self._by_place[place]):
            node: Node | bool = self.rules[rule].node
            if self._is_routed[rule]:
                node = decided(self.rules[rule].node, truth.get)
            if node is True:
                always.append(rule)
            elif not isinstance(node, bool):
                rules.append(rule)
                nodes.append(_filters_apart(node))
        triggers = self._choose([self._triggers(node) for node in nodes])
        columns: dict[str | None, _Column] = defaultdict(_Column)
        untriggered: list[int] = []
        checks: list[int] = []
        for own, (rule, node, trigger) in enumerate(zip(rules, nodes, triggers, strict=True)):
            tag = tuple(route.holds) if self._is_routed[rule] else ()
            if trigger is None:
                untriggered.append(own)
                checks.append(self._code(rule, tag, (), node))
                continue
            self._look_for(columns, own, rule, tag, trigger)
            left = _without(node, trigger.proves)
            checks.append(-1 if left is None else self._code(rule, tag, trigger.proves, left))
        kept = [(field, self.put(columns[field].dump())) for field in sorted(columns, key=lambda one: one or "")]
        return marshal.dumps((rules, checks, tuple(untriggered), always, kept))

    def _look_for(self, columns: dict[str | None, _Column], own: int, rule: int, tag: object, trigger: _Trigger) -> None:
        if trigger.tested is not None:
            (field,) = trigger.fields
            absent = self._by_absence(trigger.tested) if field in LONG else None
            if absent:
                must_be_there, texts = absent
                columns[field].absent.append((own, must_be_there))
                for text in texts:
                    columns[field].texts[text].add(~own)
            else:
                columns[field].tested.append((self._code(rule, (tag, "value"), trigger.proves, trigger.tested), own))
            return
        for part in trigger.parts:
            column = columns[part.field]
            for key, _ in self._needles_of(part):
                if isinstance(key, Regex):
                    column.regexes[key].add(own)
                else:
                    column.texts[key].add(own)

    def _code(self, rule: int, tag: object, proven: object, node: Node) -> int:
        """The number of the blob with the verdict of what is left of a rule."""
        key = rule, tag, proven
        if key not in self._codes:
            read = tuple(sorted(fields(node)))
            own = list(predicates(node))
            by_text = all(one.field and one.kind not in ("compare", "time") for one in own)
            is_kept = by_text and any(one.kind == "re" for one in own)
            self._codes[key] = self.put(marshal.dumps((Source(self._chance).code(node), read if is_kept else None)))
        return self._codes[key]

    # -------------------------------------------------------------- triggers

    def _needles_of(self, one: Predicate) -> tuple[Needle, ...]:
        found = self._needles.get(one)
        if found is None:
            found = self._needles[one] = needles_of(one)
        return found

    def _chance(self, one: Predicate) -> float:
        found = self._chances.get(one)
        if found is None:
            found = self._chances[one] = _chance_of(one, self._needles_of(one))
        return found

    def _cost(self, node: Node) -> float:
        found = self._costs.get(id(node))
        if found is None:
            found = self._costs[id(node)] = Source(self._chance).piece(node).cost
        return found

    def _triggers(self, node: Node) -> list[_Trigger]:
        conjuncts: list[tuple[int, Node]] = list(enumerate(node.parts)) if isinstance(node, And) else [(-1, node)]
        costs = [Source(self._chance).piece(part).cost for _, part in conjuncts]
        total = sum(costs)
        found = []
        for (at, part), own in zip(conjuncts, costs, strict=True):
            for clause in self._clauses(part):
                proven = clause.whole and all(needle.exact for one in clause.parts for needle in self._needles_of(one))
                rest = min(60.0, total - own if proven else total)
                cost = min(clause.chance, 1.0) * (_CANDIDATE + _TEST * rest)
                parts = tuple(dict.fromkeys(clause.parts))
                found.append(_Trigger(cost, parts, None, (at,) if proven else (), frozenset(one.field for one in parts)))
        return found or self._by_value(conjuncts, node)

    def _by_value(self, conjuncts: list[tuple[int, Node]], node: Node) -> list[_Trigger]:
        """Nothing positive to look for: the part that reads one field alone, tested once for each of its values."""
        by_field: dict[str, list[int]] = defaultdict(list)
        for at, part in conjuncts:
            read = fields(part)
            own = list(predicates(part))
            if len(read) == 1 and all(one.field and one.kind not in ("fieldref", "compare", "time") for one in own):
                by_field[read.pop()].append(at)
        if not by_field:
            return []
        field = max(by_field, key=lambda name: len(by_field[name]))
        ats = by_field[field]
        if ats == [-1] or not isinstance(node, And):
            tested: Node = node
        else:
            tested = joined(And, [node.parts[at] for at in ats])
        return [_Trigger(_CANDIDATE, (), tested, tuple(ats), frozenset([field]))]

    def _clauses(self, node: Node) -> list[_Clause]:
        """Necessary clauses of a condition."""
        if isinstance(node, Predicate):
            return [_Clause(self._chance(node), (node,), True)] if self._needles_of(node) else []
        if isinstance(node, Not):
            return []
        if isinstance(node, And):
            return [clause._replace(whole=False) for part in node.parts for clause in self._clauses(part)]
        chance, whole = 0.0, True
        parts: tuple[Predicate, ...] = ()
        for part in node.parts:
            options = self._clauses(part)
            if not options:
                return []
            best = min(options, key=lambda one: one.chance)
            chance, parts, whole = chance + best.chance, parts + best.parts, whole and best.whole
        return [_Clause(chance, parts, whole)]

    def _by_absence(self, node: Node) -> tuple[bool, set[str]] | None:
        """For NOT(OR(exact texts)) and 'is there': (must the field be there, texts none of which may stand in it)."""
        must_be_there, texts = False, set()
        for part in node.parts if isinstance(node, And) else (node,):
            if isinstance(part, Predicate) and part.kind == "is" and part.value == (MANY,):
                must_be_there = True
                continue
            if not isinstance(part, Not):
                return None
            for one in part.part.parts if isinstance(part.part, Or) else (part.part,):
                if not isinstance(one, Predicate):
                    return None
                if one.kind == "null":
                    must_be_there = True
                    continue
                needles = self._needles_of(one)
                sure = {one.key for one in needles if one.exact and isinstance(one.key, str) and len(one.key) > _SURE}
                if not needles or len(sure) < len(needles):
                    return None
                texts |= sure
        return (must_be_there, texts) if texts else None

    @staticmethod
    def _choose(options: Sequence[Sequence[_Trigger]]) -> list[_Trigger | None]:
        """The cheapest trigger of each rule; a field that few rules need is given up where others cost hardly more."""
        best: list[_Trigger | None] = [min(own, key=lambda one: one.cost) if own else None for own in options]
        users: dict[str | None, set[int]] = defaultdict(set)
        for rule, trigger in enumerate(best):
            for field in trigger.fields if trigger else ():
                users[field].add(rule)
        for field in sorted((one for one in users if one is not None), key=lambda one: (len(users[one]), one)):
            kept = {other for other in users if users[other] and other != field}
            instead: dict[int, _Trigger] = {}
            more = 0.0
            for rule in users[field]:
                others = [one for one in options[rule] if field not in one.fields and one.fields <= kept]
                if not others:
                    break
                instead[rule] = min(others, key=lambda one: one.cost)
                before = best[rule]
                more += instead[rule].cost - (before.cost if before else 0)
                if more >= _FIELD:
                    break
            else:
                for rule, trigger in instead.items():
                    before = best[rule]
                    for name in before.fields if before else ():
                        users[name].discard(rule)
                    best[rule] = trigger
                    for name in trigger.fields:
                        users[name].add(rule)
        return best


def _chance_of(one: Predicate, needles: Sequence[Needle]) -> float:
    """How often a predicate may hold."""
    if not needles:
        return 0.5
    return sum(share(one.field, needle.key) for needle in needles)


def _without(node: Node, proven: tuple[int, ...]) -> Node | None:
    """What is left to test; None if nothing is."""
    if proven == (-1,):
        return None
    if not proven or not isinstance(node, And):
        return node
    left = [part for at, part in enumerate(node.parts) if at not in proven]
    return joined(And, left) if left else None


def _filters_apart(node: Node) -> Node:
    """AND(…, NOT(OR(a, b, …))) with one NOT(OR(…)) for each field, so that a filter over one field stands alone."""
    if isinstance(node, Not):
        apart = _filters_apart(And((node,)))
        return apart if isinstance(apart, And) and len(apart.parts) > 1 else node
    if not isinstance(node, And):
        return node
    parts: list[Node] = []
    for part in node.parts:
        if not isinstance(part, Not) or not isinstance(part.part, Or):
            parts.append(part)
            continue
        groups: dict[object, list[Node]] = defaultdict(list)
        for one in part.part.parts:
            read = fields(one)
            alone = len(read) == 1 and all(own.field and own.kind != "fieldref" for own in predicates(one))
            groups[read.pop() if alone else ()].append(one)
        parts += [Not(joined(Or, group)) for group in groups.values()]
    return And(tuple(parts))


