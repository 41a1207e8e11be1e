"""From the event log to the store: the only place that spells out the journey of a batch (`docs/handbook.md`, steps 2 to 6).

One worker is one process. Workers share the log by sequence, so each batch has exactly one, and what a crash interrupts is done
again by the next: decoding gives the same event ids, an alert that is there is not raised twice, the store leaves out a sequence
it has flushed, and the ledger moves only together with the cursor.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from soc import audit
from soc.cases import Cases
from soc.config import Detections, Incidents, Store
from soc.contracts import Decoder, Detector, EventLog, Match, StoreWriter, Tally
from soc.correlations import Correlations
from soc.entities import entities_of
from soc.errors import LogFull
from soc.incidents import raise_or_join
from soc.model import Alert, Decoded, Event, LoggedBatch, Quarantined, Rule, alert_id, now

SAMPLE = "sample:"
"""Sources with this prefix are the sample scenario's; everything made of them is marked and can be removed."""
_EVENTS_NAMED = 100
_ENTITIES_NAMED = 50


@dataclass(slots=True)
class Counters:
    """What a worker did since it started; its process publishes them for the health page."""

    batches: int = 0
    records: int = 0
    events: int = 0
    alerts: int = 0
    quarantined: int = 0
    flushes: int = 0
    trouble: dict[str, int] = field(default_factory=dict)
    """What went wrong and how often: a decoder or a rule that raised, a flush that had to wait."""

    def complain(self, what: str) -> None:
        if what in self.trouble or len(self.trouble) < 100:
            self.trouble[what] = self.trouble.get(what, 0) + 1


class Worker:
    """Takes batches of its share from the log, and brings them all the way."""

    def __init__(
        self,
        log: EventLog,
        decoder: Decoder,
        detector: Detector,
        cases: Cases,
        store: StoreWriter,
        *,
        share: int = 0,
        shares: int = 1,
        correlations: Correlations | None = None,
        store_settings: Store = Store(),
        detections: Detections = Detections(),
        incidents: Incidents = Incidents(),
        read_batches: int = 16,
    ) -> None:
        self.counters = Counters()
        self._log, self._decoder, self._detector, self._cases, self._store = log, decoder, detector, cases, store
        self._correlations = correlations or Correlations({}, cases)
        self._share, self._shares, self._read_batches = share, shares, read_batches
        self._flush_rows, self._flush_secs = store_settings.flush_rows, store_settings.flush_secs
        self._fold_over, self._incidents = detections.fold_over, incidents
        self._cursor = log.cursor(share, shares)
        self._tally = Tally()
        self._open_since: float | None = None
        self._retry_at = 0.0

    def step(self) -> int:
        """Bring what is waiting one round further; how many batches there were (0: nothing to do)."""
        if self._store.waiting > 2 * self._flush_rows and not self.flush_if_due():
            return 0  # the store cannot write: what is held in memory must not grow
        batches = self._log.read(self._share, self._shares, self._cursor, self._read_batches)
        alerts: list[Alert] = []
        for batch in batches:
            decoded = self._decode(batch)
            matches = self._match(decoded.events)
            alerts += self._alerts(batch, decoded.events, matches)
            self._store.append(batch.seq, decoded.events)
            self._count(batch, decoded)
        self.counters.alerts += raise_or_join(self._cases, alerts, self._incidents)
        if batches:
            self._cursor = batches[-1].seq
            self._open_since = self._open_since or time.monotonic()
        self.flush_if_due()
        return len(batches)

    # -------------------------------------------------------------- one batch

    def _decode(self, batch: LoggedBatch) -> Decoded:
        try:
            decoded = self._decoder.decode(batch)
        except Exception as error:  # the edge: one decoder's mistake must cost neither the records nor the worker
            self.counters.complain(f"decoder: {type(error).__name__}: {error}")
            raw = batch.raw
            reason = f"the decoder failed: {type(error).__name__}"
            whole = [
                Quarantined(f"{batch.seq:010x}-{index:04x}", raw.source, raw.received, record, reason, raw.format, peer)
                for index, (record, peer) in enumerate(zip(raw.records, raw.peer_of(), strict=True))
            ]
            decoded = Decoded(quarantined=whole)
        if batch.raw.source.startswith(SAMPLE):
            for event in decoded.events:
                event["soc.sample"] = True
        return decoded

    def _match(self, events: Sequence[Event]) -> list[Match]:
        try:
            return self._detector.match(events)
        except Exception as error:  # the edge: find the event that does it, keep the matches of all others
            self.counters.complain(f"detector: {type(error).__name__}: {error}")
        found = []
        for index, event in enumerate(events):
            try:
                found += [Match(index, match.rule) for match in self._detector.match([event])]
            except Exception as error:
                self.counters.complain(f"detector, event {event.get('event.id')}: {type(error).__name__}: {error}")
        return found

    def _alerts(self, batch: LoggedBatch, events: Sequence[Event], matches: Sequence[Match]) -> list[Alert]:
        by_rule: dict[str, list[Match]] = {}
        for match in matches:
            by_rule.setdefault(match.rule.id, []).append(match)
        alerts = self._correlations.take(events, matches) if matches else []
        for rule_id, group in by_rule.items():
            if self._correlations.is_silent(rule_id):
                continue
            if len(group) > self._fold_over:
                alerts.append(_folded(batch, events, group))
            else:
                alerts += [_alert(match.rule, events[match.event]) for match in group]
        return alerts

    def _count(self, batch: LoggedBatch, decoded: Decoded) -> None:
        source = batch.raw.source
        tally, stored = self._tally, len(decoded.events) + decoded.merged
        tally.stored[source] = tally.stored.get(source, 0) + stored
        tally.quarantined += decoded.quarantined
        for program, n in decoded.unparsed.items():
            tally.unparsed[source, program] = tally.unparsed.get((source, program), 0) + n
        lost = len(batch.raw.records) - stored - len(decoded.quarantined)
        if lost:  # a decoder that loses or invents a record is a bug; the ledger shows it, and so does the health page
            self.counters.complain(f"decoder: {lost:+d} records unaccounted for in a batch of {source}")
        counters = self.counters
        counters.batches += 1
        counters.records += len(batch.raw.records)
        counters.events += len(decoded.events)
        counters.quarantined += len(decoded.quarantined)

    # -------------------------------------------------------------- durable

    def flush_if_due(self) -> bool:
        """Flush once there is enough, or what there is has waited long enough."""
        if self._open_since is None or time.monotonic() < self._retry_at:
            return False
        if self._store.waiting < self._flush_rows and time.monotonic() - self._open_since < self._flush_secs:
            return False
        return self.flush()

    def flush(self) -> bool:
        """Make it durable, then move cursor and ledger on. False if the disk does not let us: nothing is lost, try later."""
        if self._open_since is None:
            return True
        try:
            self._store.flush()
            self._log.commit(self._share, self._shares, self._cursor, self._tally)
        except OSError as error:
            self.counters.complain(f"flush: {error.strerror or error}")
            self._retry_at = time.monotonic() + 1
            return False
        self._tally, self._open_since = Tally(), None
        self._store.settle(self._log.behind())
        self.counters.flushes += 1
        return True

    def forward_audit(self) -> None:
        """Let the new records of our own audit chain come in as events; where the log is full they wait in the chain."""
        try:
            audit.forward(self._cases.engine, self._log)
        except LogFull as error:
            self.counters.complain(f"audit: {error}")

    def figures(self) -> dict[str, object]:
        """For the process's heartbeat."""
        return asdict(self.counters) | {"share": self._share, "cursor": self._cursor, "waiting": self._store.waiting}

    def close(self) -> None:
        """Let go of files; what was not flushed is taken up again from the log."""
        self._store.close()
        self._log.close()
        self._cases.close()


def _alert(rule: Rule, event: Event) -> Alert:
    id_ = str(event.get("event.id", ""))
    return Alert(
        alert_id(rule.id, id_),
        rule,
        _time(event),
        now(),
        (id_,),
        entities_of(event),
        str(event.get("soc.source", "")),
        str(event.get("event.dataset", "")),
        str(event.get("message", ""))[:300],
        sample=bool(event.get("soc.sample", False)),
    )


def _folded(batch: LoggedBatch, events: Sequence[Event], group: Sequence[Match]) -> Alert:
    """One alert for many matches of a rule in one batch, with the true count; names the first hundred events."""
    first = _alert(group[0].rule, events[group[0].event])
    matched = [events[match.event] for match in group]
    entities = dict.fromkeys(entity for event in matched[:_EVENTS_NAMED] for entity in entities_of(event))
    return Alert(
        alert_id(first.rule.id, "folded", str(batch.seq)),
        first.rule,
        max(map(_time, matched)),
        first.raised,
        tuple(str(event.get("event.id", "")) for event in matched[:_EVENTS_NAMED]),
        tuple(entities)[:_ENTITIES_NAMED],
        first.source,
        first.dataset,
        first.summary,
        len(group),
        first.sample,
    )


def _time(event: Event) -> int:
    time_ = event.get("@timestamp", 0)
    return time_ if isinstance(time_, int) else 0
