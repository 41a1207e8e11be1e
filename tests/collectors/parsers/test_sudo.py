"""sudo: a command is last, so nothing in it can pose as another field."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "  li.na : TTY=pts/0 ; PWD=/home/li.na ; USER=root ; COMMAND=/usr/bin/id",
            {
                "event.action": "sudo",
                "event.outcome": "success",
                "user.name": "li.na",
                "user.effective.name": "root",
                "process.command_line": "/usr/bin/id",
                "process.executable": "/usr/bin/id",
            },
        ),
        (
            "  li.na : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            {"event.outcome": "failure", "event.reason": "3 incorrect password attempts"},
        ),
        (
            "  guest : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            {"event.outcome": "failure", "event.reason": "user NOT in sudoers"},
        ),
        (
            "  li.na : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo ; USER=admin ; COMMAND=/bin/false",
            {"user.effective.name": "root", "process.command_line": "/bin/echo ; USER=admin ; COMMAND=/bin/false"},
        ),
        (
            "  li.na : TTY=pts/0 ; PWD=/tmp/a ; b ; USER=root ; COMMAND=/bin/ls",
            {"user.effective.name": "root", "process.command_line": "/bin/ls"},
        ),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("sudo", body), "sudo", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "unable to resolve host host-1",
        "li.na: TTY=pts/0 ; COMMAND=/bin/sh",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("sudo", body), "sudo")
