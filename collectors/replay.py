"""Puts files into the event log as if their lines had just arrived: the same log, the same workers, the same alerts.

Each batch carries a key made of what it holds and where, so replaying the same file again is counted as duplicate and not taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from time import sleep

from collectors.reading import Place, file_records, files
from soc.contracts import Appender
from soc.errors import LogFull
from soc.model import RawBatch, now

_RECORDS = 2_000
_WAIT_SECS = 0.2


def replay(
    path: Path,
    appender: Appender,
    source: str | None = None,
    format: str | None = None,
    again: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, int]:
    """Append everything; {"files", "records", "taken", "duplicate", "cut"}. Waits while the log is under pressure."""
    counts = {"files": 0, "records": 0, "taken": 0, "duplicate": 0, "cut": 0}
    place = Place()
    everything = files(path)
    total = sum(one.stat().st_size for one in everything)
    for one in everything:
        counts["files"] += 1
        name = source or f"replay:{one.name}"
        for number, (taken, records) in enumerate(file_records(one, format, size=_RECORDS, place=place)):
            key = None if again else _key(name, number, records)
            is_new = _append(appender, RawBatch(name, records, now(), taken, key=key))
            counts["records"] += len(records)
            counts["taken" if is_new else "duplicate"] += len(records)
            progress(place.done, total)
        if place.cut > counts["cut"]:
            appender.lost(name, place.cut - counts["cut"], "records cut at 1 MB; their heads were kept")
            counts["cut"] = place.cut
    progress(total, total)
    return counts


def _key(source: str, number: int, records: list[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for record in records:
        digest.update(len(record).to_bytes(4, "big"))
        digest.update(record)
    return f"{source}/{number}/{digest.hexdigest()}"


def _append(appender: Appender, batch: RawBatch) -> bool:
    """Whether it was new."""
    while True:
        if not appender.pressure():
            try:
                return appender.append([batch])[0] is not None
            except LogFull:
                pass
        sleep(_WAIT_SECS)
