"""Opens a record's envelope: the syslog header with its time, host and program, in the dialects that devices really send.

RFC 5424, RFC 3164, files of /var/log without a priority, and what firewalls make of it: no host, the year included, an ISO
date, no colon after the tag, Cisco `%ASA-6-302013:`, Huawei `%%01SSH/4/…`, FortiGate key=value text without any tag.
Only the front of a line is looked at, by anchored patterns with bounded repeats, so nothing in the body can forge a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import tzinfo
from typing import TypeAlias

from collectors import stamps

Opened: TypeAlias = tuple[int | None, str, str, str | None, str, str | None, dict[str, object] | None]
"""(time in µs or None, host, program, pid, body, priority as text, fields of structured data)."""

_HOST = r"([\w.:@%-]{0,254}\w)"
_TAG = r"([^\s:\[%]{1,64})(?:\[(\d{1,10})\])?: ?"
_MON = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_SECOND = r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?"
_BSD = re.compile(r"(?:<(\d{1,3})>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) " + _HOST + " " + _TAG).match
_STAMPED = re.compile(r"(?:<(\d{1,3})>)?" + _SECOND + " " + _HOST + " " + _TAG).match
_IETF = re.compile(
    r"<(\d{1,3})>[1-9]\d{0,2} (?:" + _SECOND + r"|-) (\S{1,255}) (\S{1,128}) (\S{1,128}) (\S{1,64}) (?:(-)(?: |$)|(?=\[))"
).match

_PRIORITY = re.compile(r"<(\d{1,3})>\s{0,4}").match
_CISCO_COUNT = re.compile(r"(?:\d{1,10}: ){0,2}[*.]?").match
_TIMES = (
    re.compile(r"(" + _MON + r" [ \d]\d \d\d:\d\d:\d\d)(?:\.\d{1,6})?(?: (\d{4})(?=[ :]))?(?: [A-Z]{3,5}(?=:? ))?:? ").match,
    re.compile(r"(" + _MON + r" [ \d]?\d),? (\d{4}) (\d\d:\d\d:\d\d)(?:\.\d{1,6})?(?: [A-Z]{3,5}(?=:? ))?:? ").match,
    re.compile(r"(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?,? ").match,
)
_HOST_ALONE = re.compile(_HOST + r"(?: : | )").match
_TAG_ALONE = re.compile(r"([A-Za-z_][\w./()@-]{0,63})(?:\[(\d{1,10})\])?:(?: |$)").match
_TAG_NO_COLON = re.compile(r"([A-Za-z_][\w./()@-]{0,63})\[(\d{1,10})\] ").match
_SIGNED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"CEF: ?(?=\d)"), "CEF"),
    (re.compile(r"LEEF: ?(?=\d)"), "LEEF"),
    (re.compile(r"(?=date=\d{4}-\d\d-\d\d,? time=|(?:logver=\S{1,32} )?(?:timestamp=\d{1,12} )?dev(?:name|id)=)"), "fortigate"),
    (re.compile(r"(?=%(?:ASA|FTD|PIX|FWSM)-)"), "asa"),
    (re.compile(r"(?=%%\d\d[A-Z])"), "huawei"),
    (re.compile(r"(?=type=[A-Z_0-9]{1,40} msg=audit\()"), "auditd"),
    (re.compile(r"(?=\s{0,8}\{\s{0,8}\")"), "json"),
)
_SIGNS = frozenset("CLdlt%{ \t")
_SD_ELEMENT = re.compile(r"\[([^\s=\]\"\[]{1,64})").match
_SD_PARAM = re.compile(r' ([^\s=\]"]{1,64})="((?:[^"\\\]]|\\.){0,2048})"').match
_SD_LIMIT = 64


def signed(body: str) -> tuple[str, str] | None:
    """(program, rest) for a body whose beginning shows what wrote it although no tag says so."""
    if body[:1] in _SIGNS:
        for pattern, program in _SIGNED:
            if found := pattern.match(body):
                return program, body[found.end() :]
    return None


class Opener:
    """Opens the headers of sources that share a zone."""

    def __init__(self, zone: tzinfo | None) -> None:
        self.zone = zone
        self.received = 0
        """µs UTC; set for each batch: it decides the year of headers that have none."""

    def open(self, text: str) -> Opened | None:
        """The parts of one syslog record, or None where there is neither priority nor time."""
        if found := _BSD(text):
            priority, stamp, host, program, pid = found.groups()
            time = stamps.bsd(stamp, self.zone, self.received)
            return time, host, program, pid, text[found.end() :], priority, None
        if found := _IETF(text):
            return self._ietf(text, found)
        if found := _STAMPED(text):
            priority, base, fraction, suffix, host, program, pid = found.groups()
            time = stamps.second(base, suffix, fraction, self.zone)
            return time, host, program, pid, text[found.end() :], priority, None
        return self._dialect(text)

    def _ietf(self, text: str, found: re.Match[str]) -> Opened:
        priority, base, fraction, suffix, host, program, pid, msgid, no_data = found.groups()
        time = stamps.second(base, suffix, fraction, self.zone) if base else None
        at, fields = found.end(), None
        if not no_data:
            at, fields = structured_data(text, at)
        if msgid != "-":
            fields = (fields or {}) | {"log.syslog.msgid": msgid}
        body = text[at:].removeprefix("\ufeff")
        if body[:1] == " ":  # rsyslog keeps the blank that stood between tag and message
            body = body[1:]
        program = "" if program == "-" else program
        if not program and (sign := signed(body)):
            program, body = sign
        return time, "" if host == "-" else host, program, pid if pid != "-" else None, body, priority, fields

    def _dialect(self, text: str) -> Opened | None:
        found = _PRIORITY(text)
        priority, rest = (found[1], text[found.end() :]) if found else (None, text)
        if count := _CISCO_COUNT(rest):
            rest = rest[count.end() :]
        time, rest, timed = self._time(rest)
        if sign := signed(rest):
            return time, "", sign[0], None, sign[1], priority, None
        if priority is None and not timed:
            return None
        host = ""
        if not (_TAG_ALONE(rest) or _TAG_NO_COLON(rest)) and timed and (found := _HOST_ALONE(rest)):
            host, rest = found[1], rest[found.end() :]
        if sign := signed(rest):
            return time, host, sign[0], None, sign[1], priority, None
        if found := _TAG_ALONE(rest) or _TAG_NO_COLON(rest):
            return time, host, found[1], found[2], rest[found.end() :], priority, None
        if priority is None and not host:
            return None
        return time, host, "", None, rest, priority, None

    def _time(self, text: str) -> tuple[int | None, str, bool]:
        """(µs, what follows, whether there was a time)."""
        short, dated, iso = _TIMES
        if found := short(text):
            stamp, year = found.groups()
            time = stamps.with_year(year, stamp, self.zone) if year else stamps.bsd(stamp, self.zone, self.received)
        elif found := dated(text):
            day, year, clock = found.groups()
            time = stamps.with_year(year, f"{day[:3]} {day[4:]:>2} {clock}", self.zone)
        elif found := iso(text):
            base, fraction, suffix = found.groups()
            time = stamps.second(base.replace("/", "-"), suffix, fraction, self.zone)
        else:
            return None, text, False
        return time, text[found.end() :], True


def structured_data(text: str, at: int) -> tuple[int, dict[str, object] | None]:
    """RFC 5424's `[id name="value" …]…` from position `at`: (where the message begins, `soc.sd.<id>.<name>` fields).

    At most 64 values of 2,048 characters; what is longer or malformed stays in the message, where it can still be found.
    """
    fields: dict[str, object] = {}
    end = at
    while element := _SD_ELEMENT(text, end):
        here = element.end()
        inside: dict[str, object] = {}
        while len(fields) + len(inside) < _SD_LIMIT and (found := _SD_PARAM(text, here)):
            inside[f"soc.sd.{element[1]}.{found[1]}"] = _unescaped(found[2])
            here = found.end()
        if text[here : here + 1] != "]":
            break
        fields |= inside
        end = here + 1
    if text[end : end + 1] == " ":
        end += 1
    return end, fields or None


def _unescaped(value: str) -> str:
    return re.sub(r'\\(["\\\]])', r"\1", value) if "\\" in value else value


def texts(records: Iterable[bytes]) -> list[tuple[str, str]]:
    """(text, encoding) of records that are not all UTF-8: '' for UTF-8, 'gb18030', or 'damaged' where even that fits not all."""
    decoded = []
    for record in records:
        try:
            decoded.append((record.decode("utf-8"), ""))
        except UnicodeDecodeError:
            try:
                decoded.append((record.decode("gb18030"), "gb18030"))
            except UnicodeDecodeError:
                decoded.append((_mostly(record), "damaged"))
    return decoded


def _mostly(record: bytes) -> str:
    """A few broken bytes in UTF-8 text must not turn the rest into wrong Chinese: whichever needs fewer replacements."""
    one, other = record.decode("utf-8", "replace"), record.decode("gb18030", "replace")
    return one if one.count("\ufffd") <= other.count("\ufffd") else other
