"""The query language as people type it: `user.name:张* AND source.ip:10.0.0.0/8 AND NOT event.outcome:success`.

    word  "two words"            in the text of the event        field:value  field:"a value"     the whole value
    field:a*  field:?b           * any run, ? one character      field:*                          the event has the field
    field:10.0.0.0/8             addresses in a network          field:/rege?x/                   RE2, found anywhere
    field:>5  field:<=5          numbers, dates                  field:[1 TO 9]  field:{1 TO *}   [ ] with the ends, { } without
    field:(a OR b)               any filter of values            a b  =  a AND b, OR, NOT x, -x, ( )
    … | top 20 source.ip, user.name                              what is most frequent in the result

Operators are written in capitals. A backslash takes its meaning from the character behind it.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from soc.errors import QueryError
from soc.fields import type_of
from soc.model import iso, micros
from soc.query import (
    All,
    And,
    Cidr,
    Contains,
    Exists,
    Filter,
    Not,
    Or,
    Prefix,
    Range,
    Regex,
    Term,
    Terms,
    TermsOf,
    Value,
    Wildcard,
)
from soc.store.fitting import fit_one
from soc.store.leaves import TEXT_FIELDS, kind_of, number

LONGEST_TEXT = 10_000
DEEPEST = 60
_SPECIAL = frozenset(' \t\r\n\u3000()"|')
_RELATIVE = re.compile(r"now(?:-(\d{1,6})([smhdw]))?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TOP = re.compile(r"\s*top(?:\s+(\d{1,5}))?\s+(\S.*)")
_ESCAPED = re.compile(r'([\\*?()"\[\]{}:/|<>\s\x00-\x1f\u3000]|^[-!])')


@dataclass(frozen=True, slots=True)
class Hunt:
    """What a query bar holds: a filter, and perhaps what to count in its result."""

    where: Filter
    top: TermsOf | None = None


def parse(text: str, now: int, known_fields: Collection[str] | None = None) -> Filter:
    """The filter that a text means; `now` (µs UTC) is what 'now-1h' counts from.

    With `known_fields` a field that is none of them is an error that suggests the nearest. Raises QueryError with the character.
    """
    return _Reader(text, now, known_fields).filter()


def parse_hunt(text: str, now: int, known_fields: Collection[str] | None = None) -> Hunt:
    """As `parse`, but ` | top 20 source.ip` may follow."""
    cut = _pipe(text)
    if cut is None:
        return Hunt(parse(text, now, known_fields))
    asked = _TOP.fullmatch(text[cut + 1 :].rstrip())
    if asked is None:
        raise QueryError("after | only 'top 20 field, field' is known", cut + 1)
    fields = tuple(name.strip() for name in asked[2].split(","))
    for name in fields:
        _check_field(name, text.rindex(name) if name else cut + 1, known_fields)
    return Hunt(parse(text[:cut], now, known_fields), TermsOf(fields, int(asked[1] or 10)))


def _pipe(text: str) -> int | None:
    """Where the | stands that ends the filter: not in quotes, not in a regular expression, not escaped."""
    blanked = re.sub(r'\\.|"(?:\\.|[^"\\])*"|:/(?:\\.|[^/\\])*/', lambda m: "x" * len(m[0]), text, flags=re.DOTALL)
    place = blanked.rfind("|")
    return place if place >= 0 else None


def _check_field(name: str, place: int, known: Collection[str] | None) -> None:
    if not name:
        raise QueryError("a field name is missing", place)
    if known is None or name in known:
        return
    near = difflib.get_close_matches(name, known, 3, 0.6)
    raise QueryError(f"no event has a field {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""), place)


class _Reader:
    """Recursive descent over the characters; `at` is the place of the next one."""

    def __init__(self, text: str, now: int, known: Collection[str] | None) -> None:
        if len(text) > LONGEST_TEXT:
            raise QueryError(f"a query may have {LONGEST_TEXT} characters, this one has {len(text)}", LONGEST_TEXT)
        self.text, self.now, self.known = text, now, known
        self.at = self.depth = 0

    def filter(self) -> Filter:
        self._blank()
        if self.at == len(self.text):
            return All()
        found = self._or(self._item)
        if self.at < len(self.text):
            why = "this parenthesis closes nothing" if self._peek() == ")" else f"{self._peek()!r} is not expected"
            raise QueryError(why, self.at)
        return found

    # ---- structure

    def _or(self, item: Callable[[], Filter]) -> Filter:
        parts = [self._and(item)]
        while self._word("OR"):
            parts.append(self._and(item))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self, item: Callable[[], Filter]) -> Filter:
        parts = [self._not(item)]
        while self._word("AND") or (self._peek() not in ("", ")", "|") and not self._ahead("OR")):
            parts.append(self._not(item))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self, item: Callable[[], Filter]) -> Filter:
        negated = False
        while self._word("NOT") or (self._peek() in ("-", "!") and self._take() != ""):
            negated = not negated
        if self._peek() == "(":
            start = self.at
            self._take()
            self._deeper()
            self._blank()
            found = self._or(item)
            if self._take() != ")":
                raise QueryError("this parenthesis is not closed", start)
            self.depth -= 1
            self._blank()
        else:
            found = item()
        return Not(found) if negated else found

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise QueryError(f"more than {DEEPEST} parentheses within each other", self.at)

    def _word(self, word: str) -> bool:
        if not self._ahead(word):
            return False
        self.at += len(word)
        self._blank()
        return True

    def _ahead(self, word: str) -> bool:
        end = self.at + len(word)
        return self.text.startswith(word, self.at) and (end == len(self.text) or self.text[end] in _SPECIAL)

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self) -> str:
        char = self._peek()
        self.at += 1
        return char

    def _blank(self) -> None:
        while self._peek().isspace():
            self.at += 1

    # ---- leaves

    def _item(self) -> Filter:
        """A word, or field:value."""
        start = self.at
        if not self._peek() or self._peek() in ")|" or self._ahead("AND") or self._ahead("OR"):
            raise QueryError("a word or field:value is missing here", start)
        if self._peek() == '"':
            return self._done(Contains(None, self._quoted()))
        word = self._bare(stop=":")
        if self._peek() != ":":
            if not word.wild:
                return self._done(Contains(None, word.text))
            star = [("*", False)]
            return self._done(Or(tuple(_glob(name, _Word(star + word.signs + star)) for name in TEXT_FIELDS)))
        self.at += 1
        if word.wild:
            raise QueryError("a field name has no * or ?", start)
        _check_field(word.text, start, self.known)
        if self._peek() == "(":
            return self._not(lambda: self._done(self._value(word.text)))
        return self._done(self._value(word.text))

    def _done(self, found: Filter) -> Filter:
        self._blank()
        return found

    def _value(self, name: str) -> Filter:
        start, char = self.at, self._peek()
        if not char or char in _SPECIAL - {'"'}:
            raise QueryError(f"what {name} should be is missing; {name}:* asks whether it is there", start)
        if char == '"':
            return Term(name, self._quoted())
        if char == "/":
            return Regex(name, self._regex())
        if char in "[{":
            return self._between(name)
        if char in "<>":
            return self._compared(name)
        word = self._bare()
        if word.signs == [("*", False)]:
            return Exists(name)
        if word.wild:
            return _glob(name, word)
        if _is_network(word.text):
            return Cidr(name, word.text)
        value = self._date(name, word.text, start)
        if fit_one(type_of(name), value) is None:
            raise QueryError(f"{name} is of type {type_of(name)}, {word.text!r} is not", start)
        return Term(name, value)

    def _compared(self, name: str) -> Filter:
        sign = self._take()
        if self._peek() == "=":
            sign += self._take()
        limit = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}[sign]
        return Range(name, **{limit: self._limit(name, "")})

    def _between(self, name: str) -> Filter:
        start = self.at
        opened = self._take()
        self._blank()
        low = self._limit(name, "]}")
        self._blank()
        if not self._word("TO"):
            raise QueryError("a range is written [low TO high], with * for an open end", start)
        high = self._limit(name, "]}")
        self._blank()
        closed = self._take()
        if closed not in ("]", "}"):
            raise QueryError("this range is not closed", start)
        return Range(name, **{"gte" if opened == "[" else "gt": low, "lte" if closed == "]" else "lt": high})

    def _limit(self, name: str, stop: str) -> Value | None:
        """One end of a range, None for *."""
        start = self.at
        if self._peek() == '"':
            return self._quoted()
        word = self._bare(stop)
        if not word.text:
            raise QueryError(f"what {name} is compared with is missing", start)
        if word.signs == [("*", False)]:
            return None
        if kind_of(name) in ("whole", "real") and type_of(name) != "date" and number(word.text) is None:
            raise QueryError(f"{name} is a number, {word.text!r} is none", start)
        return self._date(name, word.text, start)

    def _date(self, name: str, text: str, start: int) -> Value:
        """Dates become µs UTC: 'now', 'now-15m', ISO 8601."""
        if type_of(name) != "date":
            return text
        if relative := _RELATIVE.fullmatch(text):
            return self.now - int(relative[1] or 0) * _SECONDS[relative[2] or "s"] * 1_000_000
        if re.fullmatch("-?[0-9]{9,19}", text):
            return int(text)
        try:
            return micros(text)
        except ValueError:
            raise QueryError(f"{name} is a time such as 2026-01-31, 2026-01-31T08:00:00+08:00 or now-15m", start) from None

    def _quoted(self) -> str:
        start = self.at
        self.at += 1
        out: list[str] = []
        while (char := self._take()) != '"':
            if not char:
                raise QueryError("this quotation is not closed", start)
            out.append(self._take() if char == "\\" and self._peek() else char)
        return "".join(out)

    def _regex(self) -> str:
        start = self.at
        self.at += 1
        out: list[str] = []
        while (char := self._take()) != "/":
            if not char:
                raise QueryError("this regular expression is not closed by /", start)
            if char == "\\" and self._peek() == "/":
                char = self._take()
            elif char == "\\" and self._peek():
                char += self._take()
            out.append(char)
        return "".join(out)

    def _bare(self, stop: str = "") -> _Word:
        """Characters up to a blank, a parenthesis, a quotation mark, | or one of `stop`."""
        signs: list[tuple[str, bool]] = []
        while (char := self._peek()) and char not in _SPECIAL and char not in stop:
            self.at += 1
            escaped = char == "\\" and self._peek() != ""
            signs.append((self._take() if escaped else char, escaped))
        return _Word(signs)


@dataclass(frozen=True, slots=True)
class _Word:
    """Characters as typed, each with whether a backslash stood before it."""

    signs: list[tuple[str, bool]]

    @property
    def text(self) -> str:
        return "".join(char for char, _ in self.signs)

    @property
    def wild(self) -> bool:
        return any(char in "*?" and not escaped for char, escaped in self.signs)


def _glob(name: str, word: _Word) -> Filter:
    """A wildcard filter; as a regular expression where some * or ? means itself, for which Wildcard has no way."""
    if not any(char in "*?" and escaped for char, escaped in word.signs):
        return Wildcard(name, word.text)
    signs = {("*", False): ".*", ("?", False): "."}
    return Regex(name, "(?s)^" + "".join(signs.get(sign) or re.escape(sign[0]) for sign in word.signs) + "$")


def _is_network(text: str) -> bool:
    if "/" not in text:
        return False
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


# ------------------------------------------------------------------ back into text


def to_text(where: Filter) -> str:
    """A text that parses into a filter of the same meaning."""
    match where:
        case All():
            return ""
        case And(()):
            return "NOT (a -a)"
        case Or(()):
            return "(a -a)"
        case And(parts):
            return " ".join(_grouped(part, And) for part in parts)
        case Or(parts):
            return " OR ".join(_grouped(part, Or) for part in parts)
        case Not(part):
            return f"NOT {_grouped(part, Not)}"
        case Terms(name, values):
            return to_text(Or(tuple(Term(name, value) for value in values)))
        case Contains(None, text):
            return _quote(text)
        case _:
            return _leaf_text(where)


def _grouped(part: Filter, around: type) -> str:
    if isinstance(part, All):
        return "NOT (a -a)"
    text = to_text(part)
    if isinstance(part, Terms):
        part = Or(tuple(Term(part.field, value) for value in part.values))
    alone = not isinstance(part, And | Or) or len(part.parts) == 0
    return text if alone and not (around is Not and isinstance(part, Not)) else f"({text})"


def _leaf_text(leaf: Filter) -> str:
    match leaf:
        case Term(name, value):
            return f"{_escape(name)}:{_quote(_value_text(name, value))}"
        case Exists(name):
            return f"{_escape(name)}:*"
        case Prefix(name, text):
            return f"{_escape(name)}:{_escape(text) or '*'}*"
        case Contains(str(name), text):
            return f"{_escape(name)}:*{_escape(text)}*"
        case Wildcard(name, text) if not set(text) & {"*", "?"}:
            return _regex_text(name, f"(?s)^{re.escape(text)}$")  # a bare word would be read as a number or a date
        case Wildcard(name, text):
            return f"{_escape(name)}:{'**' if text == '*' else ''.join(c if c in '*?' else _escape(c) for c in text)}"
        case Cidr(name, network):
            return f"{_escape(name)}:{network if '/' in network else network + ('/128' if ':' in network else '/32')}"
        case Regex(name, pattern):
            return _regex_text(name, pattern)
        case Range():
            return _range_text(leaf)
    raise AssertionError(leaf)


def _regex_text(name: str, pattern: str) -> str:
    safe = re.sub(r"\\.|/", lambda found: found[0] if found[0] != "/" else "\\/", pattern, flags=re.DOTALL)
    return f"{_escape(name)}:/{safe}/"


def _range_text(leaf: Range) -> str:
    """One bracket for both ends: of a list, one element must lie between them. An end is given once, open or closed."""
    name = _escape(leaf.field)
    low, below = (leaf.gt, True) if leaf.gt is not None else (leaf.gte, False)
    high, above = (leaf.lt, True) if leaf.lt is not None else (leaf.lte, False)
    if low is None and high is None:
        return f"{name}:*"
    ends = ["*" if end is None else _quote(_value_text(leaf.field, end)) for end in (low, high)]
    if low is None or high is None:
        sign = (">" if low is not None else "<") + ("" if (below if low is not None else above) else "=")
        return f"{name}:{sign}{ends[0] if low is not None else ends[1]}"
    return f"{name}:{'{' if below else '['}{ends[0]} TO {ends[1]}{'}' if above else ']'}"


def _value_text(name: str, value: Value) -> str:
    if type_of(name) == "date" and type(value) is int:
        return iso(value)
    if isinstance(value, float) and value.is_integer() and kind_of(name) == "whole":
        return str(int(value))
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _escape(text: str) -> str:
    return _ESCAPED.sub(r"\\\1", text)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
