"""From a byte stream to syslog frames: octet-counted or ended by LF, recognised by how a frame begins (RFC 6587, RFC 5425).

Works on whole reads: a read of 256 kB costs one search and one split, not a step for each line. What is longer than the limit is
cut: its head is kept as a record, the cut is counted, and its tail is skipped without being held, so that a 64 MB line costs no
memory. A sender that loses count is read on as lines until a count can be made out again: nothing it said is thrown away.
"""

from __future__ import annotations

import re

_COUNT = re.compile(rb"([1-9][0-9]{0,8}) (?=<)").match
_MAY_BECOME_COUNT = re.compile(rb"[1-9][0-9]{0,8} ?").fullmatch
_ENDS = b"\r\n\x00"
LONGEST_START = 11
"""Bytes after which it is certain whether a frame begins with a count: nine digits, a blank, '<'."""


class Framing:
    """The framing of one connection: `feed` gives complete records; `cut` and `malformed` count what was not as it should be."""

    __slots__ = ("_counted", "_limit", "_line_skipped", "_skip", "_tail", "cut", "malformed")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tail = bytearray()
        self._counted: bool | None = None
        self._skip = 0
        self._line_skipped = False
        self.cut = 0
        """Records that were longer than the limit; their heads were given."""
        self.malformed = 0
        """Frames of a counting sender that began without a count; they were read as lines."""

    def feed(self, data: bytes) -> list[bytes]:
        """Records that are complete with this read, and heads of those that are too long; empty ones are left out."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._tail:
            # Appending is cheap, joining is not: a line that comes byte by byte must not cost its square.
            self._tail += data
            if self._waits(data):
                return []
            data = bytes(self._tail)
            self._tail.clear()
        if not data:
            return []
        if self._counted is None:
            self._counted = _begins_with_count(data)
        if self._counted is None:
            self._tail += data
            return []
        return self._frames(data) if self._counted else self._lines(data)

    def rest(self) -> list[bytes]:
        """What stands in the buffer when the connection has ended: an unterminated line is a record too."""
        tail = bytes(self._tail)
        self._tail.clear()
        if self._counted and (found := _COUNT(tail)):
            self.malformed += 1
            tail = tail[found.end() :]
        tail = tail.strip(_ENDS)
        return [tail] if tail else []

    def _waits(self, data: bytes) -> bool:
        ended = b"\n" in data or b"\x00" in data
        return self._counted is False and not ended and len(self._tail) <= self._limit

    # -------------------------------------------------------------- ended by LF

    def _lines(self, data: bytes) -> list[bytes]:
        if b"\x00" in data:
            data = data.replace(b"\x00", b"\n")  # some devices end a frame with NUL
        if self._line_skipped:
            end = data.find(b"\n")
            if end < 0:
                return []
            self._line_skipped = False
            data = data[end + 1 :]
        *lines, tail = data.split(b"\n")
        if b"\r" in data:
            lines = [line.rstrip(b"\r") for line in lines]
        records = [line if len(line) <= self._limit else self._head(line) for line in lines if line]
        if len(tail) > self._limit:
            records.append(self._head(tail))
            self._line_skipped = True
        else:
            self._tail += tail
        return records

    def _head(self, record: bytes) -> bytes:
        self.cut += 1
        return record[: self._limit]

    # -------------------------------------------------------------- octet-counted

    def _frames(self, data: bytes) -> list[bytes]:
        records: list[bytes] = []
        at, size, limit = 0, len(data), self._limit
        while at < size:
            found = None if self._line_skipped else _COUNT(data, at)
            if found is None:
                at = self._out_of_step(data, at, records)
                if at < 0:
                    return records
                continue
            begin = found.end()
            length = int(found[1])
            end = begin + length
            if length > limit:
                if size < begin + limit:
                    break
                records.append(self._head(data[begin : begin + limit]))
                self._skip = max(0, end - size)
            elif end > size:
                break
            elif record := data[begin:end].rstrip(_ENDS):  # RFC 5424 templates leave an LF inside the frame
                records.append(record)
            at = end
        if at < size:
            self._tail += data[at:]
        return records

    def _out_of_step(self, data: bytes, at: int, records: list[bytes]) -> int:
        """Where to go on in a place where a count should stand and does not; -1 to wait for more."""
        if self._line_skipped:
            return self._skip_line(data, at)
        if data[at] in _ENDS:
            return at + 1
        if len(data) - at < LONGEST_START and _MAY_BECOME_COUNT(data, at):
            self._tail += data[at:]
            return -1
        end = data.find(b"\n", at)
        if end < 0 and len(data) - at <= self._limit:
            self._tail += data[at:]
            return -1
        self.malformed += 1
        if end < 0:
            records.append(self._head(data[at:]))
            self._line_skipped = True
            return -1
        if line := data[at:end].strip(_ENDS):
            records.append(line if len(line) <= self._limit else self._head(line))
        return end + 1

    def _skip_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        if end < 0:
            return -1
        self._line_skipped = False
        return end + 1


def _begins_with_count(data: bytes) -> bool | None:
    """None while it cannot be told yet. '<' after the count keeps a line that begins with a year or a number a line."""
    if _COUNT(data):
        return True
    return None if len(data) < LONGEST_START and _MAY_BECOME_COUNT(data) else False
