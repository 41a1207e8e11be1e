"""What ties alerts together, and what must not: a name that half the machines share."""

import pytest

from soc.entities import entities_of
from soc.model import Entity, Event

ROWS: list[tuple[Event, list[str]]] = [
    ({"host.name": "web1", "user.name": "li.na", "source.ip": "192.0.2.7"}, ["user:li.na", "host:web1", "address:192.0.2.7"]),
    ({"host.name": "web1", "user.name": "root"}, ["account:root@web1", "host:web1"]),  # root is another on each machine
    ({"user.name": "root"}, []),  # of no machine: nobody
    ({"host.name": "DC1", "user.name": "NT AUTHORITY\\SYSTEM"}, ["account:NT AUTHORITY\\SYSTEM@DC1", "host:DC1"]),
    ({"host.name": "web1", "user.name": "-"}, ["host:web1"]),  # Windows for "none"
    ({"source.ip": "0.0.0.0"}, []),  # no address
    ({"user.name": ["li.na", "zhao"], "user.effective.name": "li.na"}, ["user:li.na", "user:zhao"]),
    ({"business.module": "licences"}, ["system:licences"]),
    ({"destination.ip": "10.0.0.1"}, []),  # a server everybody talks to ties nothing together
    ({"host.name": "h" * 2000}, ["host:" + "h" * 512]),
    ({}, []),
]


@pytest.mark.parametrize(("event", "named"), ROWS)
def test_entities_of(event: Event, named: list[str]) -> None:
    assert [f"{one.kind}:{one.name}" for one in entities_of(event)] == named


def test_entities_compare_by_kind_and_name() -> None:
    assert Entity("host", "a") != Entity("user", "a")
