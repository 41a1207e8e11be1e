"""Which lines of a file belong together: one record over several lines, or several records that make one event.

A group is never divided between two batches, because a batch is what a parser sees at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from soc.errors import ConfigError

LONGEST = 1 << 20
"""Bytes of a record; what is longer is cut."""
MOST_LINES = 1_000
"""Lines of a group; a source that never begins a new one is divided here."""
MODES = ("single", "audit", "csv", "stack")
_LOOKED_AT = 512


class Grouping:
    """Every line is a group of its own."""

    joins = False
    """Whether the lines of a group are one record; else they stay records and only travel together."""

    def begins(self, line: bytes) -> bool:  # noqa: ARG002
        """Whether this line begins a new group. Asked once for each line, in order."""
        return True


class Audit(Grouping):
    """Linux audit records of one serial: five lines, one event."""

    def __init__(self) -> None:
        self._last = b""

    def begins(self, line: bytes) -> bool:
        start = line.find(b"audit(", 0, _LOOKED_AT)
        serial = line[start : line.find(b")", start, start + 64)] if start >= 0 else b""
        last, self._last = self._last, serial
        return not serial or serial != last


class Csv(Grouping):
    """A quoted CSV value may hold line feeds: PostgreSQL's csvlog writes statements so."""

    joins = True

    def __init__(self) -> None:
        self._is_open = False

    def begins(self, line: bytes) -> bool:
        was_open = self._is_open
        if line.count(b'"') % 2:
            self._is_open = not was_open
        return not was_open


class Stack(Grouping):
    """Indented lines, and what programs put between them, continue the line before: stack traces."""

    joins = True
    _continued = re.compile(rb"[ \t]|$|Caused by: |Traceback \(most recent call last\)|\.\.\. \d+ more|[}\])]+;?$").match

    def begins(self, line: bytes) -> bool:
        return not self._continued(line[:_LOOKED_AT])


class Pattern(Grouping):
    """A record begins with a line that fits the operator's pattern."""

    joins = True

    def __init__(self, pattern: str, place: str) -> None:
        try:
            self._fits = re.compile(pattern.encode()).match
        except re.error as error:
            raise ConfigError(f"{place}: {pattern!r} is neither {', '.join(MODES)} nor a regular expression: {error}") from None

    def begins(self, line: bytes) -> bool:
        return self._fits(line[:_LOOKED_AT]) is not None


def grouping(mode: str, place: str = "multiline") -> Grouping:
    """'single', 'audit', 'csv', 'stack', or a regular expression that fits the first line of a record. Raises ConfigError."""
    kinds = {"single": Grouping, "audit": Audit, "csv": Csv, "stack": Stack}
    return kinds[mode]() if mode in kinds else Pattern(mode, place)


def mode_of(format: str) -> str:
    """How lines of a record format are grouped unless somebody says otherwise."""
    return {"audit": "audit", "csvlog": "csv"}.get(format, "single")


def groups(lines: Iterable[bytes], how: Grouping) -> Iterator[list[bytes]]:
    """Lines in their groups, in order; each group has at least one line."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        if (how.begins(line) or len(group) >= MOST_LINES or size > LONGEST) and group:
            yield group
            group, size = [], 0
        group.append(line)
        size += len(line)
    if group:
        yield group


def records_of(group: list[bytes], how: Grouping) -> list[bytes]:
    """The records of a group; empty lines are none."""
    if how.joins:
        record = b"\n".join(group).strip(b"\n")
        return [record[:LONGEST]] if record else []
    return [line for line in group if line]
