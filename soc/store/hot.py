"""Hot files: what a writer has appended and not flushed, for other processes to read.

Derived and not fsynced: after a crash the worker appends the same batches again from the event log. A file is a row of frames
`magic, header length, body length, header JSON, padding, body`, the body an Arrow stream of one batch, aligned so that readers
map it and copy nothing. A frame that is not whole yet ends the reading; a later look goes on from there.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

_HEAD = struct.Struct("<8sQQ")
_MAGIC = b"SOCHOT1\0"
_ALIGN = 64
_LARGEST = 1 << 31
_AT_ONCE = 512
"""Pieces of one system call; Linux takes 1,024."""
Buffer: TypeAlias = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Frame:
    """One appended batch of one dataset."""

    seq: int
    dataset: str
    batch: pa.RecordBatch


def frames_of(seq: int, batches: Sequence[tuple[str, pa.RecordBatch]]) -> list[Buffer]:
    """The frames of one append, in pieces to be written in one go."""
    parts: list[Buffer] = []
    for dataset, batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        body = sink.getvalue()
        header = json.dumps({"seq": seq, "dataset": dataset}).encode()
        parts += (_HEAD.pack(_MAGIC, len(header), body.size), header, bytes(-(_HEAD.size + len(header)) % _ALIGN))
        parts += (memoryview(body), bytes(-body.size % _ALIGN))
    return parts


def _write(file: int, parts: Sequence[Buffer]) -> None:
    size = sum(map(len, parts))
    written = os.writev(file, parts)
    if written < size:  # cut short by a signal or a full disk: the rest says which
        left = memoryview(b"".join(parts))[written:]
        while left:
            left = left[os.write(file, left) :]


class HotFile:
    """The writing side: opened at the first append."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self.failed: str | None = None
        """Why nothing more is written (the disk is full): these events are seen only when they are flushed."""

    def append(self, parts: Sequence[Buffer]) -> None:
        if self.failed is not None:
            return
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            for start in range(0, len(parts), _AT_ONCE):
                _write(self._file, parts[start : start + _AT_ONCE])
        except OSError as error:
            self.failed = str(error)  # not cut back: a reader may have mapped what is there

    def remove(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self.path.unlink(missing_ok=True)


class Alive:
    """The sign that a writer lives: a lock that the system lets go of when its process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def end(self) -> None:
        self._path.unlink(missing_ok=True)
        self._file.close()


def is_alive(path: Path) -> bool:
    """Whether the writer whose sign this is still lives."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@dataclass(slots=True)
class HotReader:
    """The reading side of one hot file; knows more with each `refresh`."""

    path: Path
    _batches: dict[tuple[str, pa.Schema], list[pa.RecordBatch]] = field(default_factory=dict)
    _offset: int = 0

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """(dataset, its events) as far as they were read."""
        for (dataset, schema), batches in self._batches.items():
            yield dataset, pa.Table.from_batches(batches, schema)

    def refresh(self) -> None:
        """Read the frames that are new. Raises FileNotFoundError when its writer has flushed (or never wrote) it."""
        size = self.path.stat().st_size
        if size < self._offset + _HEAD.size:
            return
        with pa.memory_map(str(self.path)) as mapped:
            data = mapped.read_buffer(size)
        while (frame := self._next(data)) is not None:
            self._batches.setdefault((frame.dataset, frame.batch.schema), []).append(frame.batch)

    def _next(self, data: pa.Buffer) -> Frame | None:
        if data.size < self._offset + _HEAD.size:
            return None
        magic, head_size, body_size = _HEAD.unpack(memoryview(data)[self._offset : self._offset + _HEAD.size])
        start = self._offset + _HEAD.size
        body = start + head_size + -(_HEAD.size + head_size) % _ALIGN
        end = body + body_size + -body_size % _ALIGN
        if magic != _MAGIC or end > min(data.size, self._offset + _LARGEST):
            return None
        header = json.loads(bytes(memoryview(data)[start : start + head_size]))
        batch = pa.ipc.open_stream(data.slice(body, body_size)).read_next_batch()
        self._offset = end
        return Frame(header["seq"], header["dataset"], batch)
