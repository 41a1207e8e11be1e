"""The default event store: Parquet segments, a SQLite catalog, DuckDB for questions. See docs/store.md."""

from __future__ import annotations

from soc.store.reader import ParquetStore
from soc.store.writer import ParquetWriter

__all__ = ["ParquetStore", "ParquetWriter"]
