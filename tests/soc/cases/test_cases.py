"""What people read of the case database: lists narrow as they say, and nothing matches by accident."""

from soc.cases import AlertFilter, Cases
from soc.incidents import raise_or_join
from soc.model import Entity
from tests.soc.worlds import HOUR, NOON, an_alert


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


def test_pages_do_not_overlap(cases: Cases) -> None:
    raise_or_join(cases, [an_alert(f"a{number}", f"host:{number}", time=NOON + number) for number in range(25)])
    pages = [cases.alerts(limit=10, offset=offset) for offset in (0, 10, 20)]
    ids = [row.alert.id for page in pages for row in page]
    assert len(ids) == len(set(ids)) == 25
    assert ids[0] == "a24"


def test_the_histogram_counts_by_interval_and_level(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a"), an_alert("b", level="low"), an_alert("c", time=NOON + HOUR)])
    start = NOON - NOON % HOUR
    assert cases.alert_histogram(start, start + 3 * HOUR, HOUR) == [
        (start, "low", 1),
        (start, "high", 1),
        (start + HOUR, "high", 1),
    ]


def test_top_rules_count_matches_not_rows(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a", count=300), an_alert("b", level="low"), an_alert("c", level="low")])
    assert [(row[0], row[3]) for row in cases.top_rules(0)] == [("rule-high", 300), ("rule-low", 2)]


def test_an_incident_shows_its_entities_and_history(cases: Cases) -> None:
    raise_or_join(cases, [an_alert("a", "host:web1", "user:li")])
    raise_or_join(cases, [an_alert("b", "host:web1")])
    raise_or_join(cases, [an_alert("c", "host:web1")])
    assert cases.incident_entities(1) == [Entity("host", "web1"), Entity("user", "li")]
    assert [(one.kind, one.after) for one in cases.notes(1)] == [("opened", "1"), ("joined", "2")]
    assert cases.incident(2) is None
    assert cases.count_incidents(["detected"]) == 1
    assert cases.incidents(levels=["low"]) == []
