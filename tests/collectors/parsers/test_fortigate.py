"""FortiGate: quoted values end at their quote, the first of doubled keys counts."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            'date=2026-11-24 time=11:59:58 devname="fg-1" type="traffic" srcip=192.0.2.7 srcport=5 dstport=3389 action="accept"',
            {
                "observer.name": "fg-1",
                "source.ip": "192.0.2.7",
                "destination.port": 3389,
                "event.action": "accept",
                "event.outcome": "success",
            },
        ),
        (
            'date=2026-11-24 time=11:59:58 devname="fg-1" type="traffic" srcip=192.0.2.7 action="deny" msg="x" srcip=203.0.113.1',
            {"source.ip": "192.0.2.7", "event.outcome": "failure"},
        ),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("fortigate", body), "fortigate", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "date only",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("fortigate", body), "fortigate")
