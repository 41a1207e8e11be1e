"""A Sigma rule as the engine sees it: predicates over fields, joined by and, or, not.

Everything is a tuple, so that a plan can be built from it quickly and kept on disk. A value that does not occur in Sigma's own
words is a `Pattern`: literal pieces and wildcards in order, `('', )` never, `()` for the empty text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeAlias

MANY, ONE = 0, 1
"""Wildcards in a pattern: any run of characters, exactly one character."""

Pattern: TypeAlias = tuple[str | int, ...]
Kind: TypeAlias = Literal["is", "cased", "re", "null", "exists", "cidr", "compare", "fieldref", "time"]


class Predicate(NamedTuple):
    """One statement about one field of an event; `field` None is a keyword, sought in all the event says.

    The value by kind: is, cased: Pattern (folded for `is`) · re: (regex, flags of 'ims') · cidr: network as text ·
    compare: (operator lt|lte|gt|gte|neq, number) · fieldref: (other field, at the start?, at the end?) · time: (part, number).
    """

    field: str | None
    kind: Kind
    value: object = None


class And(NamedTuple):
    parts: tuple[Node, ...]


class Or(NamedTuple):
    parts: tuple[Node, ...]


class Not(NamedTuple):
    part: Node


Node: TypeAlias = Predicate | And | Or | Not


def predicates(node: Node) -> Iterator[Predicate]:
    """Every predicate of a condition, as often as it stands there."""
    if isinstance(node, Predicate):
        yield node
    elif isinstance(node, Not):
        yield from predicates(node.part)
    else:
        for part in node.parts:
            yield from predicates(part)


def fields(node: Node) -> set[str]:
    """Every field a condition reads, those it compares with included; keywords excluded."""
    found = set()
    for one in predicates(node):
        if one.field is not None:
            found.add(one.field)
        if one.kind == "fieldref":
            assert isinstance(one.value, tuple)
            found.add(one.value[0])
    return found


def joined(kind: type[And] | type[Or], parts: list[Node]) -> Node:
    """And or Or of the parts, flat; a single part alone."""
    flat: list[Node] = []
    for part in parts:
        if isinstance(part, kind):
            flat += part.parts
        else:
            flat.append(part)
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def mapped(node: Node, change: Callable[[Predicate], Node]) -> Node:
    """The condition with every predicate replaced."""
    if isinstance(node, Predicate):
        return change(node)
    if isinstance(node, Not):
        return Not(mapped(node.part, change))
    return joined(type(node), [mapped(part, change) for part in node.parts])


def decided(node: Node, known: Callable[[Predicate], bool | None]) -> Node | bool:
    """The condition with what is known already put in: what is left of it, or its truth."""
    if isinstance(node, Predicate):
        truth = known(node)
        return node if truth is None else truth
    if isinstance(node, Not):
        inner = decided(node.part, known)
        return (not inner) if isinstance(inner, bool) else Not(inner)
    is_or = isinstance(node, Or)
    left: list[Node] = []
    for part in node.parts:
        inner = decided(part, known)
        if not isinstance(inner, bool):
            left.append(inner)
        elif inner == is_or:
            return inner
    return joined(type(node), left) if left else not is_or
