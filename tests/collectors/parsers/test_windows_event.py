"""Windows events: three shapes of one event are one event; rules read what the event said, whole."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.decode import BatchDecoder
from soc.model import LoggedBatch, RawBatch
from tests import corpora
from tests.collectors.parsers.rows import check, read

FLAT: dict[str, Any] = {
    "Channel": "Security", "EventID": 4625, "Computer": "pc-7.example.org",
    "Provider_Name": "Microsoft-Windows-Security-Auditing",
    "EventRecordID": 7, "SystemTime": "2026-11-24T11:59:58.123456Z", "TargetUserName": "li.na", "LogonType": "3",
    "IpAddress": "192.0.2.7", "SubjectUserName": "-", "Empty": "",
}  # fmt: skip
NESTED = {
    "Event": {
        "System": {
            "Provider": {"#attributes": {"Name": "Microsoft-Windows-Security-Auditing"}}, "EventID": 4625, "EventRecordID": 7,
            "Channel": "Security", "Computer": "pc-7.example.org",
            "TimeCreated": {"#attributes": {"SystemTime": "2026-11-24T11:59:58.123456Z"}},
        },
        "EventData": {"TargetUserName": "li.na", "LogonType": "3", "IpAddress": "192.0.2.7", "SubjectUserName": "-", "Empty": ""},
    }
}  # fmt: skip
BEATS = {
    "@timestamp": "2026-11-24T11:59:58.123456Z", "event": {"code": 4625},
    "winlog": {
        "channel": "Security", "event_id": 4625, "computer_name": "pc-7.example.org", "record_id": 7,
        "provider_name": "Microsoft-Windows-Security-Auditing",
        "event_data": NESTED["Event"]["EventData"],
    },
}  # fmt: skip


@pytest.mark.parametrize("shape", [FLAT, NESTED, BEATS], ids=["flat", "nested", "winlogbeat"])
def test_three_shapes_say_the_same(shape: dict[str, Any]) -> None:
    (event,) = read(shape, format_="json")
    check(event, "windows_event", {
        "event.dataset": "windows.security", "winlog.channel": "Security", "event.code": "4625", "host.name": "pc-7.example.org",
        "winlog.event_data.TargetUserName": "li.na", "winlog.event_data.LogonType": "3", "user.name": "li.na",
        "source.ip": "192.0.2.7", "@timestamp": 1_795_521_598_123_456,
        "winlog.event_data.SubjectUserName": "-", "winlog.event_data.Empty": "",  # rules tell missing from empty
    })  # fmt: skip


@pytest.mark.parametrize(("more", "name", "value"), [
    ({"Initiated": True}, "winlog.event_data.Initiated", "true"),
    ({"ProcessId": 7, "ProcessID": 9}, "winlog.event_data.ProcessId", "7"),
    ({"ProcessId": 7, "ProcessID": 9}, "winlog.process.pid", "9"),
    ({"SourcePort": 443}, "source.port", 443),
    ({"SourcePort": "-"}, "winlog.event_data.SourcePort", "-"),
    ({"Hashes": "SHA256=aa,MD5=bb"}, "winlog.event_data.Hashes", "SHA256=aa,MD5=bb"),
    ({"Data": ["a", "b"]}, "winlog.event_data.Data", "a b"),
    ({"Nothing": None}, "winlog.event_data.Nothing", None),
])  # fmt: skip
def test_values(more: dict[str, Any], name: str, value: object) -> None:
    (event,) = read(FLAT | more, format_="json")
    assert event.get(name) == value


@pytest.mark.parametrize(
    "hostile", [{"__proto__": 1}, {"x" * 5_000: 1}, {f"n{at}": at for at in range(3_000)}, {"a": {"b": {"c": 1}}}]
)
def test_hostile_names_and_shapes_stay_events(hostile: dict[str, Any]) -> None:
    (event,) = read(FLAT | hostile, format_="json")
    assert event["event.code"] == "4625"
    assert len(event) < 1_100


def test_the_flat_and_the_nested_corpus_give_the_same_events() -> None:
    flat, nested = corpora.lines("evtx_attack_flat")[::9], corpora.lines("evtx_attack_nested")[::9]
    decoder = BatchDecoder()

    def decoded(lines: list[bytes]) -> list[dict[str, Any]]:
        events = decoder.decode(LoggedBatch(1, RawBatch("test", lines, 1, "json"))).events
        kept = ("winlog.", "process.", "event.code", "registry.", "file.", "dll.", "dns.", "destination.", "source.", "host.name")
        return [{name: value for name, value in event.items() if name.startswith(kept)} for event in events]

    differ = [(one, other) for one, other in zip(decoded(flat), decoded(nested), strict=True) if _said(one) != _said(other)]
    assert not differ, differ[:1]


def _said(event: dict[str, Any]) -> dict[str, Any]:
    """Without what the two converters of the corpus spell differently: attributes of the header."""
    odd = ("Provider", "System", "TimeCreated", "Execution", "Security", "Correlation", "xmlns", "EventID_")
    names = tuple(f"winlog.event_data.{one}" for one in odd)
    return {name: value for name, value in event.items() if not name.startswith(names)}
