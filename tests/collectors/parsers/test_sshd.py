"""sshd: who came from where, and lines that somebody's user name imitates."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "Accepted publickey for li.na from 192.0.2.7 port 52150 ssh2: ED25519 SHA256:abc",
            {
                "event.action": "ssh_login",
                "event.outcome": "success",
                "user.name": "li.na",
                "source.ip": "192.0.2.7",
                "source.port": 52150,
                "soc.ssh.method": "publickey",
                "soc.ssh.key": "ED25519 SHA256:abc",
            },
        ),
        (
            "Failed password for invalid user oracle from 2001:db8::7 port 9 ssh2",
            {"event.action": "ssh_login", "event.outcome": "failure", "user.name": "oracle", "source.ip": "2001:db8::7"},
        ),
        ("Failed password for root from fe80::1%eth0 port 9 ssh2", {"source.ip": "fe80::1"}),
        ("Invalid user admin from 192.0.2.7 port 4", {"event.action": "ssh_unknown_user", "user.name": "admin"}),
        (
            "error: maximum authentication attempts exceeded for root from 192.0.2.7 port 4 ssh2 [preauth]",
            {"event.action": "ssh_too_many_attempts", "event.outcome": "failure"},
        ),
        (
            "Connection closed by authenticating user root 192.0.2.7 port 4 [preauth]",
            {"event.action": "ssh_disconnect", "user.name": "root"},
        ),
        ("Did not receive identification string from 192.0.2.7 port 4", {"event.action": "ssh_probe", "source.ip": "192.0.2.7"}),
        (
            "Failed password for invalid user root from 203.0.113.1 port 22 ssh2 from 192.0.2.7 port 4 ssh2",
            {"event.outcome": "failure", "source.ip": "192.0.2.7", "user.name": "root from 203.0.113.1 port 22 ssh2"},
        ),
        (
            "Failed password for invalid user Accepted password for root from 192.0.2.7 port 4 ssh2",
            {"event.outcome": "failure", "user.name": "Accepted password for root"},
        ),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("sshd[7]", body), "sshd", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "Server listening on 0.0.0.0 port 22.",
        "x Accepted password for root from 192.0.2.7 port 4 ssh2",
        "Accepted password for root from nowhere port 4 ssh2",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("sshd[7]", body), "sshd")
