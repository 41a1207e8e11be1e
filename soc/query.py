"""The one query language: filters and aggregations as data. No SQL and no query DSL stands anywhere else.

Meaning, the same for every store (`tests/contracts` holds them to it):
- a leaf on a field that the event lacks is false, so `Not(leaf)` is true there;
- text compares in lower case (Unicode simple lower-casing), numbers as numbers, and a list matches when any element does;
- `Term("source.port", "22")` and `Term("source.port", 22)` mean the same: the field's type decides. A value that the field can
  never have ('ssh' as a port) matches nothing; a pattern or network that is none is a QueryError;
- Prefix, Contains, Wildcard, Regex and Cidr look at texts, whole numbers and truth values, not at real numbers and dates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from soc.model import Event

Value: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class All:
    """Every event."""


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter


@dataclass(frozen=True, slots=True)
class Term:
    """The field has this very value."""

    field: str
    value: Value


@dataclass(frozen=True, slots=True)
class Terms:
    """The field has one of these values."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Lower and upper bounds, each optional; on dates µs UTC, on text fields numbers are read from the text."""

    field: str
    gte: Value | None = None
    gt: Value | None = None
    lte: Value | None = None
    lt: Value | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    field: str


@dataclass(frozen=True, slots=True)
class Prefix:
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Contains:
    """Substring. `field` None means the text of the event: message and event.original."""

    field: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`*` any run, `?` one character, over the whole value."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Cidr:
    """The address lies in the network, IPv4 or IPv6."""

    field: str
    network: str


@dataclass(frozen=True, slots=True)
class Regex:
    """Found anywhere in the value; RE2 syntax, so no pattern can take more than linear time."""

    field: str
    pattern: str


Filter: TypeAlias = All | And | Or | Not | Term | Terms | Range | Exists | Prefix | Contains | Wildcard | Cidr | Regex


@dataclass(frozen=True, slots=True)
class Query:
    """Events that pass `where` within [since, until), newest first unless `oldest_first`; µs UTC, None is open."""

    where: Filter = field(default_factory=All)
    since: int | None = None
    until: int | None = None
    limit: int = 100
    fields: tuple[str, ...] | None = None
    """Columns wanted; None is all of them, which costs far more on a list."""
    after: tuple[int, str] | None = None
    """(@timestamp, event.id) of the last row already seen."""
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class DateHistogram:
    """Counts per interval of µs, from multiples of it since 1970, optionally split by a field (its `size` most frequent values).

    What has another value or none is counted under None, so that the parts of an interval add up. Empty intervals are left out.
    """

    interval: int
    by: str | None = None
    size: int = 10
    field: str = "@timestamp"


@dataclass(frozen=True, slots=True)
class TermsOf:
    """The `size` most frequent values of one field or of several together, most frequent first, ties in text order.

    An event counts once for each of its distinct values (and combinations), and not at all where a field is missing.
    """

    fields: tuple[str, ...]
    size: int = 10


@dataclass(frozen=True, slots=True)
class Cardinality:
    """How many distinct values."""

    field: str


@dataclass(frozen=True, slots=True)
class Stat:
    """One figure over a numeric field: 'sum', 'avg', 'min', 'max', or 'p50', 'p95', 'p99'."""

    kind: str
    field: str


Aggregation: TypeAlias = DateHistogram | TermsOf | Cardinality | Stat


@dataclass(frozen=True, slots=True)
class Bucket:
    """One row of an aggregation: its key (interval start, or values in the order of the fields) and how many events."""

    key: tuple[Value | None, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Found:
    """A page of events. `partial` says that the deadline came first and these are not all."""

    events: list[Event]
    after: tuple[int, str] | None = None
    """What to pass as `Query.after` for the next page; None when this was the last."""
    partial: bool = False
