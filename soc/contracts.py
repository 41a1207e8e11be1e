"""What a room offers, and what it may ask for. One page on purpose: read it whole.

A room fills some of these and is handed others by the composition root (`soc/wiring.py`); it never imports another room.
Extensions are written for one value; whoever calls them works in batches and touches each distinct value once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Protocol, TypeAlias

from soc.model import Decoded, Event, LoggedBatch, Quarantined, RawBatch, Rule
from soc.query import Aggregation, Bucket, Filter, Found, Query

Fields: TypeAlias = dict[str, object]
"""Dotted ECS names to values: ``{"source.ip": "192.0.2.7", "event.action": "ssh_login"}``."""


# ------------------------------------------------------------------ collectors


@dataclass(slots=True)
class RawLine:
    """One record whose envelope has been opened: the syslog header is gone, ``body`` is what the program wrote.

    Not frozen because two hundred thousand a second are made; a parser must not change it.
    """

    body: str
    program: str = ""
    host: str = ""
    time: int = 0
    """µs UTC from the header, or when it was received if the header has none."""
    pid: str = ""
    zone: tzinfo | None = None
    """Where the source writes times that name no zone; None is this machine's zone."""


class Parser(Protocol):
    """One log format; a module in `collectors/parsers` is one. What it does not set, the envelope has set already.

    A module may offer more (docs/parsers.md): `formats`, record formats without a syslog header that it reads; `logsources`,
    dataset -> Sigma's (category, product, service); `marks` and `parse_json(record, line)` for JSON objects that have these
    keys; `key(line)` and `combine(bodies)` for records that are one event together.
    """

    programs: tuple[str, ...]
    """Names under which the program signs its lines; the dispatcher asks no other parser about them."""
    dataset: str
    """`event.dataset` of its events, '<product>.<stream>'; detection routes by it."""
    fields: tuple[str, ...]
    """Every field it may set, besides the envelope's. Each stands in `soc.fields` with one type."""

    def parse(self, line: RawLine) -> Fields | None:
        """ECS fields of this line, or None for "not one I know" (it stays a searchable, unparsed event)."""


class Decoder(Protocol):
    """From a logged batch to events: opens envelopes, dispatches to parsers, merges, quarantines. Never raises."""

    def decode(self, batch: LoggedBatch) -> Decoded: ...


class Appender(Protocol):
    """Where a collector puts what it received; returns only when it is durable. Raises LogFull (nothing was taken)."""

    def append(self, batches: Sequence[RawBatch]) -> list[int | None]:
        """The sequence of each batch in one transaction; None for one whose key was there before (counted as duplicate)."""

    def lost(self, source: str, records: int, reason: str) -> None:
        """Count records that never reached us whole (a kernel's drops, a frame that was cut): `dropped` in the ledger."""

    def position(self, name: str) -> str | None:
        """What the last batch with this position name remembered, for example a file's offset."""

    def pressure(self) -> bool:
        """True while the backlog is too long or the disk too full: stop reading, or answer 429/503."""


class Collector(Protocol):
    """Reads from the outside and appends. Built with its Config and an Appender; runs inside the collector process."""

    async def start(self) -> Mapping[str, str]:
        """Open what it listens on; the addresses really bound, by name: {"syslog.udp": "127.0.0.1:5514"}."""

    async def stop(self) -> None:
        """Take no more, append what was taken, return."""


# ------------------------------------------------------------------ the event log


@dataclass(slots=True)
class Tally:
    """What became of the batches behind a cursor; committed with it, so that the ledger is exact through any crash."""

    stored: dict[str, int] = field(default_factory=dict)
    """Source -> records that are in stored events (merged ones included)."""
    quarantined: list[Quarantined] = field(default_factory=list)
    unparsed: dict[tuple[str, str], int] = field(default_factory=dict)
    """(source, program) -> events."""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """The account of one source: received = stored + quarantined + duplicate + pending, always. `dropped` never arrived."""

    source: str
    received: int = 0
    stored: int = 0
    quarantined: int = 0
    duplicate: int = 0
    pending: int = 0
    """In the log, not yet through the workers."""
    dropped: int = 0
    first: int | None = None
    last: int | None = None
    bytes: int = 0

    @property
    def balances(self) -> bool:
        return self.received == self.stored + self.quarantined + self.duplicate + self.pending


class EventLog(Appender, Protocol):
    """What was received, in order; the source of truth until the store has it."""

    def read(self, share: int, shares: int, after: int, limit: int) -> list[LoggedBatch]:
        """Batches of this share (sequence % shares == share) behind `after`, in order."""

    def cursor(self, share: int, shares: int) -> int:
        """The sequence up to which this share has been committed. Another number of shares begins at the lowest of the old."""

    def commit(self, share: int, shares: int, seq: int, tally: Tally) -> None:
        """All batches of this share up to `seq` are stored: move the cursor and the ledger in one transaction."""

    def ledger(self) -> list[LedgerLine]: ...
    def quarantine(self, source: str | None = None, limit: int = 100) -> list[Quarantined]: ...
    def requeue(self, ids: Sequence[str]) -> int:
        """Send quarantined records through the pipeline again; how many. The ledger stays balanced."""

    def unparsed(self) -> list[tuple[str, str, int]]:
        """(source, program, events) that no parser knew, most first."""

    def behind(self) -> int:
        """The sequence that every share has committed: what is remembered to recognise replays up to it may go."""

    def forget(self, prefix: str) -> None:
        """Remove every trace of sources whose name begins so (the sample scenario's)."""

    def close(self) -> None: ...


# ------------------------------------------------------------------ detection


@dataclass(frozen=True, slots=True)
class Match:
    """Event number `event` of the batch satisfies the rule."""

    event: int
    rule: Rule


class Detector(Protocol):
    """Looks at a batch of events at once. `match` never raises for what an event holds."""

    def match(self, events: Sequence[Event]) -> list[Match]: ...

    @property
    def rules(self) -> Mapping[str, Rule]:
        """Rules that are loaded and can match, by id."""

    @property
    def unusable(self) -> Mapping[str, str]:
        """Rule file or id -> why it cannot match (broken, unmapped field, no such log source)."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One event that a correlation rule counts."""

    base: str
    """Id of the base rule that it satisfied."""
    group: str
    """The values of the rule's group-by fields, joined; '' without group-by."""
    time: int
    event: str
    """Event id."""
    value: str = ""
    """For value_count: what is told apart."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A correlation rule is satisfied: by these events, the last of them at `time`."""

    time: int
    events: tuple[str, ...]
    count: int


class Correlation(Protocol):
    """A rule over many events. Pure: who keeps the signals is `soc.correlations`."""

    @property
    def rule(self) -> Rule: ...

    @property
    def bases(self) -> frozenset[str]:
        """Ids of the base rules it counts."""

    @property
    def silent(self) -> frozenset[str]:
        """Base rules that raise no alerts of their own (Sigma's `generate: false`)."""

    @property
    def timespan(self) -> int:
        """µs."""

    def signal(self, base: str, event: Event) -> Signal | None:
        """What this event counts for; None if it lacks a group-by field."""

    def evaluate(self, signals: Sequence[Signal]) -> list[Hit]:
        """Hits among the signals of one group, in any order: sliding windows on event time, one hit for each burst."""


# ------------------------------------------------------------------ the event store


class StoreWriter(Protocol):
    """One worker's way into the store."""

    def append(self, seq: int, events: Sequence[Event]) -> None:
        """Searchable at once by other processes, durable after `flush`. A sequence that was flushed before is left out."""

    def flush(self) -> None:
        """Make everything appended durable. Atomic: after a crash either all of it is there or none.

        Raises OSError when the disk does not let us (everything is still waiting), Conflict when another writer took over.
        """

    @property
    def waiting(self) -> int:
        """Events appended and not yet flushed."""

    def settle(self, below: int) -> None:
        """Cursors have passed this sequence: marks kept to recognise a replay may go."""

    def close(self) -> None: ...


class EventStore(Protocol):
    """Questions asked of stored events, also of those a worker has not flushed yet. `deadline_secs` makes results partial."""

    def search(self, query: Query, deadline_secs: float | None = None) -> Found: ...
    def count(self, where: Filter, since: int | None = None, until: int | None = None) -> int: ...
    def aggregate(
        self,
        where: Filter,
        aggregations: Mapping[str, Aggregation],
        since: int | None = None,
        until: int | None = None,
        deadline_secs: float | None = None,
    ) -> dict[str, list[Bucket] | float | None]:
        """DateHistogram and TermsOf give buckets, Cardinality and Stat a number (None over no values).

        The dict may have an attribute `partial`, true when the deadline came first or part of the store could not be read.
        """

    def get(self, ids: Iterable[str]) -> dict[str, Event]:
        """Whole events by id; ids that are not there are absent."""

    def fields(self) -> dict[str, str]:
        """Field names that occur in stored events, with their ECS type."""

    def delete(self, where: Filter) -> int:
        """Take matching events out for good (a removed sample, a replayed line); how many."""

    def retain(self, keep_days: int, max_bytes: int = 0, dry_run: bool = False, now: int | None = None) -> Mapping[str, int]:
        """Drop what was stored longer ago, and the oldest beyond `max_bytes`: {"segments": …, "events": …, "bytes": …}.

        With `dry_run` that is what would go. Age counts from storing, not from the event's own time.
        """

    def close(self) -> None: ...


Progress: TypeAlias = Callable[[int, int], None]
"""(done, total) of something a person waits for."""
