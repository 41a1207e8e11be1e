"""Packets that the kernel's filter logged."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, is_not_read, said


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "[12.3] NFT-DROP: IN=eth0 OUT= MAC=aa SRC=192.0.2.7 DST=198.51.100.1 LEN=60 PROTO=TCP SPT=51432 DPT=22 SYN URGP=0",
            {
                "event.action": "packet_dropped",
                "event.outcome": "failure",
                "source.ip": "192.0.2.7",
                "destination.port": 22,
                "network.transport": "tcp",
                "rule.name": "NFT-DROP",
            },
        ),
        (
            "ACCEPT IN=eth0 OUT=eth1 MAC= SRC=2001:db8::1 DST=2001:db8::2 LEN=60 PROTO=UDP SPT=53 DPT=53",
            {"event.action": "packet_allowed", "source.ip": "2001:db8::1", "network.transport": "udp"},
        ),
        (
            "seen IN=eth0 OUT= SRC=192.0.2.7 DST=198.51.100.1 PROTO=ICMP [SRC=203.0.113.1 DST=192.0.2.9 PROTO=TCP SPT=1 DPT=2 ]",
            {"event.action": "packet_logged", "source.ip": "192.0.2.7", "destination.port": None},
        ),
    ],
)
def test_what_a_line_says(body: str, wanted: dict[str, object]) -> None:
    check(said("kernel", body), "netfilter", wanted)


@pytest.mark.parametrize(
    "body",
    [
        "eth0: link up",
        "IN=eth0 but nothing else",
    ],
)
def test_near_misses_stay_searchable_and_unread(body: str) -> None:
    is_not_read(said("kernel", body), "netfilter")
