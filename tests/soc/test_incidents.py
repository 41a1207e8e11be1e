"""Alerts join or open incidents; a replay changes nothing; people's deeds leave one audit record each."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text

from soc import audit
from soc.actions import Actions, Actor, delete_sample
from soc.cases import AlertFilter, Cases
from soc.config import Incidents
from soc.errors import ChainBroken, Conflict, NotAllowed, NotFound
from soc.incidents import TRANSITIONS, raise_or_join
from soc.model import Alert, Entity, Level, Rule

HOUR = 3_600_000_000
NOON = 1_795_000_000_000_000
ANALYST = Actor("li.na", frozenset({"incidents:write", "incidents:close", "alerts:triage"}))


def an_alert(id_: str = "a1", *entities: str, level: Level = "high", time: int = NOON, **more: object) -> Alert:
    """Entities as 'host:web1'."""
    named = tuple(Entity(*one.split(":", 1)) for one in entities)  # type: ignore[arg-type]
    return Alert(id_, Rule(f"rule-{level}", f"{level} thing", level), time, time, (f"e-{id_}",), named, **more)  # type: ignore[arg-type]


@pytest.fixture
def cases(tmp_path: object) -> Cases:
    return Cases.at(tmp_path)  # type: ignore[arg-type]


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


ALL_CHANGES = [(a, b) for a in TRANSITIONS for b in TRANSITIONS]


@pytest.mark.parametrize(("before", "after"), ALL_CHANGES)
def test_only_permitted_changes_happen(cases: Cases, before: str, after: str) -> None:
    raise_or_join(cases, [an_alert("a", "host:web1")])
    with cases.writing() as connection:
        connection.execute(text("update incident set status = :s"), {"s": before})
    change = (ANALYST, 1, after, "because")
    if after in TRANSITIONS[before]:
        Actions(cases).change_status(*change, verdict="true_positive" if after == "closed" else "")
        assert cases.incidents()[0].status == after
    else:
        with pytest.raises(Conflict, match=f"is {before} and cannot become {after}"):
            Actions(cases).change_status(*change)


def test_each_deed_leaves_one_record_also_when_it_fails(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a", "host:web1")])
    before = audit.length(cases.engine)
    deeds = Actions(cases)
    deeds.comment(ANALYST, 1, "seen")
    with pytest.raises(NotFound):
        deeds.comment(ANALYST, 99, "nowhere")
    with pytest.raises(NotAllowed, match="incidents:write"):
        deeds.comment(Actor("guest"), 1, "no")
    with pytest.raises(Conflict, match="verdict"):
        deeds.change_status(ANALYST, 1, "closed", "x")
    newest = audit.records(cases.engine, limit=4)[::-1]
    assert audit.length(cases.engine) == before + 4
    assert [(one.action, one.outcome) for one in newest] == [
        ("incident.comment", "success"),
        ("incident.comment", "failure"),
        ("incident.comment", "denied"),
        ("incident.status", "failure"),
    ]
    assert cases.incidents()[0].status == "detected"


def test_closing_needs_its_own_permission(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a", "host:web1")])
    with pytest.raises(NotAllowed, match="incidents:close"):
        Actions(cases).change_status(Actor("x", frozenset({"incidents:write"})), 1, "closed", "y", verdict="benign")


def test_a_change_on_an_old_version_is_refused(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a", "host:web1")])
    Actions(cases).assign(ANALYST, 1, "li.na", version=1)
    with pytest.raises(Conflict, match="meanwhile"):
        Actions(cases).assign(ANALYST, 1, "zhao", version=1)


@pytest.mark.parametrize("column", ["actor", "action", "detail", "time", "outcome", "object"])
def test_one_changed_byte_breaks_the_chain(cases: Cases, column: str) -> None:
    for number in range(5):
        raise_or_join(cases, [an_alert(f"a{number}", f"host:{number}")])
    assert audit.verify(audit.export(cases.engine))[0] == 5
    with cases.writing() as connection:
        new = "time + 1" if column == "time" else f"{column} || 'x'"
        connection.execute(text(f"update audit set {column} = {new} where seq = 3"))
    with pytest.raises(ChainBroken, match="record 3"):
        audit.verify(audit.export(cases.engine))


def test_a_removed_record_breaks_the_chain(cases: Cases) -> None:
    for number in range(3):
        raise_or_join(cases, [an_alert(f"a{number}", f"host:{number}")])
    with cases.writing() as connection:
        connection.execute(text("delete from audit where seq = 2"))
    with pytest.raises(ChainBroken, match="record 2 is missing"):
        audit.verify(audit.export(cases.engine))


def test_alert_filters_narrow(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a", "host:web1"), an_alert("b", "user:100%_x", level="low"), an_alert("c", "host:web2")])
    rows = [
        (AlertFilter(), 3),
        (AlertFilter(levels=("low",)), 1),
        (AlertFilter(text="web"), 2),
        (AlertFilter(text="100%_"), 1),
        (AlertFilter(text="1000_"), 0),
        (AlertFilter(entity=Entity("host", "web1")), 1),
        (AlertFilter(since=NOON + 1), 0),
        (AlertFilter(rule="rule-high"), 2),
        (AlertFilter(statuses=("new",)), 0),
    ]
    for where, count in rows:
        assert (cases.count_alerts(where), len(cases.alerts(where))) == (count, count), where
    assert cases.alerts_by_level()["high"] == 2


def test_a_sample_goes_without_trace(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a", "host:web1", sample=True), an_alert("b", "host:web1")])
    records = audit.length(cases.engine)
    assert delete_sample(cases) == 1
    assert [row.alert.id for row in cases.alerts()] == ["b"]
    assert len(cases.incidents()) == 1
    assert audit.length(cases.engine) == records == 1
