"""Windows events as JSON: flat (Zircolite and the like), nested as EVTX readers write them, and Winlogbeat's.

The names come from `soc.fields.sources`, the same table that rules are read with; what it does not name is kept whole under
winlog.event_data.*, `''` and `-` included, because rules tell missing from empty. Every value but ports is text. What entities
need (user.name, source.ip) are extra copies that no Windows rule reads.
"""

from __future__ import annotations

from typing import Any

import orjson

from collectors import stamps
from soc.contracts import Fields, RawLine
from soc.fields.sources import NAMES, windows_dataset

programs = ()
dataset = "windows.other"
logsources = {"windows.other": (None, "windows", None)}
"""Each channel is a dataset of its own, windows.<last part of its name>; detection routes these by channel and event.code."""
fields = None
marks = (
    ("Channel", "EventID"), ("Event",), ("winlog",), ("Provider_Name", "EventID"), ("Channel", "Computer"),
    ("Provider_Name", "Channel"),
)  # fmt: skip

_names = NAMES["windows"]
_PORTS = {"source.port": "SourcePort", "destination.port": "DestinationPort"}
_EMPTY = frozenset({"", "-", "::", "LOCAL", "N/A"})
_UTC_TIMES = ("winlog.event_data.TimeCreated", "winlog.event_data.SystemTime", "winlog.event_data.UtcTime")
_MOST = 1_000


def parse_json(record: dict[str, Any], _line: RawLine) -> Fields | None:
    """One event of any of the three shapes. event.code is text; @timestamp is TimeCreated, SystemTime or UtcTime, in UTC."""
    if "Channel" not in record and "Provider_Name" not in record:  # else a field of the data may be called Event
        if "Event" in record:
            flat = _flat(record["Event"])
            return None if flat is None else _event(flat)
        return _winlogbeat(record)
    return _event(record)


def _event(record: dict[str, Any]) -> Fields:
    """Rename, make text, add what entities need."""
    if len(record) > _MOST:
        record = dict(list(record.items())[:_MOST])
    names = _names
    event: Fields = {
        names[key]: value if value.__class__ is str else _text(value)
        for key, value in record.items()
        if value is not None
    }
    event.pop("winlog.event_data.OriginalLogfile", None)  # written by a converter, not by Windows
    _ports(event)
    _entities(event)
    event["event.dataset"] = windows_dataset(str(event.get("winlog.channel", "")))
    for name in _UTC_TIMES:
        if (value := event.get(name)) is not None and (when := _time(str(value))) is not None:
            event["@timestamp"] = when
            break
    return event


def _text(value: object) -> str:
    """As rules see it: 4688, true; unnamed <Data> elements joined by blanks; what is nested otherwise stays JSON."""
    kind = value.__class__
    if kind is int or kind is float:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if isinstance(value, list) and all(one is None or isinstance(one, str | int) for one in value):
        return " ".join("" if one is None else str(one) for one in value)
    return orjson.dumps(value).decode()


def _time(text: str) -> int | None:
    base, fraction = text[:19], text[20:26]
    if text[19:20] == "." and text[-1:] in "Z0123456789":
        digits = fraction.removesuffix("Z")
        if digits.isdigit() and text[20:].rstrip("Z").isdigit():
            return stamps.second(base, "Z", digits, None)
    return stamps.iso(text if text[-1:] == "Z" or "+" in text[19:] else text + "Z", None)


def _ports(event: Fields) -> None:
    for name, original in _PORTS.items():
        if (value := event.get(name)) is not None:
            text = str(value)
            if text.isascii() and text.isdigit() and len(text) < 10:
                event[name] = int(text)
            else:
                del event[name]
                event[f"winlog.event_data.{original}"] = text


def _entities(event: Fields) -> None:
    get = event.get
    user = get("winlog.event_data.TargetUserName") or get("winlog.event_data.User") or get("winlog.event_data.SubjectUserName")
    if user is not None and user not in _EMPTY:
        event["user.name"] = user
    address = get("winlog.event_data.IpAddress")
    if address is not None and address not in _EMPTY and "source.ip" not in event:
        event["source.ip"] = str(address).removeprefix("::ffff:")


def _flat(event: object) -> dict[str, Any] | None:
    """The nested form as the flat one: data first, the header over it, attributes as Provider_Name and the like."""
    if not isinstance(event, dict) or not isinstance(system := event.get("System"), dict):
        return None
    flat: dict[str, Any] = {}
    for part, value in event.items():
        if part not in ("System", "#attributes") and isinstance(value, dict):
            _data(flat, value)
    for key, value in system.items():
        if value.__class__ is not dict:
            if value is not None:
                flat[key] = value
            continue
        text, attributes = value.get("#text"), value.get("#attributes")
        if text is not None:
            flat[key] = text
        if key != "EventID" and isinstance(attributes, dict):
            for name, attribute in attributes.items():
                flat[_ATTRIBUTES.get((key, name)) or f"{key}_{name}"] = attribute
    return flat


_ATTRIBUTES = {
    ("TimeCreated", "SystemTime"): "SystemTime",
    ("Execution", "ProcessID"): "ProcessID",
    ("Execution", "ThreadID"): "ThreadID",
    ("Execution", "ProcessorID"): "ProcessorID",
    ("Execution", "KernelTime"): "KernelTime",
    ("Execution", "UserTime"): "UserTime",
    ("Execution", "SessionID"): "SessionID",
}


def _data(flat: dict[str, Any], data: dict[str, Any], depth: int = 0) -> None:
    """EventData's pairs; UserData's one element is entered; an unnamed <Data> list stays one."""
    for key, value in data.items():
        if key == "#attributes":
            continue
        if value.__class__ is not dict:
            flat[key] = value
        elif "#text" in value:
            flat[key] = value["#text"]
        elif depth < 4:
            _data(flat, value, depth + 1)


def _winlogbeat(record: dict[str, Any]) -> Fields | None:
    """Winlogbeat has ECS of its own; event_data is what rules read, under the same names as in the other shapes."""
    winlog = record["winlog"]
    if not isinstance(winlog, dict):
        return None
    flat: dict[str, Any] = {}
    for part in ("event_data", "user_data"):
        if isinstance(data := winlog.get(part), dict):
            flat |= data
    for ours, theirs in _BEATS.items():
        if (value := winlog.get(ours)) is not None:
            flat[theirs] = value
    if "EventID" not in flat and isinstance(code := record.get("event"), dict):
        flat["EventID"] = code.get("code")
    if isinstance(process := winlog.get("process"), dict):
        flat["ProcessID"] = process.get("pid")
        if isinstance(thread := process.get("thread"), dict):
            flat["ThreadID"] = thread.get("id")
    if isinstance(message := record.get("message"), str):
        flat["Message"] = message
    event = _event(flat)
    if isinstance(stamp := record.get("@timestamp"), str) and (when := stamps.iso(stamp, None)) is not None:
        event["@timestamp"] = when
    return event


_BEATS = {
    "channel": "Channel",
    "event_id": "EventID",
    "provider_name": "Provider_Name",
    "provider_guid": "Provider_Guid",
    "computer_name": "Computer",
    "record_id": "EventRecordID",
    "task": "Task",
    "opcode": "Opcode",
    "keywords": "Keywords",
    "version": "Version",
}
