"""Which rules an event can reach. A route serves all events to which the same log sources apply and for which the same
statements about channel and event code hold; so thousands of (channel, code) pairs share a few hundred routes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from detections.mapping import CHANNEL, CODE, Tagged, Where, Windows
from detections.sigma.codegen import shape
from detections.sigma.ir import Node, Predicate, predicates
from detections.sigma.text import fold
from detections.sigma.verify import Folded, function

Key: TypeAlias = tuple[str | None, ...]
"""(channel, event code) of a Windows event, (category, product, service) of any other."""


class Route(NamedTuple):
    """Log sources that apply and statements that hold, by their numbers in the router."""

    places: tuple[int, ...]
    holds: tuple[int, ...]


class Router:
    """From an event's key to its route."""

    def __init__(self, places: Sequence[Where], asked: Sequence[frozenset[int]], statements: Sequence[Predicate]) -> None:
        """`asked[n]`: the statements, by number, that rules of place n make about channel and code."""
        self.places, self.asked, self.statements = places, asked, statements
        self._exact: dict[tuple[str, str], list[int]] = {}
        self._others: list[int] = []
        for number, one in enumerate(statements):
            plain = shape(one)
            if plain and plain[0] == "eq":
                self._exact.setdefault((plain[1], plain[2]), []).append(number)
            else:
                self._others.append(number)

    @classmethod
    def of(cls, rules: Iterable[tuple[Where, Node]]) -> Router:
        asked: dict[Where, set[Predicate]] = {}
        for where, node in rules:
            own = asked.setdefault(where, set())
            if isinstance(where, Windows):
                own.update(one for one in predicates(node) if is_decided(one))
        places = sorted(asked, key=repr)
        statements = sorted(set().union(*asked.values()) if asked else (), key=repr)
        number = {one: at for at, one in enumerate(statements)}
        return cls(places, [frozenset(number[one] for one in asked[where]) for where in places], statements)

    def route(self, key: Key) -> Route:
        if len(key) == 3:
            source = key[0], key[1], key[2]
            tagged = ((at, where) for at, where in enumerate(self.places) if isinstance(where, Tagged))
            return Route(tuple(at for at, where in tagged if where.holds(source)), ())
        channel, code = key
        places = tuple(
            at
            for at, where in enumerate(self.places)
            if isinstance(where, Windows)
            and (where.channels is None or channel in where.channels)
            and (where.codes is None or code in where.codes)
        )
        relevant = frozenset().union(*(self.asked[at] for at in places))
        return Route(places, tuple(sorted(self._held(channel, code) & relevant)) if relevant else ())

    def _held(self, channel: str | None, code: str | None) -> set[int]:
        held: set[int] = set()
        event = {name: value for name, value in ((CHANNEL, channel), (CODE, code)) if value is not None}
        for name, value in event.items():
            held.update(self._exact.get((name, fold(value)), ()))
        held.update(at for at in self._others if function(self.statements[at])(Folded(event)))
        return held

    def keys(self, declared: Iterable[tuple[str | None, str | None, str | None]]) -> Iterator[Key]:
        """Every key that rules tell apart, and one of each that they do not."""
        channels = {name for where in self.places if isinstance(where, Windows) for name in where.channels or ()}
        codes = {name for where in self.places if isinstance(where, Windows) for name in where.codes or ()}
        known = set(map(fold, channels))
        channels |= {text for (field, text) in self._exact if field == CHANNEL and text not in known} | {"\0"}
        codes |= {text for (field, text) in self._exact if field == CODE} | {"\0"}
        yield from ((channel, code) for channel in sorted(channels) for code in sorted(codes))
        yield from declared
        tags = [where for where in self.places if isinstance(where, Tagged)]
        for product in {one.product for one in tags} | {None}:
            near = [one for one in tags if one.product in (product, None)]
            for category in {one.category for one in near} | {None}:
                for service in {one.service for one in near if one.category in (category, None)} | {None}:
                    yield category, product, service


def is_decided(one: Predicate) -> bool:
    """Whether the route alone says if it holds."""
    return one.field in (CHANNEL, CODE) and one.kind not in ("fieldref", "compare", "time")
