"""Alerts join or open incidents; a replay changes nothing."""

from collections.abc import Sequence

import pytest

from soc.actions import Actions
from soc.cases import Cases
from soc.config import Incidents
from soc.incidents import raise_or_join
from soc.model import Alert
from tests.soc.worlds import ANALYST, HOUR, NOON, an_alert


def incident_of(cases: Cases, id_: str) -> int | None:
    row = cases.alert(id_)
    assert row is not None
    return row.incident


JOINS: list[tuple[str, Sequence[Alert], bool]] = [
    ("a shared host", [an_alert("a", "host:web1"), an_alert("b", "host:web1", "user:li")], True),
    ("a shared address", [an_alert("a", "address:192.0.2.7"), an_alert("b", "host:db", "address:192.0.2.7")], True),
    ("within the window", [an_alert("a", "host:web1"), an_alert("b", "host:web1", time=NOON + 23 * HOUR)], True),
    ("too long ago", [an_alert("a", "host:web1"), an_alert("b", "host:web1", time=NOON + 26 * HOUR)], False),
    ("another host", [an_alert("a", "host:web1"), an_alert("b", "host:web2")], False),
    ("the same name of another kind", [an_alert("a", "host:web1"), an_alert("b", "user:web1")], False),
    ("one is a sample", [an_alert("a", "host:web1"), an_alert("b", "host:web1", sample=True)], False),
]


@pytest.mark.parametrize(("why", "alerts", "together"), JOINS, ids=[row[0] for row in JOINS])
def test_joining(cases: Cases, why: str, alerts: Sequence[Alert], together: bool) -> None:
    for one in alerts:
        raise_or_join(cases, [one])
    assert (incident_of(cases, "a") == incident_of(cases, "b")) is together


@pytest.mark.parametrize(("why", "alerts", "together"), [row for row in JOINS if row[0] != "too long ago"])
def test_joining_within_one_batch(cases: Cases, why: str, alerts: Sequence[Alert], together: bool) -> None:
    raise_or_join(cases, alerts)
    assert (incident_of(cases, "a") == incident_of(cases, "b")) is together


def test_a_replay_raises_nothing_twice(cases: Cases) -> None:
    alerts = [an_alert("a", "host:web1"), an_alert("b", "host:web1")]
    assert raise_or_join(cases, alerts) == 2
    assert raise_or_join(cases, [*alerts, *alerts, an_alert("c", "host:web1")]) == 1
    (row,) = cases.incidents()
    assert (row.alerts, cases.count_alerts()) == (3, 3)


def test_the_incident_takes_the_worst_level_and_the_whole_span(cases: Cases) -> None:
    worse = an_alert("b", "host:web1", level="critical", time=NOON - HOUR)
    raise_or_join(cases, [an_alert("a", "host:web1", level="low"), worse])
    (row,) = cases.incidents()
    assert (row.level, row.first, row.last) == ("critical", NOON - HOUR, NOON)
    assert row.title == "critical thing · web1"


def test_a_mild_alert_joins_and_opens_none(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a", "host:web1", level="informational")])
    assert cases.incidents() == []
    raise_or_join(cases, [an_alert("b", "host:web1"), an_alert("c", "host:web1", level="informational")])
    assert incident_of(cases, "c") == incident_of(cases, "b")


def test_a_closed_incident_is_left_alone(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a", "host:web1")])
    Actions(cases).change_status(ANALYST, 1, "closed", "a drill", verdict="benign")
    raise_or_join(cases, [an_alert("b", "host:web1")])
    assert incident_of(cases, "b") == 2


def test_settings_decide_what_opens_and_for_how_long(cases: Cases) -> None:
    strict = Incidents(join_hours=1, open_level="high")
    raise_or_join(cases, [an_alert("a", "host:web1", level="medium")], strict)
    assert cases.incidents() == []
    raise_or_join(cases, [an_alert("b", "host:web1")], strict)
    raise_or_join(cases, [an_alert("c", "host:web1", time=NOON + 2 * HOUR)], strict)
    assert cases.count_incidents() == 2
