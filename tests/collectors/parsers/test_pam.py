"""PAM through any program: the program's own name stays."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "pam_unix(sshd:session): session opened for user li.na(uid=1001) by (uid=0)",
            {"event.action": "session_opened", "user.name": "li.na", "user.id": "1001", "soc.pam.service": "sshd"},
        ),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root",
            {"event.action": "auth_failure", "event.outcome": "failure", "user.name": "root", "source.ip": "192.0.2.7"},
        ),
        ("pam_unix(passwd:chauthtok): password changed for li.na", {"event.action": "password_changed", "user.name": "li.na"}),
        (
            "pam_unix(su:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=192.0.2.7  user=x rhost=1.1.1.1",
            {"source.ip": "192.0.2.7", "user.name": "x rhost=1.1.1.1"},
        ),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("sshd[7]", body), "pam", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "pam_unix(sshd:auth) session opened for user x",
        "pam unix(sshd:session): session opened for user x",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("sshd[7]", body), "pam")
