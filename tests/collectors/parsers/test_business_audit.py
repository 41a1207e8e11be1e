"""Deeds in business systems, as any system may send them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.collectors.parsers.rows import check, read

DEED: dict[str, Any] = {
    "time": "2026-11-24T19:59:58+08:00", "module": "e_licence", "action": "export", "user": {"id": "u7", "name": "li.na"},
    "ip": "192.0.2.7", "object": "licence", "records": ["A-1", "A-2"], "count": 2, "outcome": "success",
}  # fmt: skip


@pytest.mark.parametrize(("more", "wanted"), [
    ({}, {"event.action": "business_export", "event.outcome": "success", "user.name": "li.na", "user.id": "u7",
          "source.ip": "192.0.2.7",
          "business.module": "e_licence", "business.record.id": ["A-1", "A-2"], "business.record_count": 2,
          "@timestamp": 1_795_521_598_000_000}),
    ({"user": "li.na"}, {"user.name": "li.na", "user.id": None}),
    ({"outcome": "denied"}, {"event.outcome": "failure"}),
    ({"count": 5400}, {"business.record_count": 5400}),
    ({"count": "many"}, {"business.record_count": None}),
    ({"count": 2**63 - 1}, {"business.record_count": None}),
    ({"province": "37", "odd": {"a": 1}}, {"business.province": "37", "business.odd": '{"a":1}'}),
    ({"action": "LOGIN"}, {"event.action": "business_login", "event.category": ["authentication"]}),
])  # fmt: skip
def test_what_a_deed_says(more: dict[str, Any], wanted: dict[str, object]) -> None:
    check(read(DEED | more, format_="json")[0], "business_audit", wanted)


@pytest.mark.parametrize("lacking", ["module", "action", "user"])
def test_without_what_is_needed_it_is_any_json(lacking: str) -> None:
    (event,) = read({name: value for name, value in DEED.items() if name != lacking}, format_="json")
    assert event["soc.parser"] == "generic_json"


@pytest.mark.parametrize("wrong", [{"module": 7}, {"action": None}, {"user": 7}, {"user": []}])
def test_of_the_wrong_type_it_is_any_json(wrong: dict[str, Any]) -> None:
    (event,) = read(DEED | wrong, format_="json")
    assert event["soc.parser"] == "generic_json"
