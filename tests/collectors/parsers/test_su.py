"""su: four ways of saying the same."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "(to root) li.na on pts/0",
            {"event.action": "su", "event.outcome": "success", "user.name": "li.na", "user.effective.name": "root"},
        ),
        ("FAILED SU (to root) li.na on pts/0", {"event.outcome": "failure", "user.name": "li.na"}),
        ("FAILED su for root by li.na", {"event.outcome": "failure", "user.effective.name": "root"}),
        ("'su root' failed for li.na on /dev/pts/8", {"event.outcome": "failure", "user.name": "li.na"}),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("su[9]", body), "su", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "(to root li.na on pts/0",
        "Successful su for root",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("su[9]", body), "su")
