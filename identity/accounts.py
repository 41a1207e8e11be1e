"""Accounts and signing in: one-time password, lock-out that doubles, everything in the audit chain."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from identity import passwords
from identity.roles import ROLES
from identity.tables import account
from soc import audit
from soc.cases import Cases
from soc.cases.schema import metadata
from soc.errors import Conflict, NotAllowed, NotFound
from soc.model import now

FIRST = "admin"
_FREE_FAILURES = 5
_LOCK_SECS = 30
_LONGEST_LOCK_SECS = 900
_SECOND = 1_000_000


class SignInRefused(NotAllowed):
    """Name and password do not fit, or too often did not. The text is a key of the catalogue and does not say which."""

    def __init__(self, reason: str, wait_secs: int = 0) -> None:
        super().__init__(reason)
        self.wait_secs = wait_secs


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in."""

    name: str
    role: str
    must_change: bool


class Accounts:
    """The accounts of one SOC. `first_password` is the file to remove once the administrator has a password of their own."""

    def __init__(self, cases: Cases, first_password: Path | None = None) -> None:
        self._cases, self._first_password = cases, first_password
        metadata.create_all(cases.engine, tables=[account])

    def bootstrap(self, path: Path) -> Path | None:
        """Make the first administrator if there is nobody yet; the file with the one-time password while it has not been used.

        A file that was lost before its use is written again with a new password.
        """
        with self._cases.writing() as connection:
            count = connection.execute(select(func.count()).select_from(account)).scalar_one()
            first = connection.execute(select(account.c.must_change).where(account.c.name == FIRST)).scalar()
            if count and not first:
                return None
            if count and path.exists():
                return path
            password = passwords.one_time()
            _write_secret(path, password)
            if count:
                values = {"password": passwords.hashed(password), "failures": 0, "locked_until": 0}
                connection.execute(update(account).where(account.c.name == FIRST).values(values))
            else:
                _insert(connection, FIRST, "administrator", password, must_change=True)
            audit.record(connection, "system", "account.bootstrap", f"account/{FIRST}")
        return path

    def add(self, name: str, role: str, password: str, must_change: bool = True, by: str = "system") -> None:
        """Raises Conflict for a name that is taken or malformed, or a role that there is not."""
        if role not in ROLES:
            raise Conflict(f"there is no role {role!r}; known: {', '.join(ROLES)}")
        if not 1 <= len(name) <= 64 or not name.isprintable() or name != name.strip():
            raise Conflict("an account's name has 1 to 64 printable characters, and no blanks around it")
        with self._cases.writing() as connection:
            if _find(connection, name) is not None:
                raise Conflict(f"there is an account {name!r} already")
            _insert(connection, name, role, password, must_change)
            audit.record(connection, by, "account.add", f"account/{name}", detail={"role": role})

    def find(self, name: str) -> Account | None:
        """The account, unless it is disabled."""
        with self._cases.engine.connect() as connection:
            row = _find(connection, name)
        return None if row is None or row.disabled else Account(row.name, row.role, row.must_change)

    def sign_in(self, name: str, password: str, address: str = "") -> Account:
        """Raises SignInRefused, always after the time that an Argon2 verification takes."""
        with self._cases.engine.connect() as connection:
            row = _find(connection, name)
        right = passwords.is_right(row.password if row is not None else None, password)
        with self._cases.writing() as connection:
            row = _find(connection, name)  # again, inside the lock: guesses side by side must each be counted
            if row is None:
                # the name is not written down: people type passwords there
                audit.record(connection, "?", "session.sign_in", "session", "failure", {"from": address, "why": "unknown name"})
                refusal: SignInRefused | None = SignInRefused("sign_in_refused")
            elif row.locked_until > (moment := now()):
                wait = (row.locked_until - moment) // _SECOND + 1
                refusal = SignInRefused("sign_in_locked", wait)
            elif not right or row.disabled:
                refusal = _count_failure(connection, row.name, row.failures + 1, address, row.disabled)
            else:
                refusal = None
                connection.execute(update(account).where(account.c.name == name).values(failures=0, locked_until=0))
                audit.record(connection, row.name, "session.sign_in", "session", detail={"from": address})
        if refusal is not None:
            raise refusal
        assert row is not None
        return Account(row.name, row.role, row.must_change)

    def change_password(self, name: str, old: str, new: str) -> None:
        """Raises SignInRefused if the old one is wrong, Conflict if the new one is weak; their texts are catalogue keys."""
        with self._cases.engine.connect() as connection:
            row = _find(connection, name)
        if row is None:
            raise NotFound("there is no such account")
        if row.locked_until > now():
            raise SignInRefused("sign_in_locked", (row.locked_until - now()) // _SECOND + 1)
        if not passwords.is_right(row.password, old):
            with self._cases.writing() as connection:
                refusal = _count_failure(connection, name, row.failures + 1, "", False)
            raise refusal
        passwords.refuse_weak(new, name, old)
        with self._cases.writing() as connection:
            values = {"password": passwords.hashed(new), "must_change": False, "failures": 0}
            connection.execute(update(account).where(account.c.name == name).values(values))
            audit.record(connection, name, "account.password", f"account/{name}")
        if name == FIRST and self._first_password is not None:
            self._first_password.unlink(missing_ok=True)


def _find(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(account).where(account.c.name == name)).first()


def _insert(connection: Connection, name: str, role: str, password: str, must_change: bool) -> None:
    connection.execute(
        account.insert().values(
            name=name,
            role=role,
            password=passwords.hashed(password),
            must_change=must_change,
            disabled=False,
            failures=0,
            locked_until=0,
            created=now(),
        )
    )


def _count_failure(connection: Connection, name: str, failures: int, address: str, disabled: bool) -> SignInRefused:
    """Lock after the fifth failure for 30 s, then twice as long each time, a quarter of an hour at most."""
    over = failures - _FREE_FAILURES
    lock = 0 if over < 0 else min(_LOCK_SECS * 2 ** min(over, 10), _LONGEST_LOCK_SECS)
    until = now() + lock * _SECOND if lock else 0
    connection.execute(update(account).where(account.c.name == name).values(failures=failures, locked_until=until))
    why = "disabled" if disabled else "wrong password"
    detail = {"from": address, "why": why, "failures": failures, "locked_secs": lock}
    audit.record(connection, name, "session.sign_in", "session", "failure", detail)
    return SignInRefused("sign_in_locked" if lock else "sign_in_refused", lock)


def _write_secret(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
