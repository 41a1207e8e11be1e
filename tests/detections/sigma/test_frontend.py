"""Every value and modifier of Sigma, as the tree it becomes."""

from typing import Any

import pytest
import yaml
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from detections.sigma.frontend import Unusable, condition_of
from detections.sigma.ir import MANY, ONE, And, Node, Not, Or, Predicate


def condition(detection: str) -> Node:
    document = {"title": "t", "logsource": {"product": "p"}, "detection": yaml.safe_load(detection)}
    return condition_of(SigmaRule.from_dict(document)).node


def one(selection: str) -> Node:
    return condition(f"{{s: {{{selection}}}, condition: s}}")


@pytest.mark.parametrize(("selection", "node"), [
    ("f: Abc", Predicate("f", "is", ("abc",))),
    ("f: ''", Predicate("f", "is", ())),
    ("f: '*'", Predicate("f", "is", (MANY,))),
    ("f: 'a*b?c'", Predicate("f", "is", ("a", MANY, "b", ONE, "c"))),
    (r"f: 'a\*b'", Predicate("f", "is", ("a*b",))),
    ("f: 4688", Predicate("f", "is", ("4688",))),
    ("f: true", Predicate("f", "is", ("true",))),
    ("f: null", Predicate("f", "null")),
    ("f: [a, B]", Or((Predicate("f", "is", ("a",)), Predicate("f", "is", ("b",))))),
    ("f|contains: X", Predicate("f", "is", (MANY, "x", MANY))),
    ("f|contains: '*x'", Predicate("f", "is", (MANY, "x", MANY))),
    ("f|startswith: X", Predicate("f", "is", ("x", MANY))),
    ("f|endswith: X", Predicate("f", "is", (MANY, "x"))),
    ("f|contains|all: [a, b]", And((Predicate("f", "is", (MANY, "a", MANY)), Predicate("f", "is", (MANY, "b", MANY))))),
    ("f|cased: Abc", Predicate("f", "cased", ("Abc",))),
    ("f|exists: true", Predicate("f", "exists")),
    ("f|exists: false", Not(Predicate("f", "exists"))),
    ("f|re: '^a.b$'", Predicate("f", "re", ("^a.b$", ""))),
    ("f|re|i: 'a'", Predicate("f", "re", ("a", "i"))),
    ("f|re|i|s: 'a'", Predicate("f", "re", ("a", "is"))),
    ("f|cidr: 10.0.0.0/8", Predicate("f", "cidr", "10.0.0.0/8")),
    ("f|cidr: '2001:db8::/32'", Predicate("f", "cidr", "2001:db8::/32")),
    ("f|lt: 5", Predicate("f", "compare", ("lt", 5.0))),
    ("f|gte: 5.5", Predicate("f", "compare", ("gte", 5.5))),
    ("f|neq: 5", Not(Predicate("f", "is", ("5",)))),
    ("f|fieldref: g", Predicate("f", "fieldref", ("g", False, False))),
    ("f|fieldref|startswith: g", Predicate("f", "fieldref", ("g", True, False))),
    ("f|hour: 3", Predicate("f", "time", ("hour", 3))),
    ("f|base64: a", Predicate("f", "is", ("yq==",))),  # YQ==, and case is ignored
])  # fmt: skip
def test_values_and_modifiers(selection: str, node: Node) -> None:
    assert one(selection) == node


def test_windash_means_every_dash() -> None:
    got = one("f|contains|windash: ' -x'")
    assert isinstance(got, Or)
    texts = {part.value for part in got.parts if isinstance(part, Predicate)}
    assert {(MANY, " -x", MANY), (MANY, " /x", MANY)} <= texts


@pytest.mark.parametrize(("detection", "node"), [
    ("{a: {f: 1}, b: {g: 2}, condition: a and not b}",
     And((Predicate("f", "is", ("1",)), Not(Predicate("g", "is", ("2",)))))),
    ("{a1: {f: 1}, a2: {g: 2}, condition: 1 of a*}", Or((Predicate("f", "is", ("1",)), Predicate("g", "is", ("2",))))),
    ("{a1: {f: 1}, a2: {g: 2}, condition: all of them}", And((Predicate("f", "is", ("1",)), Predicate("g", "is", ("2",))))),
    ("{k: [One, two], condition: k}", Or((Predicate(None, "is", ("one",)), Predicate(None, "is", ("two",))))),
    ("{a: [{f: 1}, {g: 2}], condition: a}", Or((Predicate("f", "is", ("1",)), Predicate("g", "is", ("2",))))),
    ("{a: {f: 1}, condition: [a, not a]}", Or((Predicate("f", "is", ("1",)), Not(Predicate("f", "is", ("1",)))))),
])  # fmt: skip
def test_conditions(detection: str, node: Node) -> None:
    assert condition(detection) == node


@pytest.mark.parametrize(
    "selection", ["f|re: '(?<=a)b'", "f|re: '(a'", "f|expand: '%list%'", "f|cidr: 10.0.0.0/99", "f|nosuch: 1"]
)
def test_what_cannot_be_run_is_refused(selection: str) -> None:
    with pytest.raises((Unusable, SigmaError)):
        one(selection)


def test_a_condition_of_too_many_values_is_refused() -> None:
    values: list[Any] = [f"v{n}" for n in range(20_001)]
    document = {"title": "t", "logsource": {}, "detection": {"s": {"f": values}, "condition": "s"}}
    document["logsource"] = {"product": "p"}
    with pytest.raises(Unusable, match="more than 20000 values"):
        condition_of(SigmaRule.from_dict(document))
