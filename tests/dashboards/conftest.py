"""One filled SOC with pages for all tests of a module: they look, and change only what is theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboards.context import Context, Looking, context_of, looking
from dashboards.state import parse_state
from identity.roles import permissions_of
from identity.sessions import Person
from tests.dashboards.worlds import World, world


@pytest.fixture(scope="module")
def soc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("soc")) as made:
        yield made


class Look:
    """Contexts of people of a role."""

    def __init__(self, soc: World) -> None:
        self.soc = soc

    def __call__(self, role: str = "administrator", search: str = "", rest: str = "", language: str = "zh") -> Context:
        token = looking.set(Looking(Person(f"some.{role}", role, permissions_of(role)), language))
        try:
            return context_of(self.soc.services, self.soc.pages.queries, parse_state(search), rest)
        finally:
            looking.reset(token)


@pytest.fixture(scope="module")
def look(soc: World) -> Look:
    return Look(soc)
