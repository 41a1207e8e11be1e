"""Any JSON object: bounded in number, depth and length; what is ours cannot be forged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.collectors.parsers.rows import read, well_typed


@pytest.mark.parametrize(("given", "wanted"), [
    ({"source": {"ip": "192.0.2.7", "port": "443"}}, {"source.ip": "192.0.2.7", "source.port": 443}),
    ({"source.ip": "192.0.2.7"}, {"source.ip": "192.0.2.7"}),
    ({"acme": {"count": 7, "ok": True}}, {"acme.count": "7", "acme.ok": "true"}),  # not in the catalogue: text
    ({"event": {"category": "web"}}, {"event.category": ["web"]}),
    ({"@timestamp": "2026-11-24T11:59:58Z"}, {"@timestamp": 1_795_521_598_000_000}),
    ({"event": {"id": "forged"}, "soc": {"source": "forged"}}, {"soc.source": "test"}),
    ({"message": "hello"}, {"message": "hello"}),
])  # fmt: skip
def test_fields(given: dict[str, Any], wanted: dict[str, object]) -> None:
    (event,) = read(given, format_="json")
    assert {name: event.get(name) for name in wanted} == wanted
    assert event["event.id"] == "0000000001-0000"
    well_typed(event)


@pytest.mark.parametrize("hostile", [
    {f"n{at}": 1 for at in range(10_000)},
    {"__proto__": {"x": 1}, "constructor": {"prototype": 1}},
    {"a" * 10_000: "b" * 100_000},
     {"n": -0.0}, {"": ""}, {"a": [[[[1]]]]}, {"a\x00b": "c\x00"},
])  # fmt: skip
def test_hostile_objects_are_bounded_events(hostile: dict[str, Any]) -> None:
    import json

    (event,) = read(json.dumps(hostile), format_="json")
    assert len(event) < 1_200
    assert max(map(len, event)) < 1_100
    well_typed(event)


def test_deep_json_is_an_event_or_quarantined_never_an_error() -> None:
    assert len(read('{"a":' * 5_000 + "1" + "}" * 5_000, '{"ok": 1}', format_="json")) in (1, 2)


def test_a_number_beyond_64_bits_is_quarantined_and_its_neighbour_is_not() -> None:
    assert [event.get("ok") for event in read('{"n": 1' + "0" * 400 + "}", '{"ok": "1"}', format_="json")] == ["1"]
