"""The audit chain: who did what to which object, each record bound to the one before it by its hash.

A record's hash is SHA-256 over the canonical JSON (keys sorted, no blanks, UTF-8) of its other columns, `previous` among them.
So a changed, inserted or removed record breaks the chain at a place that `verify` names, and anybody can check an export with
twenty lines of their own and no part of this product (`docs/audit.md` shows them). What a chain cannot show by itself is that
its end was cut off: the head is therefore also an event of the source `soc:audit`, and printed by every verification.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.engine import Engine

from soc.cases.schema import audit
from soc.contracts import Appender
from soc.errors import ChainBroken
from soc.model import RawBatch, iso, now

GENESIS = "0" * 64
SOURCE = "soc:audit"
_COLUMNS = ("seq", "time", "actor", "action", "object", "outcome", "detail", "previous")


@dataclass(frozen=True, slots=True)
class Record:
    """One deed. `outcome` is 'success', 'failure' or 'denied'; `detail` is JSON text without secrets."""

    seq: int
    time: int
    actor: str
    action: str
    object: str
    outcome: str
    detail: str
    previous: str
    hash: str

    def digest(self) -> str:
        """What `hash` must be."""
        return digest({name: getattr(self, name) for name in _COLUMNS})

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*_COLUMNS, "hash")} | {"at": iso(self.time)}


def digest(columns: Mapping[str, Any]) -> str:
    text = json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def record(
    connection: Connection,
    actor: str,
    action: str,
    object_: str,
    outcome: str = "success",
    detail: Mapping[str, Any] | None = None,
    time: int | None = None,
) -> int:
    """Add one record within the caller's write transaction, so that a change and its record stand or fall together."""
    head = connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
    columns = {
        "seq": head.seq + 1 if head else 1,
        "time": time or now(),
        "actor": actor[:128],
        "action": action[:64],
        "object": object_[:256],
        "outcome": outcome,
        "previous": head.hash if head else GENESIS,
        "detail": json.dumps(detail or {}, sort_keys=True, ensure_ascii=False, default=str),
    }
    connection.execute(audit.insert().values(**columns, hash=digest(columns)))
    return int(columns["seq"])


def records(engine: Engine, object_: str | None = None, limit: int = 200, before: int | None = None) -> list[Record]:
    """The newest records, newest first, optionally of one object and older than a sequence."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if object_ is not None:
        query = query.where(audit.c.object == object_)
    if before is not None:
        query = query.where(audit.c.seq < before)
    with engine.connect() as connection:
        return [Record(**row._mapping) for row in connection.execute(query)]


def export(engine: Engine, step: int = 2_000) -> Iterator[Record]:
    """Every record, oldest first, in bounded memory."""
    last = 0
    while True:
        with engine.connect() as connection:
            query = select(audit).where(audit.c.seq > last).order_by(audit.c.seq).limit(step)
            page = [Record(**row._mapping) for row in connection.execute(query)]
        yield from page
        if len(page) < step:
            return
        last = page[-1].seq


def after(engine: Engine, seq: int, limit: int = 1_000) -> list[Record]:
    """Records behind a sequence, oldest first."""
    with engine.connect() as connection:
        query = select(audit).where(audit.c.seq > seq).order_by(audit.c.seq).limit(limit)
        return [Record(**row._mapping) for row in connection.execute(query)]


def forward(engine: Engine, log: Appender) -> int:
    """Put what is new in the chain into the event log, as events of the source `soc:audit`; how many records.

    The log remembers how far it is in the same transaction, so that each record comes in once, through any crash.
    """
    last = int(log.position(SOURCE) or 0)
    new = after(engine, last)
    if new:
        lines = [json.dumps(one.as_json(), ensure_ascii=False).encode() for one in new]
        to = str(new[-1].seq)
        log.append([RawBatch(SOURCE, lines, now(), "json", key=f"{SOURCE} {last + 1}-{to}", position=(SOURCE, to))])
    return len(new)


def verify(chain: Iterable[Record]) -> tuple[int, str]:
    """(records, head hash) of a whole chain, oldest first. Raises ChainBroken naming the first record that does not fit."""
    count, head = 0, GENESIS
    for one in chain:
        count += 1
        if one.seq != count:
            raise ChainBroken(f"audit record {count} is missing: the next one is {one.seq}")
        if one.previous != head:
            raise ChainBroken(f"audit record {one.seq} does not follow the one before it: records were removed or exchanged")
        if one.digest() != one.hash:
            raise ChainBroken(f"audit record {one.seq} ({one.action} by {one.actor} at {iso(one.time)}) was changed")
        head = one.hash
    return count, head


def length(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(audit)).scalar_one())
