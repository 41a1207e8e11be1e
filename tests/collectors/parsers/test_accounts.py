"""The shadow tools: accounts and groups that come, change and go."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "new user: name=svc, UID=1003, GID=1003, home=/home/svc, shell=/bin/bash, from=/dev/pts/0",
            {"event.action": "account_created", "user.target.name": "svc", "user.target.id": "1003", "group.id": "1003"},
        ),
        ("failed adding user 'svc', exit code: 9", {"event.outcome": "failure", "user.target.name": "svc"}),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("useradd[9]", body), "accounts", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "new user",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("useradd[9]", body), "accounts")
