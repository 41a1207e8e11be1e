"""How alerts become incidents: an alert joins the open incident that shares an entity with it, or opens one.

All of it happens in one write transaction per batch of alerts: storing an alert, finding its incident and recording both. An
alert that is there already (a replay after a crash) changes nothing, so alerts are neither lost nor doubled, and neither are
the incidents' counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, tuple_, update

from soc import audit
from soc.cases import Cases
from soc.cases.schema import alert, alert_entity, incident, incident_entity, note
from soc.config import Incidents
from soc.model import LEVELS, Alert, Entity, now

TRANSITIONS: Mapping[str, frozenset[str]] = {
    "detected": frozenset({"graded", "responding", "closed"}),
    "graded": frozenset({"responding", "closed"}),
    "responding": frozenset({"reported", "closed"}),
    "reported": frozenset({"responding", "closed"}),
    "closed": frozenset({"responding"}),
}
"""Permitted changes of an incident's status: 监测发现, 初判定级, 响应处置, 通报报告, 总结归档; a closed one may be reopened."""
OPEN = tuple(status for status in TRANSITIONS if status != "closed")
VERDICTS = ("true_positive", "false_positive", "benign", "undetermined")
SYSTEM = "system"
_ENTITIES_KEPT = 500  # of one incident; an incident that touches more is a storm, and its alerts still name them all


@dataclass(slots=True)
class _Open:
    """An incident while a batch of alerts is being sorted in."""

    id: int
    level: int
    first: int
    last: int
    title: str
    is_new: bool
    sample: bool
    alerts: int = 0
    joined: int = 0
    entities: dict[Entity, int] | None = None


def raise_or_join(cases: Cases, alerts: Sequence[Alert], settings: Incidents = Incidents()) -> int:
    """Store what is new of these alerts and give each its incident; how many were new."""
    if not alerts:
        return 0
    with cases.writing() as connection:
        fresh = _insert_new(connection, alerts)
        for sample in (False, True):  # a sample must not touch real incidents, or it could not be removed without a trace
            part = [one for one in fresh if one.sample is sample]
            if part:
                _sort_in(connection, part, settings)
    return len(fresh)


def _insert_new(connection: Connection, alerts: Sequence[Alert]) -> list[Alert]:
    unique = {one.id: one for one in alerts}
    known: set[str] = set()
    ids = list(unique)
    for start in range(0, len(ids), 500):
        known |= set(connection.execute(select(alert.c.id).where(alert.c.id.in_(ids[start : start + 500]))).scalars())
    fresh = sorted((one for one in unique.values() if one.id not in known), key=lambda one: (one.time, one.id))
    if fresh:
        connection.execute(alert.insert(), [_columns(one) for one in fresh])
    entities = [{"alert_id": one.id, "kind": e.kind, "name": e.name} for one in fresh for e in dict.fromkeys(one.entities)]
    if entities:
        connection.execute(alert_entity.insert(), entities)
    return fresh


def _columns(one: Alert) -> dict[str, object]:
    rule = {"tags": list(one.rule.tags), "author": one.rule.author, "path": one.rule.path, "description": one.rule.description}
    return {
        "id": one.id,
        "rule_id": one.rule.id,
        "title": one.rule.title,
        "level": LEVELS.index(one.rule.level),
        "rule": rule,
        "time": one.time,
        "raised": one.raised,
        "events": list(one.events),
        "count": one.count,
        "source": one.source,
        "dataset": one.dataset,
        "summary": one.summary,
        "sample": one.sample,
        "status": "new",
        "verdict": "",
        "assignee": "",
        "incident_id": None,
    }


def _sort_in(connection: Connection, alerts: Sequence[Alert], settings: Incidents) -> None:
    """Find or open the incident of each alert, then write every touched incident once."""
    sample = alerts[0].sample
    index = _open_incidents(connection, {e for one in alerts for e in one.entities}, settings, sample, alerts[0].time)
    opens_from = LEVELS.index(settings.open_level if settings.open_level in LEVELS else "low")
    touched: dict[int, _Open] = {}
    homes: dict[str, int] = {}
    for one in alerts:
        home = next((index[e] for e in one.entities if e in index), None)
        if home is None and LEVELS.index(one.rule.level) >= opens_from:
            home = _open(connection, one)
        if home is None:
            continue
        touched[home.id] = home
        homes[one.id] = home.id
        _absorb(home, one)
        for entity in one.entities:
            index.setdefault(entity, home)
    for id_ in touched:
        mine = [alert_id for alert_id, incident_id in homes.items() if incident_id == id_]
        for start in range(0, len(mine), 500):
            connection.execute(
                update(alert).where(alert.c.id.in_(mine[start : start + 500])).values(incident_id=id_, status="incident")
            )
        _write(connection, touched[id_], len(mine))


def _open_incidents(
    connection: Connection, entities: Iterable[Entity], settings: Incidents, sample: bool, earliest: int
) -> dict[Entity, _Open]:
    """Entity -> the oldest open incident that has it and was heard of lately."""
    wanted = [(entity.kind, entity.name) for entity in entities]
    found: dict[Entity, _Open] = {}
    known: dict[int, _Open] = {}
    quiet = min(earliest, now()) - settings.join_hours * 3_600_000_000
    for start in range(0, len(wanted), 300):
        query = (
            select(incident_entity.c.kind, incident_entity.c.name, incident)
            .join(incident, incident.c.id == incident_entity.c.incident_id)
            .where(tuple_(incident_entity.c.kind, incident_entity.c.name).in_(wanted[start : start + 300]))
            .where(incident.c.status.in_(OPEN), incident.c.sample == sample, incident.c.last >= quiet)
            .order_by(incident.c.id)
        )
        for row in connection.execute(query):
            home = known.setdefault(row.id, _Open(row.id, row.level, row.first, row.last, row.title, False, sample, row.alerts))
            found.setdefault(Entity(row.kind, row.name), home)
    return found


def _open(connection: Connection, one: Alert) -> _Open:
    level = LEVELS.index(one.rule.level)
    values = {
        "title": _title(one),
        "level": level,
        "status": "detected",
        "owner": "",
        "verdict": "",
        "opened": now(),
        "first": one.time,
        "last": one.time,
        "closed": None,
        "alerts": 0,
        "version": 1,
        "sample": one.sample,
    }
    (id_,) = connection.execute(incident.insert().values(**values)).inserted_primary_key or (0,)
    return _Open(int(id_), level, one.time, one.time, _title(one), True, one.sample)


def _title(one: Alert) -> str:
    return f"{one.rule.title} · {one.entities[0].name}" if one.entities else one.rule.title


def _absorb(home: _Open, one: Alert) -> None:
    level = LEVELS.index(one.rule.level)
    if level > home.level:
        home.level, home.title = level, _title(one)
    home.first, home.last = min(home.first, one.time), max(home.last, one.time)
    home.alerts += one.count
    home.joined += one.count
    home.entities = home.entities or {}
    for entity in one.entities:
        home.entities[entity] = max(home.entities.get(entity, 0), one.time)


def _write(connection: Connection, home: _Open, joined: int) -> None:
    connection.execute(
        update(incident)
        .where(incident.c.id == home.id)
        .values(title=home.title, level=home.level, first=home.first, last=home.last, alerts=home.alerts)
    )
    _write_entities(connection, home)
    _remember(connection, home)
    if not home.sample:  # the sample leaves no trace, and an audit record can never be taken back
        action = "incident.open" if home.is_new else "incident.join"
        audit.record(connection, SYSTEM, action, f"incident/{home.id}", detail={"alerts": joined, "matches": home.joined})


def _remember(connection: Connection, home: _Open) -> None:
    """A line in the history; alerts that join one after another share one line, or a storm would be all there is to read."""
    if home.is_new:
        connection.execute(
            note.insert().values(
                incident_id=home.id, time=now(), actor=SYSTEM, kind="opened", text=home.title, before="", after=str(home.joined)
            )
        )
        return
    newest = connection.execute(
        select(note.c.id, note.c.kind, note.c.after).where(note.c.incident_id == home.id).order_by(note.c.id.desc()).limit(1)
    ).first()
    if newest is not None and newest.kind == "joined":
        total = str(int(newest.after) + home.joined)
        connection.execute(update(note).where(note.c.id == newest.id).values(after=total, time=now()))
    else:
        connection.execute(
            note.insert().values(
                incident_id=home.id, time=now(), actor=SYSTEM, kind="joined", text="", before="", after=str(home.joined)
            )
        )


def _write_entities(connection: Connection, home: _Open) -> None:
    query = select(incident_entity.c.kind, incident_entity.c.name).where(incident_entity.c.incident_id == home.id)
    known = {Entity(*row) for row in connection.execute(query)}
    for entity, last in (home.entities or {}).items():
        if entity in known:
            connection.execute(
                update(incident_entity)
                .where(
                    incident_entity.c.incident_id == home.id,
                    incident_entity.c.kind == entity.kind,
                    incident_entity.c.name == entity.name,
                )
                .values(last=last)
            )
        elif len(known) < _ENTITIES_KEPT:
            known.add(entity)
            connection.execute(
                incident_entity.insert().values(incident_id=home.id, kind=entity.kind, name=entity.name, last=last)
            )
