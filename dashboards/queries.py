"""What pages ask. Each question is asked once for everybody who may ask it and looks at the same moment.

Answers are kept for a bucket of time and keyed by the permissions of who asks, so that a shared answer never crosses a border of
access. Counts of cases live for one second (an alert is to be seen within three), aggregates of stored events for five.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dashboards import figures
from dashboards.state import ALERT_STATUSES, State
from soc.cases import AlertFilter, IncidentRow
from soc.contracts import LedgerLine
from soc.incidents import OPEN
from soc.model import Event, Level, now
from soc.query import All, Bucket, DateHistogram, Filter, Query, TermsOf
from soc.query_text import Hunt, parse_hunt

if TYPE_CHECKING:
    from dashboards.services import Services

Answer = TypeVar("Answer")
EVERYTHING = All()
DEADLINE_SECS = 2.0
DEEPEST_ROW = 10_000
_QUICK, _SLOW = 1.0, 5.0
_KEPT = 256


@dataclass(frozen=True, slots=True)
class Trend:
    """Counts per interval. `partial` says that the deadline came first and there are more."""

    since: int
    until: int
    width: int
    counts: Mapping[int, int]
    partial: bool = False

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class AlertTrend:
    since: int
    until: int
    width: int
    counts: Mapping[tuple[int, Level], int]


class Queries:
    """Questions with their shared answers. `clock` is seconds that only grow."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services, self._clock = services, clock
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._asking: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def shared(self, may: frozenset[str], question: Hashable, ask: Callable[[], Answer], secs: float = _SLOW) -> Answer:
        """The answer of this bucket of time; whoever comes while it is being asked waits for it instead of asking again."""
        key = (may, question, int(self._clock() // secs))
        with self._lock:
            if key in self._answers:
                return cast(Answer, self._answers[key])
            gate = self._asking.setdefault(key, threading.Lock())
        with gate:
            with self._lock:
                if key in self._answers:
                    return cast(Answer, self._answers[key])
            answer = ask()
            with self._lock:
                self._answers[key] = answer
                self._asking.pop(key, None)
                while len(self._answers) > _KEPT:
                    self._answers.popitem(last=False)
        return answer

    # -------------------------------------------------------------- events

    def event_trend(self, may: frozenset[str], state: State, where: Filter = EVERYTHING) -> Trend:
        """Stored events over the view's time range."""

        def ask() -> Trend:
            since, until = state.window(now())
            width = figures.interval(since, until)
            found = self._services.store.aggregate(where, {"t": DateHistogram(width)}, since, until, DEADLINE_SECS)
            counts = {int(cast(int, one.key[0])): one.count for one in _buckets(found["t"])}
            return Trend(since, until, width, counts, bool(getattr(found, "partial", False)))

        return self.shared(may, ("event_trend", state.span, where), ask)

    def has_events(self, may: frozenset[str]) -> bool:
        """Whether anything was ever stored or is on its way."""

        def ask() -> bool:
            return any(line.received for line in self._services.log.ledger()) or self._services.store.count(All()) > 0

        return self.shared(may, "has_events", ask, _QUICK)

    def fields(self, may: frozenset[str]) -> Mapping[str, str]:
        return self.shared(may, "fields", self._services.store.fields, 30.0)

    def field_values(self, may: frozenset[str], where: Filter, since: int, until: int, name: str, size: int = 10) -> list[Bucket]:
        def ask() -> list[Bucket]:
            found = self._services.store.aggregate(where, {"v": TermsOf((name,), size)}, since, until, DEADLINE_SECS)
            return _buckets(found["v"])

        return self.shared(may, ("values", where, since, until, name, size), ask)

    def hunt(self, may: frozenset[str], text: str, moment: int) -> Hunt:
        """What a query text means. Raises QueryError with the character; a field that no event has is one."""
        known = frozenset(self.fields(may))
        return parse_hunt(text, moment, known or None)

    def page(self, may: frozenset[str], query: Query, start: int, end: int) -> list[Event]:
        """Rows [start, end) of a result, newest first, by the cursors that earlier pages left; none behind DEEPEST_ROW."""
        end = min(end, DEEPEST_ROW)
        if start >= end:
            return []
        cursors: dict[int, tuple[int, str]] = self.shared(may, ("cursors", query), dict, 600.0)
        near = max((row for row in cursors if row <= start), default=0)
        found = self._services.store.search(replace(query, after=cursors.get(near), limit=end - near), DEADLINE_SECS * 5)
        if found.after is not None:
            cursors[end] = found.after
        return found.events[start - near :]

    # -------------------------------------------------------------- cases

    def alert_trend(self, may: frozenset[str], state: State) -> AlertTrend:
        def ask() -> AlertTrend:
            since, until = state.window(now())
            width = figures.interval(since, until)
            rows = self._services.cases.alert_histogram(since - since % width, until, width)
            return AlertTrend(since, until, width, {(start, level): count for start, level, count in rows})

        return self.shared(may, ("alert_trend", state.span), ask, _QUICK)

    def alert_levels(self, may: frozenset[str], where: AlertFilter) -> Mapping[Level, int]:
        return self.shared(may, ("levels", where), lambda: self._services.cases.alerts_by_level(where), _QUICK)

    def open_incidents(self, may: frozenset[str]) -> list[IncidentRow]:
        """The two hundred with the newest activity."""
        return self.shared(may, "open_incidents", lambda: self._services.cases.incidents(OPEN, 200), _QUICK)

    def recent_incidents(self, may: frozenset[str]) -> list[IncidentRow]:
        return self.shared(may, "recent_incidents", lambda: self._services.cases.incidents((), 1_000), _SLOW)

    # -------------------------------------------------------------- sources

    def ledger(self, may: frozenset[str]) -> list[LedgerLine]:
        return self.shared(may, "ledger", self._services.log.ledger, 2.0)

    def unparsed(self, may: frozenset[str]) -> list[tuple[str, str, int]]:
        return self.shared(may, "unparsed", self._services.log.unparsed)

    def sample_is_loaded(self, may: frozenset[str]) -> bool:
        return self.shared(may, "sample", self._services.sample.is_loaded, 2.0)


def alert_filter(state: State, moment: int, until: int | None = None) -> AlertFilter:
    """The alerts of a view: those that are not closed, unless it says otherwise."""
    since, end = state.window(moment)
    statuses = tuple(one for one in state.statuses if one in ALERT_STATUSES) or ("new", "triage", "incident")
    return AlertFilter(levels=state.levels, statuses=statuses, since=since, until=until or end, text=state.text)


def _buckets(found: list[Bucket] | float | None) -> list[Bucket]:
    return found if isinstance(found, list) else []
