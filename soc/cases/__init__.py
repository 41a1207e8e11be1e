"""What people work on: alerts, incidents, their history and the audit chain, in SQLite or PostgreSQL.

Reading only; what changes them is `soc.incidents` (the pipeline's side) and `soc.actions` (a person's side).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, create_engine, event, func, or_, select, text
from sqlalchemy.engine import Engine, Row

from soc.cases import schema
from soc.cases.schema import alert, alert_entity, incident, incident_entity, note
from soc.model import LEVELS, Alert, Entity, Level, Rule


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as people see it."""

    alert: Alert
    status: str
    """'new', 'triage', 'incident' or 'closed'."""
    verdict: str
    assignee: str
    incident: int | None


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as a list shows it; times µs UTC."""

    id: int
    title: str
    level: Level
    status: str
    """One of `soc.incidents.TRANSITIONS`."""
    owner: str
    verdict: str
    opened: int
    first: int
    """Time of its earliest alert's event."""
    last: int
    closed: int | None
    alerts: int
    """Matches in all its alerts together, folded ones included."""
    version: int
    """Counts changes by people; a change names the version it was made on."""
    sample: bool

    @property
    def number(self) -> str:
        return f"INC-{self.id:05d}"


@dataclass(frozen=True, slots=True)
class Note:
    """One line of an incident's history: what a person wrote or changed, or what the pipeline did."""

    id: int
    time: int
    actor: str
    kind: str
    """'opened', 'joined', 'comment', 'status', 'owner'."""
    text: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts; an empty field does not narrow. `text` is looked for in title, summary and entity names."""

    levels: tuple[Level, ...] = ()
    statuses: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    rule: str = ""
    incident: int | None = None
    entity: Entity | None = None
    text: str = ""


class Cases:
    """The case database of one SOC. One object per process."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = _engine(url)
        schema.metadata.create_all(self.engine)

    @classmethod
    def at(cls, folder: Path) -> Cases:
        """The embedded keeper."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(f"sqlite:///{folder / 'cases.db'}")

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that holds the write lock from its beginning: what it reads stays true until it commits."""
        return self.engine.execution_options(soc_write=True).begin()

    # -------------------------------------------------------------- alerts

    def alerts(
        self, where: AlertFilter = AlertFilter(), limit: int = 100, offset: int = 0, order: str = "-raised"
    ) -> list[AlertRow]:
        """`order` is '-raised', '-time' or '-level' (or each without '-')."""
        column = {"raised": alert.c.raised, "time": alert.c.time, "level": alert.c.level}[order.lstrip("-")]
        first = column.desc() if order.startswith("-") else column
        query = _narrow(select(alert), where).order_by(first, alert.c.raised.desc(), alert.c.id).limit(limit).offset(offset)
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
            entities = _entities(connection, [row.id for row in rows])
        return [_alert_row(row, entities.get(row.id, ())) for row in rows]

    def alert(self, id_: str) -> AlertRow | None:
        with self.engine.connect() as connection:
            row = connection.execute(select(alert).where(alert.c.id == id_)).first()
            return _alert_row(row, _entities(connection, [id_]).get(id_, ())) if row else None

    def count_alerts(self, where: AlertFilter = AlertFilter()) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(_narrow(select(func.count()).select_from(alert), where)).scalar_one())

    def alerts_by_level(self, where: AlertFilter = AlertFilter()) -> dict[Level, int]:
        query = _narrow(select(alert.c.level, func.count()), where).group_by(alert.c.level)
        with self.engine.connect() as connection:
            found = {LEVELS[row[0]]: int(row[1]) for row in connection.execute(query)}
        return {level: found.get(level, 0) for level in LEVELS}

    def alert_histogram(self, since: int, until: int, interval: int, column: str = "raised") -> list[tuple[int, Level, int]]:
        """(interval start µs, level, alerts) where there are any; by when they were raised, or by the event's 'time'."""
        moment = alert.c[column]
        start = (moment - moment % interval).label("start")
        query = (
            select(start, alert.c.level, func.count())
            .where(moment >= since, moment < until)
            .group_by(text("1"), alert.c.level)
            .order_by(text("1"))
        )
        with self.engine.connect() as connection:
            return [(int(row[0]), LEVELS[row[1]], int(row[2])) for row in connection.execute(query)]

    def top_rules(self, since: int, limit: int = 10) -> list[tuple[str, str, Level, int]]:
        """(rule id, title, level, alerts) that fired most since."""
        query = (
            select(alert.c.rule_id, func.min(alert.c.title), func.max(alert.c.level), func.sum(alert.c.count).label("n"))
            .where(alert.c.raised >= since)
            .group_by(alert.c.rule_id)
            .order_by(text("n desc"))
            .limit(limit)
        )
        with self.engine.connect() as connection:
            return [(row[0], row[1], LEVELS[row[2]], int(row[3])) for row in connection.execute(query)]

    # -------------------------------------------------------------- incidents

    def incidents(
        self, statuses: Sequence[str] = (), limit: int = 100, offset: int = 0, levels: Sequence[Level] = ()
    ) -> list[IncidentRow]:
        """Newest activity first."""
        query = select(incident).order_by(incident.c.last.desc(), incident.c.id.desc()).limit(limit).offset(offset)
        if statuses:
            query = query.where(incident.c.status.in_(statuses))
        if levels:
            query = query.where(incident.c.level.in_([LEVELS.index(level) for level in levels]))
        with self.engine.connect() as connection:
            return [_incident_row(row) for row in connection.execute(query)]

    def incident(self, id_: int) -> IncidentRow | None:
        with self.engine.connect() as connection:
            row = connection.execute(select(incident).where(incident.c.id == id_)).first()
        return _incident_row(row) if row else None

    def count_incidents(self, statuses: Sequence[str] = ()) -> int:
        query = select(func.count()).select_from(incident)
        if statuses:
            query = query.where(incident.c.status.in_(statuses))
        with self.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def incident_entities(self, id_: int) -> list[Entity]:
        query = select(incident_entity.c.kind, incident_entity.c.name).where(incident_entity.c.incident_id == id_)
        with self.engine.connect() as connection:
            return [Entity(*row) for row in connection.execute(query.order_by("kind", "name"))]

    def notes(self, incident_id: int, limit: int = 1000) -> list[Note]:
        """The history of an incident, oldest first."""
        query = select(note).where(note.c.incident_id == incident_id).order_by(note.c.id).limit(limit)
        with self.engine.connect() as connection:
            return [Note(r.id, r.time, r.actor, r.kind, r.text, r.before, r.after) for r in connection.execute(query)]

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun by us, below
    for pragma in ("journal_mode=wal", "synchronous=full", "busy_timeout=30000", "foreign_keys=on"):
        connection.execute(f"pragma {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once: a transaction that read first and wrote later would fail under contention
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("soc_write") else "BEGIN")


def _narrow(query: Select[Any], where: AlertFilter) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = []
    if where.levels:
        conditions.append(alert.c.level.in_([LEVELS.index(level) for level in where.levels]))
    if where.statuses:
        conditions.append(alert.c.status.in_(where.statuses))
    if where.since is not None:
        conditions.append(alert.c.raised >= where.since)
    if where.until is not None:
        conditions.append(alert.c.raised < where.until)
    if where.rule:
        conditions.append(alert.c.rule_id == where.rule)
    if where.incident is not None:
        conditions.append(alert.c.incident_id == where.incident)
    if where.entity is not None:
        named = select(alert_entity.c.alert_id).where(
            alert_entity.c.kind == where.entity.kind, alert_entity.c.name == where.entity.name
        )
        conditions.append(alert.c.id.in_(named))
    if where.text:
        like = "%" + where.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        named = select(alert_entity.c.alert_id).where(alert_entity.c.name.ilike(like, escape="\\"))
        conditions.append(
            or_(alert.c.title.ilike(like, escape="\\"), alert.c.summary.ilike(like, escape="\\"), alert.c.id.in_(named))
        )
    return query.where(*conditions)


def _entities(connection: Connection, alert_ids: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
    found: dict[str, tuple[Entity, ...]] = {}
    for start in range(0, len(alert_ids), 500):
        query = select(alert_entity).where(alert_entity.c.alert_id.in_(alert_ids[start : start + 500]))
        for row in connection.execute(query.order_by(alert_entity.c.kind.desc(), alert_entity.c.name)):
            found[row.alert_id] = (*found.get(row.alert_id, ()), Entity(row.kind, row.name))
    return found


def _alert_row(row: Row[Any], entities: tuple[Entity, ...]) -> AlertRow:
    rule = Rule(
        row.rule_id,
        row.title,
        LEVELS[row.level],
        tuple(row.rule.get("tags", ())),
        row.rule.get("author", ""),
        row.rule.get("path", ""),
        row.rule.get("description", ""),
    )
    value = Alert(
        row.id,
        rule,
        row.time,
        row.raised,
        tuple(row.events),
        entities,
        row.source,
        row.dataset,
        row.summary,
        row._mapping["count"],
        row.sample,
    )
    return AlertRow(value, row.status, row.verdict, row.assignee, row.incident_id)


def _incident_row(row: Row[Any]) -> IncidentRow:
    return IncidentRow(
        row.id,
        row.title,
        LEVELS[row.level],
        row.status,
        row.owner,
        row.verdict,
        row.opened,
        row.first,
        row.last,
        row.closed,
        row.alerts,
        row.version,
        row.sample,
    )
