"""What is done now and then, each by a short-lived process, and written down: when, how it ended, what it did."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import delete, select, update

from soc import audit
from soc.cases import Cases
from soc.cases.schema import fired, job, signal
from soc.config import Home, Store
from soc.contracts import EventStore
from soc.model import now

_SIGNAL_DAYS = 63  # twice the longest window that a correlation rule may have


def run(cases: Cases, name: str, work: Callable[[], str]) -> None:
    """Do it and keep the record of the last time; what it raises is recorded and raised on."""
    with cases.writing() as connection:
        connection.execute(delete(job).where(job.c.name == name))
        connection.execute(job.insert().values(name=name, started=now(), finished=None, outcome="running", detail=""))
    outcome, detail = "failure", ""
    try:
        detail = work()
        outcome = "success"
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"
        raise
    finally:
        with cases.writing() as connection:
            connection.execute(
                update(job).where(job.c.name == name).values(finished=now(), outcome=outcome, detail=detail[:2000])
            )


def last_runs(cases: Cases) -> list[dict[str, object]]:
    """Name, started, finished (µs UTC), outcome and detail of each job's last run."""
    with cases.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(select(job).order_by(job.c.name))]


def retain(store: EventStore, settings: Store) -> str:
    """Let go of events beyond the retention."""
    gone = store.retain(settings.retention_days, settings.max_gb << 30)
    return f"{gone['events']} events in {gone['segments']} segments, {gone['bytes']} bytes"


def compact(home: Home) -> str:
    """Merge small segments."""
    from soc.store.compact import compact as merge

    return str(merge(home.store))


def prune(cases: Cases) -> str:
    """Forget what correlation rules counted so long ago that no window reaches it."""
    before = now() - _SIGNAL_DAYS * 86_400_000_000
    with cases.writing() as connection:
        gone = connection.execute(delete(signal).where(signal.c.time < before)).rowcount
        connection.execute(delete(fired).where(fired.c.time < before))
    return f"{gone} signals"


def verify(cases: Cases) -> str:
    """Check the whole audit chain. Raises ChainBroken."""
    count, head = audit.verify(audit.export(cases.engine))
    return f"{count} records, head {head}"
