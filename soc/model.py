"""The nouns that travel: raw batches in, events through, alerts and incidents out.

Times inside an event and on every record are integers, microseconds since 1970-01-01 UTC: they are made a hundred thousand
times a second, compared, bucketed and written to columns, and an int does all of that for a tenth of what a datetime costs.
People and JSON see RFC 3339 text (`iso`); fields of type `date` in `soc.fields` are converted at that edge and nowhere else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

Event: TypeAlias = dict[str, object]
"""What one record means: dotted ECS names to str, int, float, bool or a list of these; dates as µs UTC. Never nested or None."""

Level: TypeAlias = Literal["informational", "low", "medium", "high", "critical"]
LEVELS: tuple[Level, ...] = ("informational", "low", "medium", "high", "critical")
"""Sigma's levels, mildest first: `LEVELS.index(level)` compares them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(micros: int) -> str:
    """RFC 3339 in UTC: 1_700_000_000_000_000 -> '2023-11-14T22:13:20Z'; microseconds only where there are any."""
    try:
        moment = datetime.fromtimestamp(micros // 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return str(micros)  # outside year 1..9999: shown as the number it is rather than lost
    text = moment.strftime("%Y-%m-%dT%H:%M:%S") if moment.year >= 1000 else moment.isoformat()[:19]
    rest = micros % 1_000_000
    return f"{text}.{rest:06d}Z" if rest else text + "Z"


def micros(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 text; without a zone it is taken as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def now() -> int:
    """This moment, µs since 1970 UTC."""
    return time.time_ns() // 1000


def event_id(seq: int, index: int) -> str:
    """An event's id is its place in the event log; text order is arrival order: (6703, 3) -> '0000001a2f-0003'."""
    return f"{seq:010x}-{index:04x}"


def place_of(id_: str) -> tuple[int, int]:
    """The (sequence, index) of an event id. Raises ValueError for anything that is not one."""
    seq, _, index = id_.partition("-")
    return int(seq, 16), int(index, 16)


def alert_id(*parts: str) -> str:
    """A digest that is the same whenever the same rule meets the same event: 32 hexadecimal digits."""
    return hashlib.blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Records of one source as they arrived, not yet understood. A record may hold line feeds (a stack trace)."""

    source: str
    """Stable name of what sent it: 'syslog', 'http:erp', 'file:/var/log/auth.log'."""
    records: Sequence[bytes]
    received: int
    """µs UTC, our clock."""
    format: str = "syslog"
    """How the records are to be opened, a name known to `collectors.formats`."""
    peers: tuple[tuple[str, int], ...] = ()
    """Addresses that sent them, in order, each with how many records: (('192.0.2.7', 480), ('192.0.2.9', 20))."""
    key: str | None = None
    """Names this very delivery (source + idempotency key, file offset): a second one with the same key is a duplicate."""
    position: tuple[str, str] | None = None
    """(name, value) to remember in the same transaction, such as a file and the offset behind these records."""

    def peer_of(self) -> Iterator[str]:
        """The sender's address of each record, in order; '' where none is known."""
        left = len(self.records)
        for address, count in self.peers:
            yield from (address for _ in range(min(count, left)))
            left -= min(count, left)
        yield from ("" for _ in range(left))


@dataclass(frozen=True, slots=True)
class LoggedBatch:
    """A raw batch at its place in the event log."""

    seq: int
    raw: RawBatch


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record of which not even the envelope could be read, kept whole."""

    id: str
    source: str
    received: int
    record: bytes
    reason: str
    format: str = "syslog"
    peer: str = ""


@dataclass(slots=True)
class Decoded:
    """What a batch turned out to mean. Every record is in exactly one of: an event, merged into one, quarantined."""

    events: list[Event] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    merged: int = 0
    """Records that became part of an event that another record began (auditd's five lines are one event)."""
    unparsed: dict[str, int] = field(default_factory=dict)
    """Program -> events that carry only time, host, program and message, because no parser knows the program."""
    parsers: list[str] = field(default_factory=list)
    """The parser of each event, in the order of `events` ('' where only the envelope was read)."""
    records: list[int] = field(default_factory=list)
    """The index in the batch of the record that each event began with."""


EntityKind: TypeAlias = Literal["host", "user", "address", "account", "system", "record"]


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """What an alert is about; two alerts that share one belong to the same story."""

    kind: EntityKind
    name: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What an alert says of the rule that raised it. The rule's meaning stays with its detector."""

    id: str
    title: str
    level: Level
    tags: tuple[str, ...] = ()
    author: str = ""
    """Sigma rules come under DRL 1.1, which asks that the author is named with the alert."""
    path: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule matched. The id is a digest of rule and event, so that a replay raises the same alert and not a second one."""

    id: str
    rule: Rule
    time: int
    """µs UTC of the event."""
    raised: int
    """µs UTC, our clock."""
    events: tuple[str, ...]
    """Ids of the events it rests on, at most 100; `count` is the true number."""
    entities: tuple[Entity, ...] = ()
    source: str = ""
    dataset: str = ""
    summary: str = ""
    count: int = 1
    sample: bool = False
    """Raised by the shipped sample scenario, and removed with it."""
