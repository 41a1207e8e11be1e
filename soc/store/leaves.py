"""What the values of a filter mean for a field's type, for the evaluator in Python and the one in SQL alike."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import re2

from soc.errors import QueryError
from soc.fields import REAL, WHOLE, type_of
from soc.model import micros
from soc.query import Range, Value
from soc.store.fitting import INT64, fit_one

Kind: TypeAlias = Literal["text", "whole", "real", "truth"]
"""How a field compares: a date is a whole number."""
TEXT_FIELDS = ("message", "event.original")
"""What a search for bare words looks at."""
STATS = ("sum", "avg", "min", "max", "p50", "p95", "p99")
Bound: TypeAlias = tuple[Literal[">=", ">", "<=", "<"], str | int | float]

NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
"""A text that is read as a number, by the whole of it."""
LONGEST_PATTERN = 1000
_NUMBER = re.compile(NUMBER)


def kind_of(name: str) -> Kind:
    kind = type_of(name)
    if kind in WHOLE or kind == "date":
        return "whole"
    if kind in REAL:
        return "real"
    return "truth" if kind == "boolean" else "text"


def is_date(name: str) -> bool:
    return type_of(name) == "date"


def has_text(name: str) -> bool:
    """Whether prefix, wildcard and the like apply: real numbers and dates have no one way to be written."""
    return kind_of(name) != "real" and not is_date(name)


def fold(text: str) -> str:
    """Lower case, character by character (Unicode simple lower-casing, as the store's engine does)."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := c.lower()) == 1 else "i" for c in text)  # only U+0130 becomes two characters


def term(name: str, value: Value) -> str | int | float | bool | None:
    """The value as the field compares it, text folded; None when no value of the field can equal it."""
    good = fit_one(type_of(name), value)
    return fold(good) if isinstance(good, str) else good


def number(text: str) -> float | None:
    """The finite number that a text is, or None."""
    if len(text) > 64 or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Bounds:
    """A Range made ready: numeric and text bounds of one field; None of either means that it need only exist."""

    numbers: tuple[Bound, ...] = ()
    texts: tuple[Bound, ...] = ()


def bounds(leaf: Range) -> Bounds | None:
    """What the range asks of its field, or None when nothing can lie in it (a bound that is no number on a number field)."""
    kind = kind_of(leaf.field)
    limits = ((">=", leaf.gte), (">", leaf.gt), ("<=", leaf.lte), ("<", leaf.lt))
    given = [(op, value) for op, value in limits if value is not None]
    if kind == "truth" and given:
        return None
    numbers: list[Bound] = []
    texts: list[Bound] = []
    for op, value in given:
        read = _read(leaf.field, value)
        if kind == "text" and read is None:
            texts.append((op, fold(str(value))))  # type: ignore[arg-type]
            continue
        exact = _whole_bound(op, read) if kind == "whole" and read is not None else _real_bound(op, read)
        if exact is None:
            return None
        numbers.append(exact)
    return Bounds(tuple(numbers), tuple(texts))


def _read(name: str, value: Value) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if is_date(name):
            try:
                return int(value) if value.lstrip("-").isdigit() else micros(value)
            except ValueError:
                return None
        if kind_of(name) == "whole" and re.fullmatch("[+-]?[0-9]{1,40}", value):
            return int(value)
        return number(value)
    return value if isinstance(value, int) or math.isfinite(value) else None


def _whole_bound(op: str, value: int | float) -> Bound:
    """The bound as >= or <= of a whole number of 64 bits: > 1.5 is >= 2."""
    if op in (">=", ">"):
        low = math.ceil(value) if op == ">=" else math.floor(value) + 1
        return (">=", low) if low in INT64 else (">=", INT64[0]) if low < 0 else ("<", INT64[0])
    high = math.floor(value) if op == "<=" else math.ceil(value) - 1
    return ("<=", high) if high in INT64 else ("<=", INT64[-1]) if high > 0 else ("<", INT64[0])


def _real_bound(op: str, value: int | float | None) -> Bound | None:
    if value is None:
        return None
    try:
        return (op, float(value))  # type: ignore[return-value]
    except OverflowError:
        return None


@lru_cache(maxsize=1024)
def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Raises QueryError for what is neither an address nor a network."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise QueryError(f"{text!r} is no IPv4 or IPv6 network such as 10.0.0.0/8") from None


def lies_in(text: str, net: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Whether a text is an address in the network; '::ffff:192.0.2.7' is the IPv4 address too."""
    try:
        if isinstance(net, ipaddress.IPv4Network):
            return ipaddress.IPv4Address(text[7:] if text[:7].lower() == "::ffff:" else text) in net
        return ipaddress.IPv6Address(text) in net
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def pattern(text: str) -> str:
    """The regex as both evaluators compile it. Raises QueryError for one that RE2 does not take."""
    compiled(text)
    return f"(?i)(?:{text})"


@lru_cache(maxsize=1024)
def compiled(text: str) -> re2._Regexp:
    if len(text) > LONGEST_PATTERN:
        raise QueryError(f"the regular expression is longer than {LONGEST_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)  # by itself first: 'a)(b' would become valid inside our group
        return re2.compile(f"(?i)(?:{text})", options)
    except (re2.error, UnicodeError) as error:
        raise QueryError(f"{text!r} is no regular expression that RE2 takes: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


@lru_cache(maxsize=1024)
def glob(text: str) -> str:
    """A wildcard pattern as a regular expression over the whole of a folded text."""
    if len(text) > LONGEST_PATTERN:
        raise QueryError(f"the wildcard pattern is longer than {LONGEST_PATTERN} characters")
    return "(?s)" + "".join(".*" if c == "*" else "." if c == "?" else re2.escape(c) for c in re.sub(r"\*+", "*", fold(text)))


@lru_cache(maxsize=1024)
def compiled_glob(text: str) -> re2._Regexp:
    return re2.compile(glob(text))
