"""Correlation rules against a naive reading of the whole list, and every way in which one can be wrong."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from detections.sigma.correlation import Base, SigmaCorrelation, build
from soc.contracts import Signal
from soc.errors import RuleError
from soc.model import Rule

SECOND = 1_000_000
RULE = Rule("corr", "A correlation", "high", path="rules/corr.yml")


def correlation(text: str, **inner: SigmaCorrelation) -> SigmaCorrelation:
    def base(name: str) -> Base | SigmaCorrelation | None:
        if name in inner:
            return inner[name]
        return Base(name, lambda field: f"our.{field}" if "." not in field else field) if name in ("a", "b", "c") else None

    return build({"correlation": yaml.safe_load(text)}, RULE, base)


def signals(*rows: tuple[str, float] | tuple[str, float, str]) -> list[Signal]:
    return [Signal(row[0], "g", int(row[1] * SECOND), f"e{at}", row[2] if len(row) > 2 else "") for at, row in enumerate(rows)]


COUNT = "{type: event_count, rules: [a], timespan: 10s, condition: {gte: 3}}"
VALUES = "{type: value_count, rules: [a], timespan: 10s, condition: {gte: 2, field: user.name}}"
BOTH = "{type: temporal, rules: [a, b], timespan: 10s}"
THEN = "{type: temporal_ordered, rules: [a, b, c], timespan: 10s}"


@pytest.mark.parametrize(("text", "rows", "hits"), [
    (COUNT, [("a", 0), ("a", 5), ("a", 10)], [10]),  # the event of exactly the timespan's age is in
    (COUNT, [("a", 0), ("a", 5), ("a", 10.000001)], []),
    (COUNT, [("a", 9), ("a", 11), ("a", 12)], [12]),  # a tumbling window would have cut at 10
    (COUNT, [("a", 0), ("a", 1)], []),
    (COUNT, [("b", 0), ("b", 1), ("b", 2)], []),  # another rule's events
    (COUNT, [("a", at) for at in range(40)], [2]),  # one hit for a burst
    (COUNT, [("a", 0), ("a", 1), ("a", 2), ("a", 50), ("a", 51), ("a", 52)], [2, 52]),
    (COUNT.replace("gte: 3", "gt: 2, lt: 4"), [("a", 0), ("a", 1), ("a", 2)], [2]),
    (COUNT.replace("gte: 3", "eq: 1"), [("a", 0), ("a", 1)], [0]),
    (VALUES, [("a", 0, "x"), ("a", 1, "x")], []),
    (VALUES, [("a", 0, "x"), ("a", 1, "y")], [1]),
    (VALUES, [("a", 0, "x"), ("a", 11, "y")], []),
    (BOTH, [("b", 0), ("a", 4)], [4]),
    (BOTH, [("b", 0), ("b", 4)], []),
    (BOTH, [("b", 0), ("a", 11)], []),
    (THEN, [("a", 0), ("b", 1), ("c", 2)], [2]),
    (THEN, [("a", 0), ("c", 1), ("b", 2)], []),
    (THEN, [("b", 0), ("a", 1), ("b", 2), ("c", 3)], [3]),
    (THEN, [("a", 0), ("b", 9), ("c", 11)], []),
    (THEN, [("a", 0), ("a", 5), ("b", 9), ("c", 11)], [11]),  # the later start counts
    (THEN, [("c", 0), ("b", 0), ("a", 0)], [0]),  # at one moment, in the order of the rule
])  # fmt: skip
def test_when_it_holds(text: str, rows: list[tuple[str, float]], hits: list[float]) -> None:
    found = correlation(text).evaluate(signals(*rows))
    assert [hit.time / SECOND for hit in found] == hits


def test_the_order_of_arrival_does_not_matter() -> None:
    own = signals(("a", 0), ("b", 1), ("c", 2), ("a", 30))
    rule = correlation(THEN)
    assert {tuple(rule.evaluate(order)) for order in permutations(own)} == {tuple(rule.evaluate(own))}


def test_a_hit_names_its_events_and_their_number() -> None:
    (hit,) = correlation(COUNT).evaluate(signals(("a", 0), ("a", 1), ("a", 2)))
    assert (hit.events, hit.count) == (("e0", "e1", "e2"), 3)


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.sampled_from(["x", "y", "z"])), max_size=30)


def naive(kind: str, rows: list[tuple[str, int, str]]) -> set[int]:
    """Times at which the rule holds, looking at every window for itself."""
    held = set()
    for _, time, _ in rows:
        window = [row for row in rows if time - 10 <= row[1] <= time]
        if kind == "event_count":
            ok = len([row for row in window if row[0] == "a"]) >= 3 and any(row[0] == "a" and row[1] == time for row in window)
        elif kind == "value_count":
            own = [row for row in window if row[0] == "a"]
            ok = len({row[2] for row in own}) >= 2 and any(row[1] == time for row in own)
        elif kind == "temporal":
            own = [row for row in window if row[0] in "ab"]
            ok = {row[0] for row in own} == {"a", "b"} and any(row[1] == time for row in own)
        else:
            ok = any(
                one[0] == "a" and two[0] == "b" and three[0] == "c" and three[1] == time and one[1] <= two[1] <= three[1]
                for one in window for two in window for three in window
            )  # fmt: skip
        if ok:
            held.add(time * SECOND)
    return held


@pytest.mark.parametrize(
    ("kind", "text"), [("event_count", COUNT), ("value_count", VALUES), ("temporal", BOTH), ("temporal_ordered", THEN)]
)
def test_it_holds_exactly_where_a_naive_reading_says(kind: str, text: str) -> None:
    rule = correlation(text)

    @given(ROWS)
    def check(rows: list[tuple[str, int, str]]) -> None:
        points = rule.points(signals(*rows))
        wanted = naive(kind, rows)
        assert {point.time for point in points} == wanted
        assert {hit.time for hit in rule.evaluate(signals(*rows))} <= wanted

    check()


# ------------------------------------------------------------------ chains, groups, aliases


def test_a_chain_counts_what_another_correlation_found() -> None:
    many = correlation("{type: event_count, rules: [a], group-by: [source.ip], timespan: 10s, condition: {gte: 3}}")
    chain = correlation("{type: temporal_ordered, rules: [many, b], group-by: [source.ip], timespan: 10s}", many=many)
    assert chain.bases == {"a", "b"}
    assert chain.timespan == 20 * SECOND
    assert chain.silent == {"a", "b"}
    tries = [("a", at) for at in range(30)]
    assert [hit.time for hit in chain.evaluate(signals(*tries, ("b", 31)))] == [31 * SECOND]  # long after the burst began
    assert chain.evaluate(signals(*tries[:2], ("b", 3))) == []
    assert chain.evaluate(signals(*tries, ("b", 60))) == []


@pytest.mark.parametrize(("event", "group"), [
    ({"user.name": "li", "our.x": 7}, '["7", "li"]'),
    ({"user.name": ["li", "wu"], "our.x": 7}, '["7", "li"]'),
    ({"user.name": "li"}, None),  # a missing field is no group
])  # fmt: skip
def test_groups(event: dict[str, Any], group: str | None) -> None:
    rule = correlation("{type: event_count, rules: [a], group-by: [x, user.name], timespan: 1m, condition: {gte: 2}}")
    found = rule.signal("a", event | {"@timestamp": 5, "event.id": "1-1"})
    assert (found.group if found else None) == group


def test_aliases_say_how_each_rule_calls_a_field() -> None:
    text = "{type: temporal, rules: [a, b], group-by: [who], timespan: 1m, aliases: {who: {a: user.name, b: source.user.name}}}"
    rule = correlation(text)
    one = rule.signal("a", {"@timestamp": 1, "event.id": "1", "user.name": "li"})
    two = rule.signal("b", {"@timestamp": 2, "event.id": "2", "source.user.name": "li"})
    assert one is not None and two is not None
    assert one.group == two.group == "li"
    assert rule.signal("b", {"@timestamp": 2, "event.id": "2", "user.name": "li"}) is None


def test_generate_lets_the_counted_rules_speak_too() -> None:
    assert correlation(COUNT).silent == {"a"}
    assert correlation(COUNT.replace("}}", "}, generate: true}")).silent == frozenset()


@pytest.mark.parametrize(("text", "said"), [
    ("{type: sum, rules: [a], timespan: 1m}", "type: 'sum' is not supported"),
    ("{type: event_count, rules: [], timespan: 1m, condition: {gte: 1}}", "rules: names no rule"),
    ("{type: event_count, rules: [nobody], timespan: 1m, condition: {gte: 1}}", "there is no rule 'nobody'"),
    ("{type: event_count, rules: [a], timespan: 1m}", "condition: is not a mapping"),
    ("{type: event_count, rules: [a], timespan: 1m, condition: {}}", "compares with nothing"),
    ("{type: event_count, rules: [a], timespan: 1m, condition: {gte: x}}", "condition.gte: 'x' is not a whole number"),
    ("{type: event_count, rules: [a], timespan: 1m, condition: {least: 1}}", "condition.least: is not known"),
    ("{type: event_count, rules: [a], timespan: 1m, condition: {gte: 1, field: x}}", "belongs to value_count"),
    ("{type: value_count, rules: [a], timespan: 1m, condition: {gte: 1}}", "belongs to value_count"),
    ("{type: temporal, rules: [a, b], timespan: 1m, condition: {gte: 1}}", "temporal has none"),
    ("{type: temporal, rules: [a, a], timespan: 1m}", "names a rule twice"),
    ("{type: temporal, rules: [a, b], timespan: 10}", "timespan: 10 is not a number with"),
    ("{type: temporal, rules: [a, b], timespan: 0m}", "is not a number with"),
    ("{type: temporal, rules: [a, b], timespan: 90d}", "longer than 31 days"),
    ("{type: temporal, rules: [a, b], timespan: 1m, groupby: [x]}", "groupby: is not known"),
    ("{type: temporal, rules: [a, b], timespan: 1m, aliases: [x]}", "aliases: is not a mapping"),
    ("{type: temporal, rules: {a: 1}, timespan: 1m}", "rules: is neither a text nor a list"),
    ("[a]", "is not a mapping"),
])  # fmt: skip
def test_what_is_wrong_is_said_with_file_and_key(text: str, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        correlation(text)
    assert said in str(caught.value)
    assert "rules/corr.yml: correlation of corr" in str(caught.value)
