"""Follows files and folders: through rotation, truncation and compression, from the exact byte after a crash.

What has been read of a file is remembered in the same transaction as its records, so nothing is lost or doubled by a kill -9.
Works in a thread of its own, by looking once a second; the open file is kept, so that what is written to it after it was renamed
or deleted is read too.
"""

from __future__ import annotations

import asyncio
import glob
import logging
import os
import stat
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import zstandard

from collectors.formats import NAMES, recognise
from collectors.grouping import grouping, mode_of
from collectors.tail import CHUNK, HEAD, Log, Stream, Taken, base_of, is_archive, opened, take
from soc.contracts import Appender
from soc.errors import ConfigError, LogFull
from soc.model import RawBatch, now

_MOST_FILES = 10_000
_MOST_OPEN = 400
_CLOSE_SECS = 60
_TURN_BYTES = 8 << 20  # then the next file has its turn
_EVTX = b"ElfFile\x00"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Config:
    """Files and folders to follow."""

    paths: tuple[str, ...] = ()
    """Files, folders (with everything below them) or patterns such as /var/log/nginx/*.log; empty follows nothing."""
    formats: dict[str, str] = field(default_factory=dict)
    """Pattern -> format, for example {"*/error.log" = "error"}; others are recognised from their first lines."""
    multiline: dict[str, str] = field(default_factory=dict)
    """Pattern -> single, audit, csv, stack, or a regular expression that fits the first line of a record."""
    poll_secs: float = 1.0
    """How often files are looked at."""
    wait_secs: float = 5.0
    """A line without an end, or a record that may go on, is taken after the file has not grown for so long."""
    archives: bool = True
    """Read compressed files (.gz, .zst) as well, each once."""

    @property
    def is_on(self) -> bool:
        return bool(self.paths)


@dataclass(slots=True)
class _Open:
    """A file that is kept open, and when it last grew."""

    descriptor: int
    base: str
    size: int = -1
    grew: float = 0.0


class File:
    """Everything that one collector process follows."""

    def __init__(self, config: Config, appender: Appender) -> None:
        for pattern, name in config.formats.items():
            if name not in NAMES:
                raise ConfigError(f"[collectors.file] formats.{pattern}: {name!r} is not one of {', '.join(NAMES)}")
        for pattern, mode in config.multiline.items():
            grouping(mode, f"[collectors.file] multiline.{pattern}")
        self._config, self._appender = config, appender
        self._logs: dict[str, Log] = {}
        self._open: dict[tuple[int, int], _Open] = {}
        self._unchanged: dict[str, tuple[int, ...]] = {}
        self._said: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="file", daemon=True)

    async def start(self) -> Mapping[str, str]:
        self._thread.start()
        return {}

    async def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)
        self.close()

    def close(self) -> None:
        for one in self._open.values():
            os.close(one.descriptor)
        self._open.clear()

    def _run(self) -> None:
        has_more = False
        while not self._stopping.wait(0 if has_more else self._config.poll_secs):
            try:
                has_more = self.poll()
            except LogFull:
                has_more = False
            except Exception:  # the edge: one odd file must not end the following of all others
                _log.exception("file: a look at the files failed and is repeated")
                has_more = False

    def poll(self) -> bool:
        """Look at every file once and take what is new; true if there was more than one turn takes. Raises LogFull."""
        has_more = False
        for base, wanted in self._found().items():
            if self._stopping.is_set() or self._appender.pressure():
                return False
            log = self._log_of(base)
            present = [(path, about) for path in [*self._siblings(log, wanted), *wanted] if (about := self._about(path))]
            present.sort(key=lambda one: (one[0] == base, one[1].st_mtime_ns))  # oldest first, what is written now last
            inodes = {(about.st_dev, about.st_ino) for _, about in present}
            for key in [key for key, one in self._open.items() if one.base == base and key not in inodes]:
                has_more |= self._gone(log, key)
            for path, about in present:
                has_more |= self._look(log, path, about, path in wanted)
            log.forget(inodes | set(self._open))
        self._close_some()
        return has_more

    # -------------------------------------------------------------- which files

    def _found(self) -> dict[str, list[str]]:
        """Base name -> files that the patterns name."""
        found: dict[str, list[str]] = {one.base: [] for one in self._open.values()}
        for path in sorted(self._named()):
            if self._config.archives or not is_archive(path):
                found.setdefault(base_of(path), []).append(path)
        return found

    def _named(self) -> set[str]:
        named: set[str] = set()
        for pattern in self._config.paths:
            inside = os.path.join(glob.escape(pattern), "**") if Path(pattern).is_dir() else pattern  # noqa: PTH118
            for path in glob.iglob(inside, recursive=True):  # noqa: PTH207 (its paths are text, ours are keys)
                if len(named) >= _MOST_FILES:
                    self._say(pattern, f"more than {_MOST_FILES} files; the others are not followed")
                    break
                named.add(path)
        return named

    def _siblings(self, log: Log, wanted: Sequence[str]) -> list[str]:
        """Rotated files of a log that we know, also where no pattern names them: its last lines may stand there."""
        if not log.streams:
            return []
        folder, name = os.path.split(log.base)
        try:
            names = [one.name for one in Path(folder or ".").iterdir() if one.name.startswith(name) and one.name != name]
        except OSError:
            return []
        paths = [os.path.join(folder, one) for one in names]  # noqa: PTH118
        return [one for one in paths if base_of(one) == log.base and one not in wanted]

    def _about(self, path: str) -> os.stat_result | None:
        try:
            about = Path(path).stat()
        except OSError:
            return None
        return about if stat.S_ISREG(about.st_mode) else None

    def _log_of(self, base: str) -> Log:
        if (log := self._logs.get(base)) is None:
            log = self._logs[base] = Log.from_text(base, self._appender.position(f"file:{base}"))
        return log

    # -------------------------------------------------------------- one file

    def _look(self, log: Log, path: str, about: os.stat_result, is_wanted: bool) -> bool:
        signature = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
        if self._unchanged.get(path) == signature:
            return False
        try:
            if is_archive(path):
                return self._look_into_archive(log, path, about, signature, is_wanted)
            return self._look_into_file(log, path, about, signature, is_wanted)
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            # An archive that is still being written ends too early: it is looked at again when it has changed.
            self._unchanged[path] = signature
            self._say(path, f"{path} cannot be read: {error}")
            return False

    def _look_into_file(self, log: Log, path: str, about: os.stat_result, signature: tuple[int, ...], is_wanted: bool) -> bool:
        if not about.st_size:
            return False
        key = (about.st_dev, about.st_ino)
        if (one := self._open.get(key)) is None:
            one = _Open(os.open(path, os.O_RDONLY | os.O_CLOEXEC), log.base)
        stream = self._stream(log, about, about.st_size, os.pread(one.descriptor, HEAD, 0), is_wanted)
        if stream is None:
            os.close(one.descriptor)
            self._open.pop(key, None)
            self._unchanged[path] = signature
            return False
        self._open[key] = one
        has_more = self._read(log, stream, one)
        if not has_more and stream.offset == about.st_size:
            self._unchanged[path] = signature
        return has_more

    def _stream(self, log: Log, about: os.stat_result, size: int | None, head: bytes, is_wanted: bool) -> Stream | None:
        """The stream to go on with or to begin; None for what is none of our business."""
        if not head:
            return None
        if head.startswith(_EVTX):
            self._say(log.base, "EVTX files cannot be followed; read them with soc replay")
            return None
        found = log.find(about.st_dev, about.st_ino, size, head)
        if found is None and (is_wanted or about.st_mtime_ns // 1000 > log.time):
            found = log.begin(about.st_dev, about.st_ino, head)
        if found is not None:
            found.learn(head)
        return found

    def _read(self, log: Log, stream: Stream, one: _Open, is_last: bool = False) -> bool:
        """Take what is there, at most a turn; true if there is more."""
        turn = 0
        while turn < _TURN_BYTES and not self._stopping.is_set() and not self._appender.pressure():
            data = os.pread(one.descriptor, CHUNK, stream.offset)
            size = stream.offset + len(data)
            if size != one.size:
                one.size, one.grew = size, time.monotonic()
            is_end = len(data) < CHUNK and (is_last or time.monotonic() - one.grew >= self._config.wait_secs)
            if not (used := self._take(log, stream, data, is_end)):
                return False
            turn += used
        return turn >= _TURN_BYTES

    def _gone(self, log: Log, key: tuple[int, int]) -> bool:
        """A file that we hold open and that has no name any more: read on until nobody has written to it for a while."""
        one = self._open[key]
        about = os.fstat(one.descriptor)
        stream = log.find(*key, about.st_size, os.pread(one.descriptor, HEAD, 0))
        is_over = time.monotonic() - one.grew > _CLOSE_SECS
        has_more = stream is not None and self._read(log, stream, one, is_last=is_over)
        if is_over and not has_more and not self._appender.pressure():
            os.close(one.descriptor)
            del self._open[key]
        return has_more

    def _look_into_archive(self, log: Log, path: str, about: os.stat_result, signature: tuple[int, ...], is_wanted: bool) -> bool:
        with opened(path) as content:
            head = _exactly(content, HEAD)
            stream = self._stream(log, about, None, head, is_wanted)
            if stream is None:
                self._unchanged[path] = signature
                return False
            buffer = bytearray(_past(content, head, stream.offset))
            is_end = False
            while not is_end:
                data = content.read(CHUNK - len(buffer))
                buffer += data
                is_end = not data
                while buffer and (used := self._take(log, stream, bytes(buffer), is_end)):
                    del buffer[:used]
                    if self._stopping.is_set() or self._appender.pressure():
                        return False
        self._unchanged[path] = signature
        return False

    # -------------------------------------------------------------- into the log

    def _take(self, log: Log, stream: Stream, data: bytes, is_end: bool) -> int:
        """Append the records at the beginning of `data`; how many bytes they took. The stream moves only if they were taken."""
        if not data:
            return 0
        format_ = stream.format or self._format(log.base, data, is_end)
        if not format_:
            return 0
        mode = _first(self._config.multiline, log.base) or mode_of(format_)
        taken = take(data, grouping(mode), stream.is_skipping, is_end)
        before = (stream.offset, stream.format, stream.is_skipping, log.time)
        stream.offset, stream.format, stream.is_skipping = stream.offset + taken.used, format_, taken.is_skipping
        try:
            self._append(log, format_, taken)
        except BaseException:
            stream.offset, stream.format, stream.is_skipping, log.time = before
            raise
        return taken.used

    def _append(self, log: Log, format_: str, taken: Taken) -> None:
        source = f"file:{log.base}"
        if taken.records:
            log.time = now()
            self._appender.append([RawBatch(source, taken.records, log.time, format_, position=(source, log.to_text()))])
        if taken.cut:
            self._appender.lost(source, taken.cut, "lines cut at 1 MB; their heads were kept")

    def _format(self, base: str, data: bytes, is_end: bool) -> str:
        """Named by the operator or recognised from the first lines; '' while there is none."""
        if name := _first(self._config.formats, base):
            return name
        end = data.rfind(b"\n")
        if end < 0 and not is_end and len(data) < CHUNK:
            return ""
        return recognise(data[: end if end >= 0 else None].split(b"\n", 64)[:64])

    def _close_some(self) -> None:
        """Keep the files open that grew last; the others are found again by their names."""
        if len(self._unchanged) > 2 * _MOST_FILES:
            self._unchanged.clear()
        surplus = sorted(self._open.items(), key=lambda one: one[1].grew)[: max(0, len(self._open) - _MOST_OPEN)]
        for key, one in surplus:
            os.close(one.descriptor)
            del self._open[key]

    def _say(self, about: str, reason: str) -> None:
        """Once: on the sources page and in the process's own log."""
        if (said := f"{about} {reason}") not in self._said:
            self._said.add(said)
            _log.warning("file: %s: %s", about, reason)
            self._appender.lost(f"file:{base_of(about)}", 0, reason)


def _first(table: Mapping[str, str], path: str) -> str:
    """The value of the first pattern that fits."""
    return next((value for pattern, value in table.items() if fnmatchcase(path, pattern)), "")


def _exactly(content: object, size: int) -> bytes:
    """So many bytes, fewer only at the end."""
    return b"".join(_pieces(content, size))


def _pieces(content: object, size: int) -> Iterator[bytes]:
    read = content.read  # type: ignore[attr-defined]
    while size and (piece := read(size)):
        size -= len(piece)
        yield piece


def _past(content: object, head: bytes, offset: int) -> bytes:
    """Skip what has been read already; the part of the head that has not."""
    left = offset - len(head)
    while left > 0 and (skipped := sum(map(len, _pieces(content, min(left, CHUNK))))):
        left -= skipped
    return head[offset:]
