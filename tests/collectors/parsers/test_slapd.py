"""The directory: connections, binds, results."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "conn=1001 fd=14 ACCEPT from IP=192.0.2.7:41022 (IP=0.0.0.0:389)",
            {"event.action": "ldap_connection", "source.ip": "192.0.2.7", "source.port": 41022, "soc.ldap.connection": "1001"},
        ),
        (
            'conn=1001 op=0 BIND dn="uid=li.na,ou=people,dc=example" method=128',
            {"event.action": "ldap_bind", "user.name": "li.na"},
        ),
        (
            "conn=1001 op=0 RESULT tag=97 err=49 qtime=0.000013 etime=0.000120 text=",
            {"event.action": "ldap_bind_result", "event.outcome": "failure", "error.code": "49"},
        ),
        (
            "conn=1001 op=1 SEARCH RESULT tag=101 err=0 qtime=0.1 etime=0.2 nentries=5400 text=",
            {"event.action": "ldap_search_result", "soc.ldap.entries": 5400},
        ),
        (
            'conn=1 op=0 BIND dn="uid=x\\22 method=128 uid=root,dc=example" method=128',
            {"event.action": "ldap_bind", "soc.ldap.method": "128"},
        ),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("slapd[5]", body), "slapd", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "slapd starting",
        'op=0 BIND dn="x"',
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("slapd[5]", body), "slapd")
