"""The tree: flattening, reading its fields, deciding what is known."""

import pytest

from detections.sigma.ir import And, Node, Not, Or, Predicate, decided, fields, joined, mapped, predicates

A, B, C = (Predicate(name, "is", ("x",)) for name in "abc")
KEYWORD = Predicate(None, "is", ("x",))


@pytest.mark.parametrize(
    ("kind", "parts", "flat"),
    [
        (And, [A], A),
        (And, [A, And((B, C))], And((A, B, C))),
        (Or, [And((A, B)), C], Or((And((A, B)), C))),  # another kind stays as it is
        (Or, [Or((A, B)), Or((B, C))], Or((A, B, B, C))),
    ],
)
def test_joined_is_flat(kind: type[And] | type[Or], parts: list[Node], flat: Node) -> None:
    assert joined(kind, parts) == flat


def test_fields_name_what_is_read_and_what_it_is_compared_with() -> None:
    compared = Predicate("a", "fieldref", ("d", False, False))
    assert fields(And((A, Not(Or((B, KEYWORD))), compared))) == {"a", "b", "d"}
    assert list(predicates(Not(Or((B, KEYWORD))))) == [B, KEYWORD]


def test_mapped_replaces_every_predicate_and_keeps_the_tree_flat() -> None:
    assert mapped(And((A, B)), lambda one: And((one, C)) if one == A else one) == And((A, C, B))


@pytest.mark.parametrize(
    ("node", "known", "left"),
    [
        (A, {A: True}, True),
        (A, {}, A),
        (Not(A), {A: True}, False),
        (And((A, B)), {A: True}, B),
        (And((A, B)), {A: False}, False),
        (Or((A, B)), {A: True}, True),
        (Or((A, B)), {A: False}, B),
        (And((A, B)), {A: True, B: True}, True),
        (Or((A, B)), {A: False, B: False}, False),
        (And((Not(Or((A, B))), C)), {A: False, B: False}, C),
    ],
)
def test_what_is_known_is_put_in(node: Node, known: dict[Predicate, bool], left: Node | bool) -> None:
    assert decided(node, known.get) == left
