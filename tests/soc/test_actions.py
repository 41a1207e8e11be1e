"""People's deeds: permitted changes only, one audit record each, also when refused or failed."""

import pytest
from sqlalchemy import text

from soc import audit
from soc.actions import Actions, Actor, delete_sample
from soc.cases import Cases
from soc.errors import Conflict, NotAllowed, NotFound
from soc.incidents import TRANSITIONS, raise_or_join
from tests.soc.worlds import ANALYST, an_alert

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


def test_a_sample_goes_without_trace(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a", "host:web1", sample=True), an_alert("b", "host:web1")])
    records = audit.length(cases.engine)
    assert delete_sample(cases) == 1
    assert [row.alert.id for row in cases.alerts()] == ["b"]
    assert len(cases.incidents()) == 1
    assert audit.length(cases.engine) == records == 1
