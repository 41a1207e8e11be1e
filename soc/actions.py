"""What people do: every deed is authorised, done and audited by one wrapper, whoever calls it (a page, the command line, an API).

A deed is a method with `@action("object:verb")`. It gets the acting person first, and leaves exactly one audit record: success,
failure (it raised, and nothing was changed) or denied (the person lacks the permission). Change and record are one transaction.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, delete, select, update

from soc import audit
from soc.cases import Cases
from soc.cases.schema import alert, alert_entity, fired, incident, incident_entity, note, signal
from soc.contracts import EventLog
from soc.errors import Conflict, NotAllowed, NotFound
from soc.incidents import TRANSITIONS, VERDICTS
from soc.model import now

_TEXT_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `permissions` comes from the session on the server, never from what a browser says."""

    name: str
    permissions: frozenset[str] = field(default_factory=frozenset)
    address: str = ""

    def may(self, permission: str) -> bool:
        return permission in self.permissions


class _Deeds(Protocol):
    cases: Cases


Self = TypeVar("Self", bound=_Deeds)
Given = ParamSpec("Given")
Result = TypeVar("Result")


def action(
    permission: str, name: str
) -> Callable[[Callable[Concatenate[Self, Actor, Connection, Given], Result]], Callable[Concatenate[Self, Actor, Given], Result]]:
    """Make a method a deed: `name` is what the audit trail says, the first argument behind the actor its object.

    The method gets a write transaction of the case database in which its audit record will stand too.
    """

    def wrap(
        deed: Callable[Concatenate[Self, Actor, Connection, Given], Result],
    ) -> Callable[Concatenate[Self, Actor, Given], Result]:
        names = list(inspect.signature(deed).parameters)[3:]

        def audited(self: Self, actor: Actor, /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
            given = dict(zip(names, args, strict=False)) | kwargs
            object_ = _object_of(name, given)
            detail = {key: _short(value) for key, value in given.items()} | ({"from": actor.address} if actor.address else {})
            if not actor.may(permission):
                with self.cases.writing() as connection:
                    audit.record(connection, actor.name, name, object_, "denied", detail | {"why": f"lacks {permission}"})
                raise NotAllowed(f"{actor.name} may not do this: the permission {permission} is missing")
            try:
                with self.cases.writing() as connection:
                    result = deed(self, actor, connection, *args, **kwargs)
                    audit.record(connection, actor.name, name, object_, "success", detail)
            except Exception as error:
                with self.cases.writing() as connection:
                    why = f"{type(error).__name__}: {error}"[:500]
                    audit.record(connection, actor.name, name, object_, "failure", detail | {"why": why})
                raise
            return result

        functools.update_wrapper(audited, deed)
        audited.permission = permission  # type: ignore[attr-defined]
        audited.action = name  # type: ignore[attr-defined]
        return audited

    return wrap


def _object_of(name: str, given: Mapping[str, Any]) -> str:
    kind = name.partition(".")[0]
    first = next(iter(given.values()), "")
    return f"{kind}/{first}" if isinstance(first, str | int) and first != "" else kind


def _short(value: Any) -> Any:
    if isinstance(value, str | int | float | bool) or value is None:
        return value if not isinstance(value, str) else value[:500]
    if isinstance(value, Sequence):
        return [_short(item) for item in list(value)[:20]] + ([f"… {len(value)} in all"] if len(value) > 20 else [])
    return str(value)[:500]


class Actions:
    """The deeds of the kernel's own objects."""

    def __init__(self, cases: Cases, log: EventLog | None = None) -> None:
        self.cases = cases
        self._log = log

    @action("incidents:write", "incident.comment")
    def comment(self, actor: Actor, connection: Connection, incident_id: int, text: str) -> None:
        """Add a comment. Raises NotFound, or Conflict for an empty or over-long text."""
        text = text.strip()
        if not text or len(text) > _TEXT_LIMIT:
            raise Conflict(f"a comment has 1 to {_TEXT_LIMIT} characters, this one {len(text)}")
        _must_be(connection, incident_id)
        _remember(connection, incident_id, actor, "comment", text)

    @action("incidents:write", "incident.assign")
    def assign(self, actor: Actor, connection: Connection, incident_id: int, owner: str, version: int | None = None) -> None:
        """Give the incident an owner ('' takes it away)."""
        row = _must_be(connection, incident_id, version)
        connection.execute(update(incident).where(incident.c.id == incident_id).values(owner=owner, version=row.version + 1))
        _remember(connection, incident_id, actor, "owner", "", row.owner, owner)

    @action("incidents:write", "incident.status")
    def change_status(
        self,
        actor: Actor,
        connection: Connection,
        incident_id: int,
        status: str,
        reason: str = "",
        version: int | None = None,
        verdict: str = "",
    ) -> None:
        """Move the incident along `TRANSITIONS`. Closing needs the permission incidents:close, a verdict and a reason."""
        row = _must_be(connection, incident_id, version)
        if status not in TRANSITIONS.get(row.status, frozenset()):
            permitted = ", ".join(sorted(TRANSITIONS.get(row.status, frozenset())))
            raise Conflict(f"incident {incident_id} is {row.status} and cannot become {status}; possible: {permitted}")
        values: dict[str, Any] = {"status": status, "version": row.version + 1, "closed": None}
        if status == "closed":
            values |= _closing(actor, verdict, reason)
            connection.execute(update(alert).where(alert.c.incident_id == incident_id).values(status="closed", verdict=verdict))
        if row.status == "closed":
            if not reason.strip():
                raise Conflict("reopening needs a reason")
            connection.execute(update(alert).where(alert.c.incident_id == incident_id).values(status="incident", verdict=""))
        connection.execute(update(incident).where(incident.c.id == incident_id).values(**values))
        _remember(connection, incident_id, actor, "status", reason, row.status, status)

    @action("alerts:triage", "alert.triage")
    def triage(self, actor: Actor, connection: Connection, alert_id: str, verdict: str) -> None:
        """Judge one alert; '' takes the judgement back."""
        if verdict and verdict not in VERDICTS:
            raise Conflict(f"no such verdict: {verdict}; known: {', '.join(VERDICTS)}")
        row = connection.execute(select(alert.c.incident_id).where(alert.c.id == alert_id)).first()
        if row is None:
            raise NotFound(f"there is no alert {alert_id}")
        status = "closed" if verdict else "incident" if row.incident_id else "new"
        connection.execute(
            update(alert).where(alert.c.id == alert_id).values(verdict=verdict, status=status, assignee=actor.name)
        )

    @action("sources:replay", "quarantine.replay")
    def replay_quarantine(self, _actor: Actor, _connection: Connection, ids: Sequence[str]) -> int:
        """Send quarantined records through the pipeline again; how many."""
        if self._log is None:
            raise Conflict("this process has no event log")
        return self._log.requeue(ids)


def delete_sample(cases: Cases) -> int:
    """Remove alerts and incidents of the sample scenario; how many alerts there were."""
    with cases.writing() as connection:
        alerts = list(connection.execute(select(alert.c.id).where(alert.c.sample)).scalars())
        incidents = list(connection.execute(select(incident.c.id).where(incident.c.sample)).scalars())
        for start in range(0, len(alerts), 500):
            part = alerts[start : start + 500]
            connection.execute(delete(alert_entity).where(alert_entity.c.alert_id.in_(part)))
            connection.execute(delete(alert).where(alert.c.id.in_(part)))
        for table in (incident_entity, note):
            connection.execute(delete(table).where(table.c.incident_id.in_(incidents)))
        connection.execute(delete(incident).where(incident.c.id.in_(incidents)))
        for table in (signal, fired):
            connection.execute(delete(table).where(table.c.group.startswith("sample:")))
    return len(alerts)


def _closing(actor: Actor, verdict: str, reason: str) -> dict[str, Any]:
    if not actor.may("incidents:close"):
        raise NotAllowed(f"{actor.name} may not do this: the permission incidents:close is missing")
    if verdict not in VERDICTS:
        raise Conflict(f"closing needs a verdict: {', '.join(VERDICTS)}")
    if not reason.strip():
        raise Conflict("closing needs a reason: what it was, and what was done")
    return {"closed": now(), "verdict": verdict}


def _must_be(connection: Connection, incident_id: int, version: int | None = None) -> Any:
    row = connection.execute(select(incident).where(incident.c.id == incident_id)).first()
    if row is None:
        raise NotFound(f"there is no incident {incident_id}")
    if version is not None and row.version != version:
        raise Conflict(f"incident {incident_id} was changed by somebody else meanwhile; look again and repeat")
    return row


def _remember(
    connection: Connection, incident_id: int, actor: Actor, kind: str, text: str, before: str = "", after: str = ""
) -> None:
    connection.execute(
        note.insert().values(
            incident_id=incident_id, time=now(), actor=actor.name, kind=kind, text=text, before=before, after=after
        )
    )
