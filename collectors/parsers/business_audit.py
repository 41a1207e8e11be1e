"""Audit events of business systems, one JSON object each; the schema is documented in docs/parsers.md.

    {"time": "2026-11-24T09:12:33+08:00", "module": "drug_registration", "action": "export",
     "user": {"id": "u1024", "name": "li.na", "full_name": "李娜", "department": "审评一部"},
     "ip": "192.0.2.7", "object": "application", "records": ["A-2026-17"], "count": 1, "purpose": "…", "outcome": "success"}

Only `module`, `action` and `user` are needed. Other keys are kept as business.<key>: a system may say more than we ask.
"""

from __future__ import annotations

from typing import Any

import orjson

from collectors import stamps
from soc.contracts import Fields, RawLine

programs = ()
dataset = "business.audit"
logsources = {"business.audit": ("application", "business", None)}
marks = (("module", "action", "user"),)
fields = None

ACTIONS = frozenset(
    {
        "login", "logout", "search", "view", "unmask", "create", "edit", "submit", "approve", "reject", "issue", "revoke",
        "close",
        "reopen", "export", "download", "print", "share", "delete", "config", "assign",
    }
)  # fmt: skip
"""Words a system should use for what people do; others are taken as they are."""
_CATEGORY = {"login": "authentication", "logout": "authentication", "config": "configuration"}
_FAILED = frozenset({"failure", "failed", "denied", "rejected", "error"})
_TEXTS = {
    "module": "business.module", "purpose": "business.purpose", "object": "business.object", "case": "business.case",
    "ip": "source.ip",
    "session": "business.session", "ticket": "business.ticket", "approval": "business.approval", "from": "business.state.from",
    "to": "business.state.to", "reason": "event.reason", "system": "service.name", "host": "host.name",
    "masking": "business.masking",
    "user_agent": "user_agent.original", "device": "business.device", "province": "business.province", "tier": "business.tier",
}  # fmt: skip
_USER = {
    "id": "user.id", "name": "user.name", "full_name": "user.full_name", "department": "user.group.name",
    "organization": "organization.name",
    "role": "business.role", "sub_account": "business.sub_account",
}  # fmt: skip
_DONE = frozenset({"time", "action", "user", "records", "count", "bytes", "outcome", *_TEXTS})
_MOST = 64
_MOST_RECORDS = 500


def parse_json(record: dict[str, Any], line: RawLine) -> Fields | None:
    """One deed: event.action is business_<action>, business.record.id and business.record_count what it touched."""
    module, action, user = record["module"], record["action"], record["user"]
    if not isinstance(module, str) or not isinstance(action, str) or not isinstance(user, str | dict):
        return None
    word = action.lower()[:64]
    about: Fields = {
        "event.category": [_CATEGORY.get(word, "database")],
        "event.type": ["start"] if word == "login" else ["access"],
        "event.action": f"business_{word}",
        "event.outcome": "failure" if str(record.get("outcome", "success")).lower() in _FAILED else "success",
    }
    for key, field in _TEXTS.items():
        if (value := record.get(key)) is not None:
            about[field] = _text(value)
    _who(about, user)
    _what(about, record)
    if isinstance(time := record.get("time"), str) and (when := stamps.iso(time, line.zone)) is not None:
        about["@timestamp"] = when
    for key in list(record)[:_MOST]:
        if key not in _DONE and record[key] is not None:
            about[f"business.{key[:64]}"] = _text(record[key])
    return about


def _who(about: Fields, user: str | dict[str, Any]) -> None:
    if isinstance(user, str):
        about["user.name"] = user
        return
    for key, field in _USER.items():
        if (value := user.get(key)) is not None:
            about[field] = _text(value)


def _what(about: Fields, record: dict[str, Any]) -> None:
    ids = record.get("records")
    if isinstance(ids, list):
        about["business.record.id"] = [_text(one) for one in ids[:_MOST_RECORDS]]
    elif ids is not None:
        about["business.record.id"] = [_text(ids)]
    count = record.get("count", len(ids) if isinstance(ids, list) else None)
    if type(count) is int and abs(count) < 1 << 62:
        about["business.record_count"] = count
    if type(size := record.get("bytes")) is int and 0 <= size < 1 << 62:
        about["http.response.body.bytes"] = size


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
