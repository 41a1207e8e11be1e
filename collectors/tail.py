"""What a followed file is and where reading it stands: told by its content, not by its name.

Rotation renames a file, copies and truncates it, or compresses it; an inode number is handed out again. So a stream is known by
its inode *and* by a digest of its first kilobyte: the same content under another name goes on where it was, other content under
the same name begins anew. Positions are bytes of the uncompressed content.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import IO

import zstandard

from collectors.grouping import LONGEST, Grouping, groups, records_of

HEAD = 1024
MOST_RECORDS = 4_000
CHUNK = LONGEST + (1 << 16)
_STREAMS_KEPT = 64
_SURE = 256
_LARGEST_WINDOW = 1 << 27
_ROTATED = re.compile(r"(.+?)[.-](?:\d{1,14}|\d{4}-\d\d-\d\d(?:[-_.T]?\d{1,6})?)(?:\.(?:gz|zst))?|(.+?)\.(?:gz|zst)").fullmatch


def base_of(path: str) -> str:
    """The name under which a log is written: 'auth.log' of 'auth.log.2.gz' and 'auth.log-20261124'."""
    found = _ROTATED(path)
    return (found[1] or found[2]) if found else path


@dataclass(slots=True)
class Stream:
    """Content that has been begun."""

    device: int
    inode: int
    seen: int
    """How many of the first bytes the digest is of: grows with the file up to a kilobyte."""
    digest: str
    offset: int = 0
    """Everything before it is in the event log."""
    format: str = ""
    is_skipping: bool = False
    """The rest of a line that was cut comes next."""

    def fits(self, head: bytes) -> bool:
        return len(head) >= self.seen and digest_of(head[: self.seen]) == self.digest

    def learn(self, head: bytes) -> None:
        if len(head) > self.seen:
            self.seen, self.digest = len(head), digest_of(head)


def digest_of(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=12).hexdigest()


@dataclass(slots=True)
class Log:
    """All streams of one base name: the file that is written, and what became of its predecessors."""

    base: str
    streams: list[Stream] = field(default_factory=list)
    """Oldest first."""
    time: int = 0
    """µs UTC of the last append: what was born later is not old."""

    @classmethod
    def from_text(cls, base: str, text: str | None) -> Log:
        if not text:
            return cls(base)
        known = json.loads(text)
        return cls(base, [Stream(*one) for one in known["streams"]], known["time"])

    def to_text(self) -> str:
        return json.dumps({"streams": [astuple(one) for one in self.streams], "time": self.time}, separators=(",", ":"))

    def find(self, device: int, inode: int, size: int | None, head: bytes) -> Stream | None:
        """The stream that this file holds. `size` is None where only decompressing would tell."""
        fitting = [one for one in self.streams if one.fits(head) and (size is None or one.offset <= size)]
        for one in reversed(fitting):
            if (one.device, one.inode) == (device, inode):
                return one
        if any((one.device, one.inode) == (device, inode) for one in self.streams) and not fitting:
            return None  # the same file with other content: truncated
        # A copy: the stream that got furthest. The live file of a truncated pair has its own, found by inode above. Two short
        # files may begin alike by chance; reading one twice is better than leaving out the beginning of another.
        return max((one for one in fitting if one.seen >= _SURE), key=lambda one: one.offset, default=None)

    def begin(self, device: int, inode: int, head: bytes) -> Stream:
        made = Stream(device, inode, len(head), digest_of(head))
        self.streams.append(made)
        return made

    def forget(self, inodes: set[tuple[int, int]]) -> None:
        """Let go of the oldest streams whose files are gone, when there are many."""
        surplus = len(self.streams) - _STREAMS_KEPT
        if surplus > 0:
            gone = [one for one in self.streams if (one.device, one.inode) not in inodes][:surplus]
            self.streams = [one for one in self.streams if not any(one is other for other in gone)]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a piece of a file holds: records, how many bytes they took, and whether the rest of a cut line follows."""

    records: list[bytes]
    used: int
    is_skipping: bool = False
    cut: int = 0


def take(data: bytes, how: Grouping, is_skipping: bool = False, is_end: bool = False) -> Taken:
    """Complete groups of lines at the beginning of `data`; with `is_end` also what is not terminated or may go on."""
    start = 0
    if is_skipping:
        start = data.find(b"\n") + 1
        if not start:
            return Taken([], len(data), True)
    *lines, tail = data[start:].split(b"\n", MOST_RECORDS)
    has_more = b"\n" in tail
    if not has_more and tail and is_end:
        lines.append(tail)
    if not lines:
        if len(tail) < LONGEST:
            return Taken([], start)
        return Taken([tail[:LONGEST].rstrip(b"\r")], len(data), True, 1)
    found = list(groups(lines, how))
    if type(how) is not Grouping and (has_more or not is_end):  # the next line may belong to the last group
        if len(found) > 1:
            found.pop()
        elif not has_more and len(data) < CHUNK:
            return Taken([], start)
    records: list[bytes] = []
    cut = used = 0
    for group in found:
        used += sum(map(len, group)) + len(group)
        cut += sum(1 for line in group if len(line) > LONGEST)
        records += records_of([line[:LONGEST].strip(b"\r\x00") for line in group], how)
    return Taken(records, min(start + used, len(data)), False, cut)


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """The uncompressed content of an archive."""
    with Path(path).open("rb") as file:
        if path.endswith(".gz"):
            with gzip.open(file) as stream:
                yield stream  # type: ignore[misc]
        else:
            opener = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
            with opener.stream_reader(file, read_across_frames=True) as stream:
                yield stream


def is_archive(path: str) -> bool:
    return path.endswith((".gz", ".zst"))
