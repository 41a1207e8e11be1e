"""`MemoryStore`: writer and store in one, kept in a list: the reference that other stores are compared with."""

# ruff: noqa: ARG002 - the contract has arguments that mean nothing to memory

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from soc.fields import type_of
from soc.model import Event, event_id
from soc.model import now as clock
from soc.query import Aggregation, All, Bucket, Filter, Found, Query
from soc.store.evaluate import aggregated, check, matcher
from soc.store.fitting import fitted

DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class _Stored:
    time: int
    id: str
    written: int
    event: Event


class MemoryStore:
    """Events of one process, gone with it."""

    def __init__(self, now: Callable[[], int] = clock) -> None:
        self._now = now
        self._stored: list[_Stored] = []
        self._seqs: set[int] = set()
        self._waiting = 0

    # ---- writing

    def append(self, seq: int, events: Sequence[Event]) -> None:
        if seq in self._seqs:
            return
        self._seqs.add(seq)
        self._waiting += len(events)
        for index, event in enumerate(events):
            kept = fitted(event, event_id(seq, index), self._now())
            self._stored.append(_Stored(int(str(kept["@timestamp"])), str(kept["event.id"]), self._now(), kept))

    def flush(self) -> None:
        self._waiting = 0

    @property
    def waiting(self) -> int:
        return self._waiting

    def settle(self, below: int) -> None:
        self._seqs = {seq for seq in self._seqs if seq >= below}

    def close(self) -> None:
        self.flush()

    # ---- questions

    def search(self, query: Query, deadline_secs: float | None = None) -> Found:
        rows = sorted(self._within(query.where, query.since, query.until), key=lambda s: (s.time, s.id))
        if not query.oldest_first:
            rows.reverse()
        if query.after is not None:
            after = query.after
            rows = [s for s in rows if ((s.time, s.id) > after if query.oldest_first else (s.time, s.id) < after)]
        page = rows[: query.limit]
        events = [_projected(s.event, query.fields) for s in page]
        return Found(events, (page[-1].time, page[-1].id) if page and len(rows) > len(page) else None)

    def count(self, where: Filter, since: int | None = None, until: int | None = None) -> int:
        return len(self._within(where, since, until))

    def aggregate(
        self, where: Filter, aggregations: Mapping[str, Aggregation], since: int | None = None, until: int | None = None,
        deadline_secs: float | None = None,
    ) -> dict[str, list[Bucket] | float | None]:
        for asked in aggregations.values():
            check(asked)
        events = [s.event for s in self._within(where, since, until)]
        return {name: aggregated(events, asked) for name, asked in aggregations.items()}

    def get(self, ids: Iterable[str]) -> dict[str, Event]:
        wanted = set(ids)
        return {s.id: dict(s.event) for s in self._stored if s.id in wanted}

    def fields(self) -> dict[str, str]:
        return {name: type_of(name) for name in sorted({name for s in self._stored for name in s.event})}

    def delete(self, where: Filter) -> int:
        gone = {id(s) for s in self._within(where, None, None)}
        self._stored = [s for s in self._stored if id(s) not in gone]
        return len(gone)

    def retain(self, keep_days: int, max_bytes: int = 0, dry_run: bool = False, now: int | None = None) -> Mapping[str, int]:
        """By age alone: memory has no bytes on a disk."""
        oldest = (self._now() if now is None else now) - keep_days * DAY
        kept = [s for s in self._stored if s.written >= oldest]
        gone = len(self._stored) - len(kept)
        if not dry_run:
            self._stored = kept
        return {"segments": 0, "events": gone, "bytes": 0}

    def stats(self) -> Mapping[str, int]:
        times = [s.time for s in self._stored]
        return {"segments": 0, "events": len(times), "bytes": 0, "oldest": min(times, default=0), "newest": max(times, default=0)}

    def _within(self, where: Filter, since: int | None, until: int | None) -> list[_Stored]:
        test = (lambda _: True) if isinstance(where, All) else matcher(where)
        return [
            s for s in self._stored
            if (since is None or s.time >= since) and (until is None or s.time < until) and test(s.event)
        ]


def _projected(event: Event, fields: Sequence[str] | None) -> Event:
    return dict(event) if fields is None else {name: event[name] for name in fields if name in event}
