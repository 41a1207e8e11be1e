"""Our own deeds come back as events, so that rules watch us too."""

from __future__ import annotations

from tests.collectors.parsers.rows import check, read

RECORD = {
    "seq": 7, "time": 1_795_521_598_000_000, "actor": "li.na", "action": "incident.close", "object": "incident/3",
    "outcome": "denied", "detail": "{}", "previous": "0" * 64, "hash": "1" * 64,
}  # fmt: skip


def test_a_record_of_the_chain() -> None:
    (event,) = read(RECORD, format_="json", source="soc:audit")
    check(event, "soc_audit", {"user.name": "li.na", "event.outcome": "failure", "event.action": "soc_incident_close"})


def test_nobody_else_can_pose_as_our_audit() -> None:
    assert read(RECORD, format_="json", source="http:erp")[0]["soc.parser"] == "generic_json"


def test_without_an_actor_it_is_any_json() -> None:
    (event,) = read({"action": "x", "object": "y", "outcome": "success"}, format_="json", source="soc:audit")
    assert event["soc.parser"] == "generic_json"
