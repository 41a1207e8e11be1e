"""From a condition to the source of an expression over `verify.Folded`: cheap and selective tests first."""

from __future__ import annotations

import ipaddress
import re
import types
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from detections.sigma.ir import MANY, And, Node, Not, Or, Pattern, Predicate

LONG = frozenset(
    {
        "powershell.file.script_block_text",
        "message",
        "event.original",
        *(f"winlog.event_data.{name}" for name in ("Payload", "ContextInfo", "Data", "ScriptBlockText")),
    }
)
"""Fields of long texts: a test costs eight times as much."""

How: TypeAlias = Literal["eq", "pre", "suf", "in"]
_PLAIN = {
    "eq": "L[{0!r}]=={1!r}",
    "pre": "L[{0!r}].startswith({1!r})",
    "suf": "L[{0!r}].endswith({1!r})",
    "in": "{1!r} in L[{0!r}]",
}


class Piece(NamedTuple):
    """Source of a test, what it costs (a plain comparison costs 1, about 0.04 µs) and how often it holds."""

    source: str
    cost: float
    chance: float


def shape(one: Predicate) -> tuple[How, str, str] | None:
    """(how, field, folded literal) of a comparison that one string method decides; None for any other."""
    if one.kind != "is" or one.field is None:
        return None
    pattern = _pattern(one)
    texts = [part for part in pattern if isinstance(part, str)]
    if not texts:
        return ("eq", one.field, "") if not pattern else None
    if len(texts) > 1 or any(part not in (MANY, texts[0]) for part in pattern):
        return None
    open_start, open_end = pattern[0] == MANY, pattern[-1] == MANY
    how: How = "in" if open_start and open_end else "suf" if open_start else "pre" if open_end else "eq"
    return how, one.field, texts[0]


def regex_of(pattern: Pattern) -> str:
    """A pattern's wildcards as a regex (with flag s)."""
    return "".join(re.escape(part) if isinstance(part, str) else ".*" if part == MANY else "." for part in pattern)


def _pattern(one: Predicate) -> Pattern:
    assert isinstance(one.value, tuple)
    return one.value


class Source:
    """Writes the test of a condition. `chance` says how often a predicate holds; wrong guesses cost speed, never truth."""

    def __init__(self, chance: Callable[[Predicate], float] = lambda _: 0.5) -> None:
        self._chance = chance
        self._variables = 0

    def code(self, node: Node) -> types.CodeType:
        """The compiled test, a function of one `Folded`. Can be kept with marshal."""
        module = compile("lambda L:" + self.piece(node).source, "<rule>", "eval")
        return next(one for one in module.co_consts if isinstance(one, types.CodeType))

    def piece(self, node: Node) -> Piece:
        if isinstance(node, Predicate):
            source, cost = self.test(node)
            return Piece(source, cost, min(1.0, self._chance(node)))
        if isinstance(node, Not):
            inner = self.piece(node.part)
            return Piece(f"not ({inner.source})", inner.cost, 1 - inner.chance)
        is_or = isinstance(node, Or)
        pieces = self._together(node)
        pieces.sort(key=lambda one: one.cost / ((one.chance if is_or else 1 - one.chance) + 0.02))
        chance = min(1.0, sum(one.chance for one in pieces)) if is_or else min(one.chance for one in pieces)
        source = (" or " if is_or else " and ").join(f"({one.source})" for one in pieces)
        return Piece(source, sum(one.cost for one in pieces), chance)

    def _together(self, node: And | Or) -> list[Piece]:
        """The parts' pieces; comparisons of one field of one kind become one test."""
        is_or = isinstance(node, Or)
        groups: dict[tuple[str, How], list[tuple[str, Predicate]]] = defaultdict(list)
        pieces = []
        for part in node.parts:
            plain = shape(part) if isinstance(part, Predicate) else None
            if plain and (is_or or plain[0] == "in"):
                assert isinstance(part, Predicate)
                groups[plain[1], plain[0]].append((plain[2], part))
            else:
                pieces.append(self.piece(part))
        for (field, how), members in groups.items():
            chances = [min(1.0, self._chance(one)) for _, one in members]
            chance = min(1.0, sum(chances)) if is_or else min(chances)
            if len(members) == 1:
                pieces.append(Piece(*self.test(members[0][1]), chance))
            else:
                pieces.append(Piece(*self._group(field, how, [text for text, _ in members], is_or), chance))
        return pieces

    def _group(self, field: str, how: How, texts: Sequence[str], is_or: bool) -> tuple[str, float]:
        if how == "eq":
            return f"L[{field!r}] in {{{','.join(map(repr, sorted(texts)))}}}", 1
        if how != "in":
            method = "startswith" if how == "pre" else "endswith"
            return f"L[{field!r}].{method}({tuple(texts)!r})", 1 + 0.1 * len(texts)
        self._variables += 1
        name, word = f"v{self._variables}", " or " if is_or else " and "
        tests = [f"{texts[0]!r} in ({name}:=L[{field!r}])", *(f"{text!r} in {name}" for text in texts[1:])]
        return word.join(tests), _weight(field) * (1 + 0.5 * len(texts))

    def test(self, one: Predicate) -> tuple[str, float]:
        """(source, cost) of one predicate."""
        if plain := shape(one):
            how, field, text = plain
            return _PLAIN[how].format(field, text), 1.2 * _weight(field) if how == "in" else 1
        written: tuple[str, float] = getattr(self, f"_{one.kind}")(one)
        return written

    def _is(self, one: Predicate) -> tuple[str, float]:
        pattern, field = _pattern(one), one.field
        texts = [part for part in pattern if isinstance(part, str)]
        longest = max(texts, key=len, default="")
        if field is None:
            if not texts:
                return "bool(keyword_texts(L.event))", 9
            search = f"any_folded(L,RX['search',{regex_of(pattern)!r},'s'])"
            if len(texts) == 1 and all(part in (MANY, longest) for part in pattern) and longest.isprintable():
                return f"{longest!r} in L[None]", 4
            return (f"{longest!r} in L[None] and {search}" if longest.isprintable() else search), 9
        match = f"RX['fullmatch',{regex_of(pattern)!r},'s'](L[{field!r}])"
        if not texts:
            there = f"L[{field!r}] is not M"
            return (there if pattern == (MANY,) else f"{there} and {match}"), 1
        return f"{longest!r} in L[{field!r}] and {match}", 3 * _weight(field)

    def _cased(self, one: Predicate) -> tuple[str, float]:
        regex, field = regex_of(_pattern(one)), one.field
        if field is None:
            return f"any_raw(L,RX['search',{regex!r},'s'])", 9
        return f"raw(L,{field!r}) is not M and RX['fullmatch',{regex!r},'s'](raw(L,{field!r}))", 5 * _weight(field)

    def _re(self, one: Predicate) -> tuple[str, float]:
        regex, flags = self._pair(one)
        if one.field is None:
            return f"any_raw(L,RX['search',{regex!r},{flags!r}])", 40
        self._variables += 1
        name = f"v{self._variables}"
        return f"({name}:=raw(L,{one.field!r})) is not M and RX['search',{regex!r},{flags!r}]({name})", 10 * _weight(one.field)

    @staticmethod
    def _pair(one: Predicate) -> tuple[Any, Any]:
        assert isinstance(one.value, tuple)
        return one.value[0], one.value[1]

    def _null(self, one: Predicate) -> tuple[str, float]:
        return f"L[{one.field!r}] is M", 1

    def _exists(self, one: Predicate) -> tuple[str, float]:
        return f"L[{one.field!r}] is not M", 1

    def _cidr(self, one: Predicate) -> tuple[str, float]:
        network = ipaddress.ip_network(str(one.value))
        ends = f"{network.version},{int(network.network_address)},{int(network.broadcast_address)}"
        return f"in_network(L,{one.field!r},{ends})", 4

    def _compare(self, one: Predicate) -> tuple[str, float]:
        operator, number = self._pair(one)
        return f"compares(L,{one.field!r},{operator!r},{number!r})", 4

    def _fieldref(self, one: Predicate) -> tuple[str, float]:
        assert isinstance(one.value, tuple)
        other, at_start, at_end = one.value
        return f"same(L,{one.field!r},{other!r},{at_start!r},{at_end!r})", 4

    def _time(self, one: Predicate) -> tuple[str, float]:
        part, number = self._pair(one)
        return f"time_part(L,{one.field!r},{part!r},{number!r})", 4


def _weight(field: str) -> float:
    return 8 if field in LONG else 1
