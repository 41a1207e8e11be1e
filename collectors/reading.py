"""Reads anything that holds records: text, JSON lines, CSV with quoted line feeds, EVTX, compressed or not, standard input.

Always in bounded memory: a record longer than a megabyte is cut, decompression is a stream, EVTX is walked record by record.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from collectors.formats import recognise
from soc.errors import SocError

LONGEST = 1 << 20
_LOOKED_AT = 20
_EVTX = b"ElfFile\x00"


@dataclass(slots=True)
class Place:
    """How far a file has been read: bytes of the file itself, compressed or not."""

    done: int = 0
    total: int = 0


def files(path: Path) -> list[Path]:
    """The files of a folder, sorted; a file is its own list. Raises SocError for what is not there."""
    if path.is_dir():
        return sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
    if not path.exists():
        raise SocError(f"{path} does not exist")
    return [path]


def records(
    path: str, format: str | None = None, *, size: int = 500, place: Place | None = None
) -> Iterator[tuple[str, list[bytes]]]:
    """(format, at most `size` records) of a file, of every file in a folder, or of standard input ('-')."""
    if path == "-":
        yield from _batches(_lines(sys.stdin.buffer), format, size)
        return
    for one in files(Path(path)):
        yield from file_records(one, format, size=size, place=place)


def file_records(
    path: Path, format: str | None = None, *, size: int = 500, place: Place | None = None
) -> Iterator[tuple[str, list[bytes]]]:
    """(format, at most `size` records) of one file."""
    place = place or Place()
    place.total += path.stat().st_size
    before = place.done
    try:
        with path.open("rb") as file, _opened(file) as stream:
            if stream is None:
                from collectors.evtx import json_lines

                chunks: Iterator[tuple[str, list[bytes]]] = _batches(json_lines(path), "json", size)
            else:
                chunks = _batches(_lines(stream), format, size)
            for taken, batch in chunks:
                place.done = before + file.tell()
                yield taken, batch
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise SocError(f"{path}: {error}") from None
    place.done = before + path.stat().st_size


@contextmanager
def _opened(file: BinaryIO) -> Iterator[BinaryIO | None]:
    """The bytes of the records; None for an EVTX file, which only its own reader understands."""
    head = file.read(8)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        with gzip.open(file) as stream:
            yield stream  # type: ignore[misc]
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
            yield stream
    else:
        yield None if head == _EVTX else file


def _lines(stream: BinaryIO, read: int = 1 << 18) -> Iterator[bytes]:
    """Lines without their end, empty ones left out, over-long ones cut."""
    tail = b""
    while data := stream.read(read):
        lines = (tail + data).split(b"\n")
        tail = lines.pop()
        for line in lines:
            if line := line.rstrip(b"\r"):
                yield line[:LONGEST]
        tail = tail[: LONGEST + 1]
    if tail := tail.rstrip(b"\r"):
        yield tail[:LONGEST]


def _batches(lines: Iterable[bytes], format: str | None, size: int) -> Iterator[tuple[str, list[bytes]]]:
    source = iter(lines)
    first = [line for _, line in zip(range(_LOOKED_AT), source, strict=False)]
    if not first:
        return
    taken = format or recognise(first)
    batch: list[bytes] = []
    for record in grouped(_chain(first, source), taken):
        batch.append(record)
        # auditd's records of one serial stay together, so that they become one event
        if len(batch) >= size and taken != "audit":
            yield taken, batch
            batch = []
        elif len(batch) >= size and _serial(batch[-1]) != _serial(batch[-2] if size > 1 else b""):
            yield taken, batch[:-1]
            batch = batch[-1:]
    if batch:
        yield taken, batch


def _chain(first: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from first
    yield from rest


def grouped(lines: Iterable[bytes], format: str) -> Iterator[bytes]:
    """Lines joined to records where a format's records span several: CSV quotes that are still open, continued stack traces."""
    if format != "csvlog":
        yield from lines
        return
    held = b""
    for line in lines:
        held = held + b"\n" + line if held else line
        if held.count(b'"') % 2 == 0 or len(held) > LONGEST:
            yield held[:LONGEST]
            held = b""
    if held:
        yield held


def _serial(record: bytes) -> bytes:
    """The 'audit(time:serial)' of an audit record, b'' for others."""
    start = record.find(b"audit(")
    return record[start : record.find(b")", start)] if start >= 0 else b""
