"""What pages may use. The composition root fills it in; a page reaches nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from identity.accounts import Accounts
from identity.sessions import Sessions
from soc.actions import Actions
from soc.cases import Cases
from soc.config import Web
from soc.contracts import EventLog, EventStore
from soc.registry import Broken


class Sample(Protocol):
    """The shipped sample scenario."""

    def load(self) -> int:
        """Put it on its way; how many records."""

    def remove(self) -> Mapping[str, int]:
        """Take it out again; what there was of it."""

    def is_loaded(self) -> bool: ...


def _no_rules() -> Mapping[str, str]:
    return {}


def _none_broken() -> Sequence[Broken]:
    return ()


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the pages of one SOC."""

    store: EventStore
    log: EventLog
    cases: Cases
    actions: Actions
    accounts: Accounts
    sessions: Sessions
    sample: Sample
    health: Callable[[], Mapping[str, Mapping[str, Any]]]
    """What each process last said of itself, as `soc.process.states` gives it."""
    web: Web = Web()  # noqa: RUF009 - frozen
    unusable: Callable[[], Mapping[str, str]] = _no_rules
    """Rules that cannot match, and why."""
    broken: Callable[[], Sequence[Broken]] = _none_broken
    """Extensions that would not load, pages excepted: those are known here."""
