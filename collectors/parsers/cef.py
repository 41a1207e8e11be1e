r"""ArcSight Common Event Format: `CEF:0|vendor|product|version|class|name|severity|key=value …`.

Source: "ArcSight Common Event Format" v26. In the header `\|` and `\\` are escaped, in the extension `\=`, `\\`, `\n`; a value
ends where the next ` key=` begins, so an unescaped `=` in an attacker's text can start a key: the first of doubled keys counts,
and devices write addresses before texts. csN/cnN values are named by their csNLabel.
"""

from __future__ import annotations

import re

from collectors import stamps
from soc.contracts import Fields, RawLine

programs = ("CEF",)
dataset = "cef.log"
logsources = {"cef.log": ("ids", None, "cef")}
fields = None
"""What is not named here becomes cef.<key or label>, text."""

_HEADER = re.compile(r"(?:CEF: ?)?\d{1,2}((?:\|(?:[^|\\]|\\.){0,1024}){6})\|", re.S).match
_PART = re.compile(r"(?:^|(?<=\|))((?:[^|\\]|\\.){0,1024})(?:\||$)", re.S)
_ESCAPE = re.compile(r"\\([=|\\nr])")
_KEYS = re.compile(r"(?:^| )([A-Za-z0-9_.\[\]-]{1,64})(?<!\\)=").split
_LONGEST = 32_768
_MOST = 128
_TEXTS = {
    "src": "source.ip", "dst": "destination.ip", "suser": "user.name", "duser": "destination.user.name", "msg": "cef.msg",
    "request": "url.original", "requestMethod": "http.request.method", "requestClientApplication": "user_agent.original",
    "dhost": "destination.domain", "shost": "source.domain", "fname": "file.name", "filePath": "file.path",
    "fileHash": "file.hash.md5",
    "dvchost": "observer.name", "dvc": "observer.ip", "sproc": "process.name", "dproc": "cef.dproc", "app": "network.protocol",
    "cat": "cef.cat", "reason": "event.reason", "deviceExternalId": "observer.serial_number", "suid": "user.id",
    "act": "event.action", "outcome": "cef.outcome", "smac": "source.mac", "dmac": "destination.mac",
}  # fmt: skip
_NUMBERS = {"spt": "source.port", "dpt": "destination.port", "in": "source.bytes", "out": "destination.bytes", "cnt": "cef.cnt"}
_SEVERITY = {"low": 3, "medium": 6, "high": 8, "very-high": 10, "unknown": 0}
_REFUSED = frozenset(
    {"block", "blocked", "deny", "denied", "drop", "dropped", "reset", "failure", "failed", "prevented", "reject"}
)


def parse(line: RawLine) -> Fields | None:
    """One CEF event. event.action is the device's `act`, event.code its class id, rule.name its name, event.severity 0–10."""
    body = line.body[:_LONGEST]
    if not (found := _HEADER(body)):
        return None
    head = found[1][1:].split("|") if "\\" not in found[1] else _parts(found[1][1:])
    vendor, product, version, code, name, severity = head
    read: Fields = {
        "event.category": ["intrusion_detection"],
        "observer.vendor": vendor,
        "observer.product": product,
        "observer.version": version,
        "event.code": code,
        "rule.name": name,
        "event.severity": int(severity) if severity.isdigit() and len(severity) < 4 else _SEVERITY.get(severity.lower(), 0),
    }
    _extension(body[found.end() :], read, line)
    if (act := read.get("event.action", read.get("cef.outcome"))) is not None:
        read["event.outcome"] = "failure" if str(act).lower() in _REFUSED else "success"
    return read


def _parts(text: str) -> list[str]:
    """The six parts of a header that holds escapes."""
    return [_unescaped(part) for part in _PART.findall(text)]


def _extension(text: str, read: Fields, line: RawLine) -> None:
    pieces = _KEYS(text, _MOST)
    pairs: dict[str, str] = {}
    for key, value in zip(pieces[1::2], pieces[2::2], strict=True):
        pairs.setdefault(key, value)
    for key, value in pairs.items():
        if "\\" in value:
            value = _unescaped(value)
        if (name := _TEXTS.get(key)) is not None:
            read[name] = value
        elif (name := _NUMBERS.get(key)) is not None:
            if value.isascii() and value.isdigit() and len(value) < 19:
                read[name] = int(value)
        elif key == "proto":
            read["network.transport"] = value.lower()
        elif key in ("rt", "end") and (when := _time(value, line)) is not None:
            read.setdefault("@timestamp", when)
        elif key[-5:] != "Label":
            read[f"cef.{pairs.get(key + 'Label', key)[:64]}"] = value


def _time(value: str, line: RawLine) -> int | None:
    if value.isdigit() and 12 <= len(value) <= 14:
        return int(value) * 1000
    if len(value) >= 15 and value[:3].isalpha():  # 'Nov 24 2026 01:20:14' or without the year
        if value[7:11].isdigit() and value[6] == " ":
            return stamps.with_year(value[7:11], value[:6] + value[11:20], line.zone)
        return stamps.bsd(value[:15], line.zone, line.time)
    return stamps.iso(value, line.zone)


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), value)
