"""Follows systemd's journal through `journalctl -o json`; its cursor is remembered with the records, so none is lost or doubled.

A subprocess rather than libsystemd: it needs no compiled binding, and when it dies it is started again behind the last cursor.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import orjson

from soc.contracts import Appender
from soc.errors import LogFull
from soc.model import RawBatch, now

_SOURCE = "journald"
_READ = 1 << 18
_LONGEST = 1 << 20
_RECORDS = 2_000
_RETRY_SECS = 0.5
_LONGEST_PAUSE_SECS = 30.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Config:
    """systemd's journal of this machine."""

    enabled: bool = False
    """Whether to read it; our process must be in the group systemd-journal."""
    units: tuple[str, ...] = ()
    """Only these units, for example ssh.service; empty is everything."""
    since: str = "now"
    """Where to begin the first time: 'now', 'boot', or a time as journalctl --since takes it."""
    command: tuple[str, ...] = ("journalctl",)
    """How it is called."""

    @property
    def is_on(self) -> bool:
        return self.enabled


class Journald:
    """One journalctl at a time."""

    def __init__(self, config: Config, appender: Appender) -> None:
        self._config, self._appender = config, appender
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> Mapping[str, str]:
        self._task = asyncio.create_task(self._follow())
        return {}

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def arguments(self) -> list[str]:
        """The command line that goes on behind what we have."""
        wanted = [*self._config.command, "-o", "json", "--follow", "--no-pager"]
        wanted += [f"--unit={unit}" for unit in self._config.units]
        if cursor := self._appender.position(_SOURCE):
            return [*wanted, "--no-tail", f"--after-cursor={cursor}"]
        if self._config.since == "now":
            return [*wanted, "--lines=0"]
        return [*wanted, "--no-tail", "--boot" if self._config.since == "boot" else f"--since={self._config.since}"]

    async def _follow(self) -> None:
        pause = _RETRY_SECS
        while True:
            try:
                if await self._read():
                    pause = _RETRY_SECS
            except OSError as error:
                self._appender.lost(_SOURCE, 0, f"{self._config.command[0]} cannot be started: {error.strerror}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECS)

    async def _read(self) -> int:
        """Take what one journalctl prints until it ends; how many records."""
        process = await asyncio.create_subprocess_exec(*self.arguments(), stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
        assert process.stdout is not None
        taken, tail = 0, bytearray()
        try:
            while data := await process.stdout.read(_READ):
                tail += data
                *lines, rest = bytes(tail).split(b"\n") if b"\n" in data else [bytes(tail)]
                tail = bytearray(rest[: _LONGEST + 1])
                taken += await self._append([line for line in lines if line])
            _log.warning("journald: %s ended and is started again", self._config.command[0])
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        return taken

    async def _append(self, lines: list[bytes]) -> int:
        """Append with the last line's cursor; waits while the log cannot take it, and the pipe makes journalctl wait too."""
        whole = [line for line in lines if len(line) <= _LONGEST]
        if len(whole) < len(lines):
            self._appender.lost(_SOURCE, len(lines) - len(whole), "records of more than 1 MB")
        for start in range(0, len(whole), _RECORDS):
            part = whole[start : start + _RECORDS]
            cursor = _cursor(part)
            batch = RawBatch(_SOURCE, part, now(), "json", position=(_SOURCE, cursor) if cursor else None)
            while True:
                with suppress(LogFull):
                    if not self._appender.pressure():
                        self._appender.append([batch])
                        break
                await asyncio.sleep(_RETRY_SECS)
        return len(whole)


def _cursor(lines: list[bytes]) -> str:
    """The cursor of the last line that has one."""
    for line in reversed(lines):
        with suppress(ValueError):
            record = orjson.loads(line)
            if isinstance(record, dict) and isinstance(found := record.get("__CURSOR"), str):
                return found
    return ""
