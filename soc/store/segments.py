"""Segment files: Parquet, zstd-1, row groups of 10,000 in arrival order, each row group of one dataset.

A file counts once its catalog row is committed; before that it is `*.tmp`, or an orphan that its writer removes when it next
opens. Arrival order keeps the time ranges of row groups tight, so nothing is sorted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from soc.store.catalog import Segment

ROW_GROUP = 10_000
_UNREPEATED = ("event.id", "message", "event.original", "@timestamp")
"""New in every event: a dictionary of them would only be a second copy."""


class SegmentFile:
    """A segment as it is written: `add` its tables, then `finish`. Left without finishing, nothing of it remains."""

    def __init__(self, folder: Path, name: str, schema: pa.Schema) -> None:
        self._path = folder / f"{name}.parquet"
        self._part = folder / f"{name}.tmp"
        self._schema = schema
        self._file = self._part.open("wb")
        repeated = [name for name in schema.names if name not in _UNREPEATED]
        self._writer = pq.ParquetWriter(
            self._file, schema, compression="zstd", compression_level=1,
            use_dictionary=repeated,  # type: ignore[arg-type]  # the stubs know only the bool
        )
        self._datasets: dict[str, None] = {}
        self._times: list[int] = []
        self._ids: list[str] = []
        self.rows = 0

    def __enter__(self) -> SegmentFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError, pa.ArrowException):
            if self._writer.is_open:
                self._writer.close()
            self._file.close()
        self._part.unlink(missing_ok=True)

    def add(self, dataset: str, table: pa.Table) -> None:
        """Row groups of these events, which must all be of this dataset."""
        self._times += _ends(table["@timestamp"])
        self._ids += _ends(table["event.id"])
        self._datasets[dataset] = None
        self.rows += len(table)
        self._writer.write_table(_conformed(table, self._schema), row_group_size=ROW_GROUP)

    def finish(self, written: int) -> Segment:
        """Make the file durable under its name (the caller syncs the folder). `written`: µs UTC, of its oldest event."""
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.rename(self._path)
        return Segment(
            file=self._path.name, datasets=tuple(self._datasets), rows=self.rows, bytes=self._path.stat().st_size,
            since=min(self._times), until=max(self._times), first_id=min(self._ids), last_id=max(self._ids),
            written=written, columns=frozenset(self._schema.names),
        )


def write_segment(folder: Path, name: str, groups: Sequence[tuple[str, pa.Table]], written: int) -> Segment:
    """One file of (dataset, its events) in one go."""
    with SegmentFile(folder, name, pa.unify_schemas([table.schema for _, table in groups])) as file:
        for dataset, table in groups:
            file.add(dataset, table)
        return file.finish(written)


def _ends(column: pa.ChunkedArray[Any]) -> tuple[Any, Any]:
    ends: Any = pc.min_max(column).as_py()
    return ends["min"], ends["max"]


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the schema's columns; those it lacks are null."""
    present = set(table.schema.names)
    arrays = [table[f.name] if f.name in present else pa.nulls(len(table), f.type) for f in schema]
    return pa.table(arrays, schema=schema)


def remove(folder: Path, segments: Iterable[Segment]) -> None:
    """Files that nobody committed."""
    for segment in segments:
        (folder / segment.file).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in this folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
