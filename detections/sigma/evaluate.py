"""Plain evaluation of one condition on one event: no scan, no plan.

Used where the quick path does not go: rules that read a list on this very event. A statement about a list holds if it holds for
one of its elements; an empty list is as if the field were not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product

from detections.sigma import verify
from detections.sigma.codegen import Source
from detections.sigma.ir import And, Node, Not, Or, Predicate, fields
from detections.sigma.verify import Folded, Verdict

_MOST_VIEWS = 10_000


def judge(node: Node) -> Verdict:
    """A function that says whether an event satisfies the condition, whatever holds a list."""
    if isinstance(node, Predicate):
        return _judge_one(node)
    if isinstance(node, Not):
        inner = judge(node.part)
        return lambda folded: not inner(folded)
    cheap_first = sorted(node.parts, key=lambda part: Source().piece(part).cost)
    parts = [judge(part) for part in cheap_first]
    if isinstance(node, And):
        return lambda folded: all(part(folded) for part in parts)
    assert isinstance(node, Or)
    return lambda folded: any(part(folded) for part in parts)


def _judge_one(one: Predicate) -> Verdict:
    verdict = verify.function(one)
    names = sorted(fields(one))

    def holds(folded: Folded) -> bool:
        event = folded.event
        for name in names:
            if event.get(name).__class__ is list:
                return any(map(verdict, _views(names, folded)))
        return verdict(folded)

    return holds


def _views(names: Sequence[str], folded: Folded) -> Iterator[Folded]:
    """The event once for each combination of elements of the lists that a statement reads."""
    event = folded.event
    listed = [name for name in names if event.get(name).__class__ is list]
    for choice in islice(product(*(event[name] or [None] for name in listed)), _MOST_VIEWS):
        yield Folded({name: event.get(name) for name in names} | dict(zip(listed, choice, strict=True)))
