"""DuckDB behind one small door: values bound by name, files only from the store's folder, and a deadline."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class Late(Exception):
    """The deadline came before the answer."""


class Deadline:
    """A moment by which there must be an answer, whole or partial."""

    def __init__(self, secs: float | None) -> None:
        self._at = None if secs is None else time.monotonic() + secs

    def left(self) -> float | None:
        """Seconds left; raises Late when there are none."""
        if self._at is None:
            return None
        left = self._at - time.monotonic()
        if left <= 0:
            raise Late
        return left


class Engine:
    """One in-memory DuckDB per process; each question gets a cursor of its own, so threads may ask at once."""

    def __init__(self, folder: Path, threads: int, memory_mb: int) -> None:
        import duckdb  # here: workers import this package too, and need none of its 60 MB

        self._duckdb = duckdb
        self._spill = _spill_folder(folder)
        self._db = duckdb.connect(config={"threads": threads, "memory_limit": f"{memory_mb}MB"})
        # Not parquet_metadata_cache: it kept 0.8 MB of every small segment that ever was, outside the memory limit (792 MB).
        self._db.execute("set python_enable_replacements = false")
        self._db.execute("set temp_directory = $d", {"d": str(self._spill)})
        self._db.execute("set max_temp_directory_size = '4GB'")
        self._db.execute("set allowed_directories = $d", {"d": [str(folder)]})
        self._db.execute("set enable_external_access = false")
        self._db.execute("set lock_configuration = true")

    @property
    def errors(self) -> type[Exception]:
        """What a file that cannot be read raises, among other things."""
        return self._duckdb.Error

    def rows(self, sql: str, values: Mapping[str, object], tables: Mapping[str, pa.Table], deadline: Deadline) -> list[Any]:
        """Every row of the answer. Raises Late, or one of `errors`."""
        left = deadline.left()
        cursor = self._db.cursor()
        timer = None if left is None else threading.Timer(left, cursor.interrupt)
        try:
            for name, table in tables.items():
                cursor.register(name, table)
            if timer is not None:
                timer.start()
            return cursor.execute(sql, values).fetchall()
        except self._duckdb.InterruptException:
            raise Late from None
        finally:
            if timer is not None:
                timer.cancel()
            cursor.close()

    def close(self) -> None:
        self._db.close()
        shutil.rmtree(self._spill, ignore_errors=True)


def _spill_folder(folder: Path) -> Path:
    """Where this process puts what does not fit into memory; those of dead processes are removed."""
    spill = folder / "spill"
    for old in spill.glob("*-*"):
        if not Path(f"/proc/{old.name.partition('-')[0]}").exists():
            shutil.rmtree(old, ignore_errors=True)
    return spill / f"{os.getpid()}-{time.monotonic_ns()}"
