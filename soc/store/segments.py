"""Segment files: Parquet, zstd-1, row groups of 10,000 in arrival order, each of one dataset.

A file counts once its catalog row is committed; before that it is `*.tmp`, or an orphan that its writer removes when it next
opens. Arrival order keeps the time ranges of row groups tight, so nothing is sorted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from soc.store.catalog import Segment

ROW_GROUP = 10_000
_UNREPEATED = ("event.id", "message", "event.original")
"""Texts that are new in every event: a dictionary of them would only be a second copy."""


def write_segment(folder: Path, name: str, groups: Sequence[tuple[str, pa.Table]], written: int) -> Segment:
    """Write and fsync `name`.parquet with one or more row groups per dataset; the caller syncs the folder and commits.

    `written` is µs UTC. On failure nothing is left behind.
    """
    schema = pa.unify_schemas([table.schema for _, table in groups])
    path = folder / f"{name}.parquet"
    part = folder / f"{name}.tmp"
    try:
        with part.open("wb") as file:
            with pq.ParquetWriter(file, schema, **options(schema.names)) as writer:
                for _, table in groups:
                    writer.write_table(conformed(table, schema), row_group_size=ROW_GROUP)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return described(path, [dataset for dataset, _ in groups], [table for _, table in groups], written)


def options(names: Sequence[str]) -> dict[str, object]:
    """How Parquet is written, here and in compaction."""
    repeated = [name for name in names if name not in _UNREPEATED and name != "@timestamp"]
    return {"compression": "zstd", "compression_level": 1, "use_dictionary": repeated}


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the schema's columns; those it lacks are null."""
    present = set(table.schema.names)
    arrays = [table[f.name] if f.name in present else pa.nulls(len(table), f.type) for f in schema]
    return pa.table(arrays, schema=schema)


def described(path: Path, datasets: Sequence[str], tables: Sequence[pa.Table], written: int) -> Segment:
    """The catalog's row for a finished file."""
    times = [pc.min_max(table["@timestamp"]).as_py() for table in tables]
    ids = [pc.min_max(table["event.id"]).as_py() for table in tables]
    return Segment(
        file=path.name, datasets=tuple(dict.fromkeys(datasets)), rows=sum(len(table) for table in tables),
        bytes=path.stat().st_size, since=min(t["min"] for t in times), until=max(t["max"] for t in times),
        first_id=min(i["min"] for i in ids), last_id=max(i["max"] for i in ids), written=written,
        columns=frozenset(name for table in tables for name in table.schema.names),
    )


def sync_folder(folder: Path) -> None:
    """Make renames in this folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
