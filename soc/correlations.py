"""Keeps what correlation rules count, so that neither a restart nor the division of work among processes loses a window.

Signals lie in the case database; each batch adds its own and evaluates just the groups it touched, in one write transaction. So
it does not matter which worker saw which event, or in which order: the failed logins may come through one process and the
success through another. A burst that has raised its alert is remembered with the alert's id; a replay finds that id again and
raises the same alert, which is no second one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, select

from soc.cases import Cases
from soc.cases.schema import fired, signal
from soc.contracts import Correlation, Match, Signal
from soc.entities import entities_of
from soc.model import Alert, Entity, Event, alert_id, now

_SIGNALS_PER_STEP = 2_000  # of one group in one batch; a flood proves its point long before
_SIGNALS_LOOKED_AT = 5_000
_ENTITIES_NAMED = 50


class Correlations:
    """All correlation rules with their memory."""

    def __init__(self, rules: Mapping[str, Correlation], cases: Cases) -> None:
        self._rules, self._cases = rules, cases
        self._by_base: dict[str, list[Correlation]] = {}
        for rule in rules.values():
            for base in rule.bases:
                self._by_base.setdefault(base, []).append(rule)
        self._silent = frozenset(base for rule in rules.values() for base in rule.silent)

    def is_silent(self, rule_id: str) -> bool:
        """Whether the rule only counts for others."""
        return rule_id in self._silent

    def take(self, events: Sequence[Event], matches: Iterable[Match]) -> list[Alert]:
        """Remember what counts, and raise an alert for every burst that is complete now."""
        touched: dict[tuple[str, str], dict[str, tuple[Signal, Event]]] = {}
        for match in matches:
            for rule in self._by_base.get(match.rule.id, ()):
                event = events[match.event]
                one = rule.signal(match.rule.id, event)
                if one is None:
                    continue
                group = ("sample:" if event.get("soc.sample") else "") + one.group[:480]
                mine = touched.setdefault((rule.rule.id, group), {})
                if len(mine) < _SIGNALS_PER_STEP:
                    mine[one.base + one.event] = (one, event)
        if not touched:
            return []
        with self._cases.writing() as connection:
            return [
                raised
                for (rule_id, group), signals in touched.items()
                for raised in self._evaluate(connection, self._rules[rule_id], group, list(signals.values()))
            ]

    def _evaluate(
        self, connection: Connection, rule: Correlation, group: str, fresh: Sequence[tuple[Signal, Event]]
    ) -> list[Alert]:
        first = min(one.time for one, _ in fresh) - rule.timespan
        last = max(one.time for one, _ in fresh) + rule.timespan
        mine = (signal.c.rule == rule.rule.id, signal.c.group == group, signal.c.time >= first, signal.c.time <= last)
        query = select(signal).where(*mine).order_by(signal.c.time.desc()).limit(_SIGNALS_LOOKED_AT)
        known = {(row.base, row.event): row for row in connection.execute(query)}
        new = [(one, event) for one, event in fresh if (one.base, one.event) not in known]
        if new:
            connection.execute(signal.insert(), [_columns(rule, group, one, event) for one, event in new])
        signals = [Signal(row.base, group, row.time, row.event, row.value) for row in known.values()]
        entities = {row.event: [Entity(*pair) for pair in row.entities] for row in known.values()}
        for one, event in fresh:
            entities[one.event] = list(entities_of(event))
        signals += [Signal(one.base, group, one.time, one.event, one.value) for one, _ in new]
        sample = group.startswith("sample:")
        newest = max(fresh, key=lambda pair: pair[0].time)[1]
        alerts = []
        for hit in rule.evaluate(signals):
            named = dict.fromkeys(entity for event in hit.events for entity in entities.get(event, ()))
            alerts.append(
                Alert(
                    _alert_id(connection, rule, group, hit.time),
                    rule.rule,
                    hit.time,
                    now(),
                    hit.events[-100:],
                    tuple(named)[:_ENTITIES_NAMED],
                    str(newest.get("soc.source", "")),
                    str(newest.get("event.dataset", "")),
                    group.removeprefix("sample:"),
                    1,
                    sample,
                )
            )
        return alerts

    def forget(self, before: int) -> int:
        """Drop signals of events older than this and than twice the longest window; how many."""
        span = max((rule.timespan for rule in self._rules.values()), default=0)
        with self._cases.writing() as connection:
            gone = connection.execute(delete(signal).where(signal.c.time < before - 2 * span)).rowcount
            connection.execute(delete(fired).where(fired.c.time < before - 2 * span))
        return int(gone)


def _columns(rule: Correlation, group: str, one: Signal, event: Event) -> dict[str, object]:
    pairs = [(entity.kind, entity.name) for entity in entities_of(event)[:10]]
    return {
        "rule": rule.rule.id,
        "group": group,
        "base": one.base,
        "event": one.event,
        "time": one.time,
        "value": one.value[:512],
        "entities": pairs,
    }


def _alert_id(connection: Connection, rule: Correlation, group: str, time: int) -> str:
    """The id of this burst's alert: the one it has raised already, or a new one."""
    near = select(fired.c.alert_id).where(
        fired.c.rule == rule.rule.id,
        fired.c.group == group,
        fired.c.time >= time - rule.timespan,
        fired.c.time <= time + rule.timespan,
    )
    if (known := connection.execute(near.order_by(fired.c.time).limit(1)).scalar()) is not None:
        return str(known)
    id_ = alert_id(rule.rule.id, group, str(time))
    connection.execute(fired.insert().values(alert_id=id_, rule=rule.rule.id, group=group, time=time))
    return id_
