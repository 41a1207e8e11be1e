"""The engine against the judge: random rules over random events, and every way in which a value can be odd."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detections.mapping import Tagged, Where, Windows
from detections.sigma import plan, scan
from detections.sigma.ir import MANY, ONE, And, Node, Not, Or, Pattern, Predicate, joined
from detections.sigma.matcher import Matcher
from detections.sigma.plan import Plan
from detections.sigma.planner import Planned
from detections.sigma.text import fold, keyword_texts
from tests.detections.sigma import reference

SECURITY = "Security"
DECLARED = {"web.access": ("webserver", "linux", "nginx"), "app.log": (None, "app", None)}
FIELDS = (
    "process.executable", "process.command_line", "user.name", "source.ip", "destination.port", "message", "odd.flag", "tags",
)  # fmt: skip
WORDS = (
    "cmd", "Cmd.EXE", "powershell", "-enc", "a", "ab", "aba", "10.0.0.7", "198.51.100.9", "22", "", "-", "监管", "药品",
    "\u017fS", "\u212a", "\u0130", "\\\\host\\share", 'say "x"', "\x1f", "\x1e", "tail\n", "/etc/shadow", "%00", "ß",
    "true", "0", "1",
)  # fmt: skip
"""Letters that fold oddly, separators of the scan, escapes, numbers and booleans as text."""


def _value(dice: random.Random) -> Any:
    kind = dice.random()
    if kind < 0.7:
        return dice.choice(("", " ", "/", "")).join(dice.choices(WORDS, k=dice.choice((1, 1, 2, 3, 5))))
    if kind < 0.8:
        return dice.choice((0, 1, 22, 443, 10**12, -5))
    if kind < 0.86:
        return dice.choice((True, False))
    if kind < 0.9:
        return dice.choice((1.5, 22.0))
    if kind < 0.96:
        return [_value(dice) for _ in range(dice.choice((0, 1, 2, 3)))]
    return "x" * 3_000 + dice.choice(WORDS)


def _flat(value: Any) -> Any:
    """Lists hold no lists: the model says so."""
    return [one for one in value if not isinstance(one, list)] if isinstance(value, list) else value


def _event(dice: random.Random) -> dict[str, Any]:
    event = {name: _flat(_value(dice)) for name in dice.sample(FIELDS, dice.randint(0, len(FIELDS)))}
    where = dice.random()
    if where < 0.5:
        event |= {
            "event.dataset": "windows.security", "winlog.channel": dice.choice((SECURITY, "System")),
            "event.code": dice.choice(("1", "4624", "4625")),
        }  # fmt: skip
    elif where < 0.9:
        event["event.dataset"] = dice.choice(("web.access", "app.log", "unknown.thing"))
    return event


def _pattern(dice: random.Random, cased: bool) -> Pattern:
    parts: list[str | int] = []
    for word in dice.choices(WORDS, k=dice.choice((1, 1, 1, 2))):
        if dice.random() < 0.5 and (not parts or parts[-1] != MANY):
            parts.append(MANY)
        if dice.random() < 0.1:
            parts.append(ONE)
        text = word if cased else fold(word)
        if parts and isinstance(parts[-1], str):
            parts[-1] += text
        elif text:
            parts.append(text)
    if dice.random() < 0.5 and (not parts or parts[-1] != MANY):
        parts.append(MANY)
    return tuple(parts)


REGEXES = (
    "cmd|powershell", "^-enc", "a{2,}b", "[0-9]{2,}", "10\\.0\\.", "药.?品", "(ab|ba)+c?", "x{50}", "^.{3}$", "\\\\host", "e",
)  # fmt: skip


def _predicate(dice: random.Random) -> Predicate:
    field: str | None = dice.choice(FIELDS)
    kind = dice.random()
    if kind < 0.08:
        return Predicate(None, "is", _pattern(dice, False))
    if kind < 0.6:
        return Predicate(field, "is", _pattern(dice, False))
    if kind < 0.66:
        return Predicate(dice.choice((field, None)), "cased", _pattern(dice, True))
    if kind < 0.74:
        return Predicate(dice.choice((field, field, None)), "re", (dice.choice(REGEXES), dice.choice(("", "i", "s"))))
    if kind < 0.78:
        return Predicate(field, "null")
    if kind < 0.82:
        return Predicate(field, "exists")
    if kind < 0.86:
        return Predicate(field, "cidr", dice.choice(("10.0.0.0/8", "198.51.100.0/24", "::/0")))
    if kind < 0.9:
        return Predicate(field, "compare", (dice.choice(("lt", "lte", "gt", "gte", "neq")), dice.choice((0.0, 1.0, 22.0))))
    if kind < 0.94:
        return Predicate(field, "fieldref", (dice.choice(FIELDS), dice.random() < 0.5, dice.random() < 0.5))
    return Predicate(dice.choice(("event.code", "winlog.channel")), "is", (fold(dice.choice(("4624", "4625", SECURITY))),))


def _node(dice: random.Random, depth: int = 3) -> Node:
    if depth == 0 or dice.random() < 0.35:
        return _predicate(dice)
    kind = dice.random()
    if kind < 0.2:
        return Not(_node(dice, depth - 1))
    return joined(And if kind < 0.65 else Or, [_node(dice, depth - 1) for _ in range(dice.randint(1, 4))])


PLACES: tuple[Where, ...] = (
    Windows(None, None), Windows((SECURITY,), None), Windows((SECURITY,), ("4624", "4625")), Tagged("webserver", None, None),
    Tagged(None, "app", None), Tagged(None, "linux", "nginx"), Tagged(None, None, None),
)  # fmt: skip
SOURCES = {"web.access": DECLARED["web.access"], "app.log": DECLARED["app.log"], "unknown.thing": (None, "unknown", "thing")}


def _applies(where: Where, event: dict[str, Any]) -> bool:
    dataset = event.get("event.dataset")
    if isinstance(where, Windows):
        return (
            dataset == "windows.security"
            and (where.channels is None or event["winlog.channel"] in where.channels)
            and (where.codes is None or event["event.code"] in where.codes)
        )
    source = SOURCES.get(dataset) if dataset else (None, None, None)
    return source is not None and all(part is None or part == own for part, own in zip(where, source, strict=True))


def _wanted(rules: list[Planned], events: list[dict[str, Any]]) -> Iterator[tuple[int, int]]:
    for number, event in enumerate(events):
        for at, rule in enumerate(rules):
            if _applies(rule.where, event) and reference.holds(rule.node, event, keyword_texts):
                yield number, at


def engine(path: Path, rules: list[Planned]) -> Matcher:
    digest = plan.digest_of(repr(rules).encode("utf-8", "surrogatepass"))
    plan.write(path, digest, rules, DECLARED, None)
    return Matcher(Plan(path, digest), DECLARED)


@pytest.mark.parametrize("scanner", ["hyperscan", "aho-corasick"])
@pytest.mark.parametrize("seed", range(6))
def test_random_rules_over_random_events_match_as_the_judge_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, scanner: str
) -> None:
    if scanner == "aho-corasick":
        monkeypatch.setattr(scan, "hyperscan", None)
    dice = random.Random(seed)
    rules = [Planned(dice.choice(PLACES), _node(dice)) for _ in range(150)]
    events = [_event(dice) for _ in range(400)]
    matcher = engine(tmp_path / "plan", rules)
    found = []
    for at in range(0, len(events), 90):  # batches: what was learned in one must not mislead the next
        found += [(at + number, rule) for number, own in matcher.run(events[at : at + 90]) for rule in own]
    assert len(found) == len(set(found))
    wrong = sorted(set(found) ^ set(_wanted(rules, events)))
    assert not wrong, [(rules[rule], events[number]) for number, rule in wrong[:2]]
    assert matcher.plan.late == 0
