"""Our own audit records (`soc/audit.py`), which come back in as events of the source `soc:audit` so that rules watch us too."""

from __future__ import annotations

from typing import Any

from soc.contracts import Fields, RawLine

programs = ()
dataset = "soc.audit"
logsources = {"soc.audit": ("application", "lingshu", "audit")}
marks = (("actor", "action", "object", "outcome"),)
fields = (
    "event.category", "event.type", "event.action", "event.outcome", "event.sequence", "user.name", "soc.audit.object",
    "soc.audit.detail", "soc.audit.hash",
)  # fmt: skip

_SOURCES = ("soc:audit", "sample:soc:audit", "parse")


def parse_json(record: dict[str, Any], line: RawLine) -> Fields | None:
    """One deed: event.action is soc_<action>, with '_' for what joins its words.

    Only from our own source: nobody else can pose as it.
    """
    if line.program not in _SOURCES:
        return None
    action = "".join(letter if letter.isalnum() else "_" for letter in str(record["action"])[:64].lower())
    about: Fields = {
        "event.category": ["configuration"],
        "event.type": ["change"],
        "event.action": f"soc_{action}",
        "event.outcome": "success" if record["outcome"] == "success" else "failure",
        "user.name": str(record["actor"]),
        "soc.audit.object": str(record["object"]),
    }
    if type(sequence := record.get("seq")) is int:
        about["event.sequence"] = sequence
    for key in ("detail", "hash"):
        if isinstance(value := record.get(key), str):
            about[f"soc.audit.{key}"] = value
    if type(time := record.get("time")) is int:
        about["@timestamp"] = time
    return about
