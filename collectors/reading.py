"""Reads anything that holds records: text, JSON lines and arrays, CSV, EVTX, compressed or not; files, folders, standard input.

In bounded memory: a record longer than a megabyte is cut (and counted), decompression is a stream, EVTX is walked record by
record. Only a JSON array is held whole, up to 256 MB, because nothing less shows where its elements end.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, BinaryIO

import zstandard

from collectors.bodies import split
from collectors.evtx import json_lines
from collectors.formats import recognise
from collectors.grouping import LONGEST, grouping, groups, mode_of, records_of
from soc.errors import SocError

_LOOKED_AT = 20
_READ = 1 << 18
_BATCH_BYTES = 8 << 20
_LARGEST_ARRAY = 256 << 20
_LARGEST_WINDOW = 1 << 27
_EVTX = b"ElfFile\x00"
_IS_ARRAY = re.compile(rb"\s{0,64}\[\s{0,64}\{").match


@dataclass(slots=True)
class Place:
    """How far a file has been read: bytes of the file itself, compressed or not."""

    done: int = 0
    total: int = 0
    cut: int = 0
    """Records that were longer than a megabyte; their heads were given."""


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
    """(format, about `size` records) of a file, of every file in a folder, or of standard input ('-')."""
    if path == "-":
        with _opened(sys.stdin.buffer) as stream:
            yield from _batches(stream, format, size, place or Place())
        return
    for one in files(Path(path)):
        yield from file_records(one, format, size=size, place=place)


def file_records(
    path: Path, format: str | None = None, *, size: int = 500, place: Place | None = None
) -> Iterator[tuple[str, list[bytes]]]:
    """(format, about `size` records) of one file. Raises SocError for what cannot be read, after what could."""
    place = place or Place()
    before = place.done
    try:
        length = path.stat().st_size
        place.total += length
        with path.open("rb") as file:
            if file.peek(8).startswith(_EVTX):
                batches: Iterator[tuple[str, list[bytes]]] = _batched(([one] for one in json_lines(path)), "json", size)
            else:
                batches = _text_batches(file, format, size, place)
            for batch in batches:
                place.done = before + file.tell()
                yield batch
    except (OSError, EOFError, ValueError, zlib.error, zstandard.ZstdError) as error:
        raise SocError(f"{path}: {error}") from None
    place.done = before + length


def _text_batches(file: io.BufferedReader, format: str | None, size: int, place: Place) -> Iterator[tuple[str, list[bytes]]]:
    with _opened(file) as stream:
        yield from _batches(stream, format, size, place)


@contextmanager
def _opened(file: BinaryIO) -> Iterator[IO[bytes]]:
    """The bytes of the records, without their compression."""
    head = file.peek(8) if isinstance(file, io.BufferedReader) else b""
    if head.startswith(b"\x1f\x8b"):
        with gzip.open(file) as stream:
            yield stream  # type: ignore[misc]
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        opener = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        with opener.stream_reader(file, read_across_frames=True, closefd=False) as stream:
            yield stream
    else:
        yield file


def _batches(stream: IO[bytes], format: str | None, size: int, place: Place) -> Iterator[tuple[str, list[bytes]]]:
    chunks = _chunks(stream)
    head = next(chunks, b"")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        chunks = _from_utf16(chain([head], chunks))
        head = next(chunks, b"")
    if _IS_ARRAY(head) and format in (None, "json"):
        yield from _batched(([one] for one in split(_whole(chain([head], chunks)))), "json", size)
        return
    lines = _lines(chain([head.removeprefix(codecs.BOM_UTF8)], chunks), place)
    first = list(islice(lines, _LOOKED_AT))
    while not any(first) and (more := list(islice(lines, _LOOKED_AT))):
        first = more
    if not any(first):
        return
    taken = format or recognise([line for line in first if line])
    how = grouping(mode_of(taken))
    yield from _batched((records_of(group, how) for group in groups(chain(first, lines), how)), taken, size)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while data := stream.read(_READ):
        yield data


def _whole(chunks: Iterable[bytes]) -> bytes:
    whole = bytearray()
    for chunk in chunks:
        whole += chunk
        if len(whole) > _LARGEST_ARRAY:
            raise ValueError("a JSON array of more than 256 MB: write one object per line instead")
    return bytes(whole)


def _from_utf16(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "replace")


def _lines(chunks: Iterable[bytes], place: Place) -> Iterator[bytes]:
    """Lines without their end; of over-long ones the head, once."""
    tail = bytearray()
    for chunk in chunks:
        if b"\n" not in chunk:
            tail += chunk[: LONGEST + 1 - len(tail)]
            continue
        first, *lines = chunk.split(b"\n")
        lines.insert(0, bytes(tail) + first)
        tail = bytearray(lines.pop())
        for line in lines:
            yield _cut(line, place)
    if tail:
        yield _cut(bytes(tail), place)


def _cut(line: bytes, place: Place) -> bytes:
    if len(line) > LONGEST:
        place.cut += 1
    return line[:LONGEST].rstrip(b"\r")


def _batched(parts: Iterable[list[bytes]], format: str, size: int) -> Iterator[tuple[str, list[bytes]]]:
    batch: list[bytes] = []
    length = 0
    for part in parts:
        batch += part
        length += sum(map(len, part))
        if len(batch) >= size or length >= _BATCH_BYTES:
            yield format, batch
            batch, length = [], 0
    if batch:
        yield format, batch
