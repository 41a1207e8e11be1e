"""Generated code says what it tests, cheap tests first; nothing a rule contains becomes code."""

import pytest

from detections.sigma.codegen import Source, regex_of, shape
from detections.sigma.ir import MANY, ONE, And, Node, Not, Or, Predicate
from detections.sigma.verify import Folded, verdict_of


def is_(field: str | None, *pattern: str | int) -> Predicate:
    return Predicate(field, "is", pattern)


@pytest.mark.parametrize(("node", "source"), [
    (is_("f", "a"), "L['f']=='a'"),
    (is_("f", "a", MANY), "L['f'].startswith('a')"),
    (is_("f", MANY, "a"), "L['f'].endswith('a')"),
    (is_("f", MANY, "a", MANY), "'a' in L['f']"),
    (is_("f"), "L['f']==''"),
    (is_("f", MANY), "L['f'] is not M"),
    (Or((is_("f", "b"), is_("f", "a"))), "(L['f'] in {'a','b'})"),
    (Or((is_("f", "a", MANY), is_("f", "b", MANY))), "(L['f'].startswith(('a', 'b')))"),
    (Not(is_("f", "a")), "not (L['f']=='a')"),
    (Predicate("f", "null"), "L['f'] is M"),
])  # fmt: skip
def test_source(node: Node, source: str) -> None:
    assert Source().piece(node).source == source


@pytest.mark.parametrize("hostile", ["']+__import__('os').abort()+L['", '"""', "\\", "{0}", "\n", "'\""])
def test_a_hostile_name_or_value_stays_text(hostile: str) -> None:
    cased = Predicate(hostile, "cased", (hostile,))
    for node in (is_(hostile, hostile), is_(hostile, MANY, hostile, ONE), is_(None, hostile), cased):
        verdict = verdict_of(Source().code(node))
        assert verdict(Folded({hostile: "something else"})) is False
    assert verdict_of(Source().code(cased))(Folded({hostile: hostile})) is True


def test_the_cheap_and_selective_test_comes_first() -> None:
    regex = Predicate("f", "re", ("a.*b", ""))
    assert Source().piece(And((regex, is_("g", "x")))).source.startswith("(L['g']=='x')")
    rare_first = Source(lambda one: 0.001 if one.field == "rare" else 0.9).piece(And((is_("often", "x"), is_("rare", "x"))))
    assert rare_first.source.startswith("(L['rare']=='x')")


def test_wildcards_as_a_regex() -> None:
    assert regex_of(("a.b", MANY, ONE, "c")) == r"a\.b.*.c"
    assert shape(is_("f", "a", ONE)) is None
    assert shape(is_("f", "a", MANY, "b")) is None
