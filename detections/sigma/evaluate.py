"""Plain evaluation of one condition on one event: no sharing, no caches.

Used where the quick path does not go: rules that read a list on this very event. A statement about a list holds if it holds for
one of its elements; an empty list is as if the field were not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from detections.sigma import verify
from detections.sigma.ir import And, Node, Not, Or, Predicate, fields


def holds(node: Node, event: Mapping[str, Any]) -> bool:
    """Whether the event satisfies the condition."""
    if isinstance(node, And):
        return all(holds(part, event) for part in node.parts)
    if isinstance(node, Or):
        return any(holds(part, event) for part in node.parts)
    if isinstance(node, Not):
        return not holds(node.part, event)
    return any(verify.function(node)(verify.Folded(view)) for view in _views(node, event))


def _views(node: Predicate, event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The event once for each combination of elements of the lists that the predicate reads."""
    listed = [name for name in sorted(fields(node)) if event.get(name).__class__ is list]
    if not listed:
        return [event]
    choices = product(*(event[name] or [None] for name in listed))
    return [{**event, **dict(zip(listed, choice, strict=True))} for choice, _ in zip(choices, range(10_000), strict=False)]
