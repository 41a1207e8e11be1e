"""From a byte stream to syslog frames: octet-counted or LF-framed, recognised by the first byte (RFC 6587, RFC 5425).

Works on whole reads: a read of 256 kB costs one search and one split, not one step a line. What is longer than the limit is cut,
its head kept as a record and the cut counted; the tail is skipped without being held, so that a 64 MB line costs no memory.
"""

from __future__ import annotations

_DIGITS = b"0123456789"
_LONGEST_COUNT = 10


class Framing:
    """The framing of one connection. `feed` gives complete records; `cut` counts those that were too long or malformed."""

    __slots__ = ("_counted", "_limit", "_skip", "_skipping_line", "_tail", "cut")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tail = b""
        self._counted: bool | None = None
        self._skip = 0
        self._skipping_line = False
        self.cut = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Records that are complete with this read; empty ones are left out."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._tail:
            data, self._tail = self._tail + data, b""
        if not data:
            return []
        if self._counted is None:
            self._counted = data[0] in _DIGITS
        return self._counted_frames(data) if self._counted else self._lines(data)

    def rest(self) -> list[bytes]:
        """What stands in the buffer when the connection has ended: an unterminated line is a record too."""
        tail, self._tail = self._tail, b""
        if self._counted:
            self.cut += bool(tail)
            tail = tail.partition(b" ")[2]
        return [tail] if tail and not self._skipping_line else []

    def _lines(self, data: bytes) -> list[bytes]:
        end = data.rfind(b"\n")
        if end < 0:
            self._keep(data)
            return []
        lines = data[:end].split(b"\n")
        if self._skipping_line:
            self._skipping_line = False
            lines = lines[1:]
        self._keep(data[end + 1 :])
        if b"\r" in data or b"\x00" in data:
            lines = [line.rstrip(b"\r\x00") for line in lines]
        return [self._cut(line) if len(line) > self._limit else line for line in lines if line]

    def _keep(self, tail: bytes) -> None:
        if self._skipping_line:
            return
        self._tail = tail
        if len(tail) > self._limit:
            self._skipping_line = True

    def take_cut(self) -> list[bytes]:
        """The head of a line that has grown too long, once; its tail will be skipped."""
        if self._skipping_line and self._tail:
            head, self._tail = self._cut(self._tail), b""
            return [head]
        return []

    def _cut(self, record: bytes) -> bytes:
        self.cut += 1
        return record[: self._limit]

    def _counted_frames(self, data: bytes) -> list[bytes]:
        found, at, size = [], 0, len(data)
        while at < size:
            blank = data.find(b" ", at, at + _LONGEST_COUNT)
            if blank < 0 and size - at < _LONGEST_COUNT and data[at:].isdigit():
                break  # the count itself is not complete
            if blank < 0 or not data[at:blank].isdigit():
                return found + self._resynchronise(data[at:])
            length = int(data[at:blank])
            end = blank + 1 + length
            if length > self._limit:
                if end > size and size - blank - 1 < self._limit:
                    break
                found.append(self._cut(data[blank + 1 : blank + 1 + self._limit]))
                self._skip = max(0, end - size)
            elif end > size:
                break
            else:
                record = data[blank + 1 : end].rstrip(b"\r\n\x00")
                if record:
                    found.append(record)
            at = min(end, size)
        self._tail = data[at:]
        return found

    def _resynchronise(self, data: bytes) -> list[bytes]:
        """A sender that lost count: read on as lines, which keeps what can be kept."""
        self.cut += 1
        self._counted = False
        return self._lines(data)
