"""Worlds for collectors: an appender in memory that can be full, and waiting for what happens elsewhere."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections import Counter
from collections.abc import Callable, Sequence

from soc.errors import LogFull
from soc.model import RawBatch


class MemoryLog:
    """An `Appender` that keeps everything in memory; `full` and `pressed` are switched by the test."""

    def __init__(self) -> None:
        self.batches: list[RawBatch] = []
        self.losses: Counter[tuple[str, str]] = Counter()
        self.positions: dict[str, str] = {}
        self.keys: set[str] = set()
        self.full = self.pressed = False

    def append(self, batches: Sequence[RawBatch]) -> list[int | None]:
        if self.full:
            raise LogFull("no room")
        return [self._one(batch) for batch in batches]

    def _one(self, batch: RawBatch) -> int | None:
        assert batch.records, "an empty batch is not worth a transaction"
        if batch.position is not None:
            self.positions[batch.position[0]] = batch.position[1]
        if batch.key is not None:
            if batch.key in self.keys:
                return None
            self.keys.add(batch.key)
        self.batches.append(batch)
        return len(self.batches)

    def lost(self, source: str, records: int, reason: str) -> None:
        self.losses[source, reason] += records

    def position(self, name: str) -> str | None:
        return self.positions.get(name)

    def pressure(self) -> bool:
        return self.pressed

    @property
    def records(self) -> list[bytes]:
        return [record for batch in self.batches for record in batch.records]

    def peers(self) -> Counter[str]:
        return Counter(peer for batch in self.batches for peer in batch.peer_of())


async def until(condition: Callable[[], bool], secs: float = 10, state: Callable[[], object] = lambda: "") -> None:
    """Let the loop run until this is so."""
    deadline = time.monotonic() + secs
    while not condition():
        assert time.monotonic() < deadline, f"not within {secs} s: {state()}"
        await asyncio.sleep(0.005)


def place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def zipped(data: bytes) -> bytes:
    """Gzip without the time of day, so that a test's name is the same in every process."""
    return gzip.compress(data, mtime=0)
