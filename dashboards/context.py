"""Who is looking at what, in which language. Every layout and callback gets one; the browser has no say in it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from dashboards.i18n import translate
from dashboards.queries import Queries
from dashboards.services import Services
from dashboards.state import State
from identity.sessions import Person
from soc.errors import NotAllowed
from soc.model import now

SIGNED_IN = "signed_in"
"""The permission of what everybody with a session may do: see the frame of the pages."""


@dataclass(frozen=True, slots=True)
class Looking:
    """What the guard found out about a request."""

    person: Person
    language: str


looking: ContextVar[Looking] = ContextVar("looking")
"""Set by the guard for each request; unset means that nobody is signed in."""


@dataclass(frozen=True, slots=True)
class Context:
    person: Person
    language: str
    services: Services
    queries: Queries
    state: State = State()  # noqa: RUF009 - frozen
    rest: str = ""
    """What follows the page's path in the address: '7' of /incidents/7."""
    now: int = field(default_factory=now)

    def t(self, key: str, **values: object) -> str:
        """The text of a key in the reader's language."""
        return translate(self.language, key, **values)

    def may(self, permission: str) -> bool:
        if permission == SIGNED_IN:
            return not self.person.must_change
        return self.person.may(permission)

    def demand(self, permission: str) -> None:
        """Raises NotAllowed."""
        if not self.may(permission):
            raise NotAllowed(f"{self.person.name} may not do this: the permission {permission} is missing")


def context_of(services: Services, queries: Queries, state: State | None = None, rest: str = "") -> Context:
    """The context of the request that is being answered. Raises NotAllowed outside one."""
    try:
        who = looking.get()
    except LookupError:
        raise NotAllowed("nobody is signed in") from None
    return Context(who.person, who.language, services, queries, state or State(), rest)
