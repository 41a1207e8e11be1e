"""The formats a source's records may come in, and how a file's is recognised from its first lines.

A format says how a record is opened; what it means is the parsers' business. Where a person named the format, nothing is
guessed. The order of the table is the order of trust: the first format that most lines fit is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_LOOK_AT = 64
_LONGEST = 4096
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"


@dataclass(frozen=True, slots=True)
class Format:
    """One way in which records are written."""

    name: str
    what: str
    """For people: `soc parse --format` and the reference page."""
    fits: Callable[[str], object]
    """Truth for a line that looks like it. Anchored, linear, sees at most 4 kB."""


def _like(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern).match


FORMATS: tuple[Format, ...] = (
    Format(
        "cef",
        "ArcSight CEF or LEEF, with or without a syslog header",
        _like(r"(?:<\d{1,3}>)?(?:[^|{]{0,100}[ :])?(?:CEF:\s?\d|LEEF:\s?\d\.\d)\|"),
    ),
    Format("syslog", "syslog with a priority: RFC 5424, RFC 3164 and firewall dialects", _like(r"<\d{1,3}>\S?")),
    Format("json", "one JSON object per record: Windows events, ECS, business audit, access logs", _like(r"\s{0,16}\{")),
    Format("audit", "Linux audit.log as auditd writes it", _like(r"(?:node=\S{1,255} )?type=[A-Z_\[\]0-9]{1,40} msg=audit\(\d")),
    Format(
        "csvlog",
        "PostgreSQL csvlog",
        _like(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S{1,8},(?:(?:"[^"]{0,128}")?,){2}\d{0,10},(?:"[^"]{0,128}")?,'),
    ),
    Format(
        "access",
        "nginx or Apache access log, common or combined, with or without a virtual host in front",
        _like(r'(?:\S{1,255} )?\S{1,255} \S{1,255} .{1,256}? ?\[\d\d/' + _MONTH + r'/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "'),
    ),
    Format(
        "error",
        "nginx or Apache error log",
        _like(
            r"(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w{1,10}\] \d"
            r"|\[\w{3} " + _MONTH + r" [ \d]?\d \d\d:\d\d:\d\d(?:\.\d{1,6})? \d{4}\] \[)"
        ),
    ),
    Format(
        "plain",
        "files in /var/log: time, host, program, without a priority",
        _like(
            r"(?:" + _MONTH + r" [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
            r" [\w.:@%-]{1,255} [^\s:\[]{1,64}(?:\[\d{1,10}\])?:"
        ),
    ),
    Format("text", "anything else: the whole record is the message", lambda _: True),
)

BY_NAME = {one.name: one for one in FORMATS}
NAMES = tuple(BY_NAME)


def recognise(lines: Sequence[bytes]) -> str:
    """Name of the format of these first lines of a file; 'text' when nothing else fits more than half of them."""
    seen = [_shown(line) for line in lines[:_LOOK_AT] if line.strip()]
    for one in FORMATS:
        if sum(1 for line in seen if one.fits(line)) * 2 > len(seen):
            return one.name
    return "text"


def _shown(line: bytes) -> str:
    return line[:_LONGEST].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
