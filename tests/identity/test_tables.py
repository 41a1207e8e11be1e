"""The room's tables stand in the one case database."""

from identity.tables import account, session
from soc.cases.schema import metadata


def test_they_are_part_of_the_case_database() -> None:
    assert {account.name, session.name} <= set(metadata.tables)
