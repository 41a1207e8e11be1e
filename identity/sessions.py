"""Sessions: an opaque 256-bit token in the browser, its digest and everything else on the server."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

from sqlalchemy import delete, or_, select, update

from identity.accounts import Accounts
from identity.roles import permissions_of
from identity.tables import session
from soc import audit
from soc.actions import Actor
from soc.cases import Cases
from soc.cases.schema import metadata
from soc.model import now

_MINUTE = 60_000_000
_MARK_EVERY = 20_000_000  # `seen` is written at most this often: a click must not cost a commit


@dataclass(frozen=True, slots=True)
class Person:
    """Who is looking, as the server knows it."""

    name: str
    role: str
    permissions: frozenset[str] = field(default_factory=frozenset)
    address: str = ""
    must_change: bool = False
    """Has a one-time password, and may do nothing but choose another."""

    def may(self, permission: str) -> bool:
        return permission in self.permissions

    @property
    def actor(self) -> Actor:
        return Actor(self.name, self.permissions, self.address)


class Sessions:
    """Open sessions of one SOC."""

    def __init__(self, cases: Cases, accounts: Accounts, idle_minutes: int = 30, hours: int = 12) -> None:
        self._cases, self._accounts = cases, accounts
        self._idle, self._longest = idle_minutes * _MINUTE, hours * 60 * _MINUTE
        metadata.create_all(cases.engine, tables=[session])

    def open(self, name: str, address: str) -> str:
        """A new token for somebody who has just shown who they are."""
        token = secrets.token_urlsafe(32)
        moment = now()
        with self._cases.writing() as connection:
            dead = or_(session.c.seen < moment - self._idle, session.c.opened < moment - self._longest)
            connection.execute(delete(session).where(dead))
            connection.execute(
                session.insert().values(digest=_digest(token), account=name, address=address[:64], opened=moment, seen=moment)
            )
        return token

    def find(self, token: str, active: bool = True) -> Person | None:
        """Whose session it is, or None if it is over. `active` is false for what a page asks by itself."""
        moment = now()
        with self._cases.engine.connect() as connection:
            row = connection.execute(select(session).where(session.c.digest == _digest(token))).first()
        if row is None or row.seen < moment - self._idle or row.opened < moment - self._longest:
            return None
        account = self._accounts.find(row.account)
        if account is None:
            return None
        if active and moment - row.seen > _MARK_EVERY:
            with self._cases.writing() as connection:
                connection.execute(update(session).where(session.c.digest == row.digest).values(seen=moment))
        may = frozenset[str]() if account.must_change else permissions_of(account.role)
        return Person(account.name, account.role, may, row.address, account.must_change)

    def close(self, token: str) -> None:
        """Sign out."""
        with self._cases.writing() as connection:
            name = connection.execute(select(session.c.account).where(session.c.digest == _digest(token))).scalar()
            if name is not None:
                connection.execute(delete(session).where(session.c.digest == _digest(token)))
                audit.record(connection, name, "session.sign_out", "session")

    def revoke(self, name: str) -> int:
        """End every session of an account; how many."""
        with self._cases.writing() as connection:
            return connection.execute(delete(session).where(session.c.account == name)).rowcount


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
