"""What correlation rules count lies in the case database: no restart, no order and no replay changes what they find."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from soc.cases import Cases
from soc.contracts import Hit, Match, Signal
from soc.correlations import Correlations
from soc.model import Event, Rule

SECOND = 1_000_000
START = 1_795_500_000 * SECOND
BASE = Rule("base", "A failure", "low")
THREE = Rule("three", "Three failures", "high")


@dataclass(frozen=True)
class Three:
    """Three of a group within ten seconds; a burst is one hit, at its third."""

    rule: Rule = THREE
    bases: frozenset[str] = frozenset({"base"})
    silent: frozenset[str] = frozenset({"base"})
    timespan: int = 10 * SECOND

    def signal(self, base: str, event: Event) -> Signal | None:
        group = event.get("source.ip")
        return None if group is None else Signal(base, str(group), int(str(event["@timestamp"])), str(event["event.id"]))

    def evaluate(self, signals: list[Signal]) -> list[Hit]:
        own = sorted(signals, key=lambda one: one.time)
        for at in range(2, len(own)):
            if own[at].time - own[at - 2].time <= self.timespan:
                return [Hit(own[at].time, tuple(one.event for one in own[: at + 1]), at + 1)]
        return []


def failure(number: int, at: float, address: str | None = "203.0.113.9", sample: bool = False) -> Event:
    event: Event = {"event.id": f"{number:010x}-0000", "@timestamp": START + int(at * SECOND), "host.name": "web-1"}
    return event | ({"source.ip": address} if address else {}) | ({"soc.sample": True} if sample else {})


def take(correlations: Correlations, *events: Event) -> list[str]:
    alerts = correlations.take(events, [Match(at, BASE) for at in range(len(events))])
    return [alert.id for alert in alerts]


@pytest.fixture
def three(cases: Cases) -> Correlations:
    return Correlations({"three": Three()}, cases)  # type: ignore[dict-item]


def test_signals_of_different_batches_and_processes_count_together(cases: Cases, three: Correlations) -> None:
    other = Correlations({"three": Three()}, cases)  # type: ignore[dict-item]
    assert take(three, failure(1, 0)) == []
    assert take(other, failure(2, 5)) == []
    (raised,) = take(three, failure(3, 9))
    assert raised


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_the_order_of_arrival_does_not_matter(three: Correlations, order: tuple[int, ...]) -> None:
    raised = [id_ for number in order for id_ in take(three, failure(number, number))]
    assert len(raised) == 1


def test_a_replay_finds_its_alert_again(three: Correlations) -> None:
    events = [failure(number, number) for number in range(3)]
    first = take(three, *events)
    assert take(three, *events) == first != []
    assert set(take(three, failure(9, 4))) <= set(first), "more of the same burst is the same alert"


def test_another_burst_is_another_alert(three: Correlations) -> None:
    first = take(three, *(failure(number, number) for number in range(3)))
    later = take(three, *(failure(100 + number, 1_000 + number) for number in range(3)))
    assert len(first) == len(later) == 1
    assert first != later


@pytest.mark.parametrize("events", [
    [failure(1, 0), failure(2, 1)],  # too few
    [failure(1, 0), failure(2, 6), failure(3, 12)],  # too slow
    [failure(1, 0), failure(2, 1), failure(3, 2, "192.0.2.1")],  # another group
    [failure(1, 0, None), failure(2, 1, None), failure(3, 2, None)],  # no group
    [failure(1, 0), failure(1, 0), failure(1, 0)],  # one event, three times
    [failure(1, 0), failure(2, 1), failure(3, 2, sample=True)],  # the sample counts apart
])  # fmt: skip
def test_near_misses(three: Correlations, events: list[Event]) -> None:
    assert take(three, *events) == []


def test_what_only_counts_is_silent_and_old_signals_go(cases: Cases, three: Correlations) -> None:
    assert three.is_silent("base")
    assert not three.is_silent("three")
    take(three, failure(1, 0), failure(2, 1))
    assert three.forget(START + 5 * SECOND) == 0
    assert three.forget(START + 100 * SECOND) == 2


def test_the_alert_names_what_it_is_about(cases: Cases, three: Correlations) -> None:
    events = [failure(number, number) for number in range(3)]
    (alert,) = three.take(events, [Match(at, BASE) for at in range(3)])
    assert alert.rule.title == "Three failures"
    assert alert.time == START + 2 * SECOND
    assert {entity.name for entity in alert.entities} == {"203.0.113.9", "web-1"}
    assert len(alert.events) == 3
