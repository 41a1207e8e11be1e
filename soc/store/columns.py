"""Events of one dataset into Arrow columns.

`pa.array(dicts, struct)` does it in C++, but drops keys that are not in the struct, takes a text for a list of its letters, and
refuses the whole batch for one misfit. So every batch is checked (fields in = cells out); one that fails is widened by
its new names, and one that fails still goes through `fitting`, event by event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from soc.fields import catalogue
from soc.model import Event
from soc.store.fitting import DATES, IGNORED, fitted
from soc.store.leaves import is_date
from soc.store.names import EXTRA, LIST, column_of, type_of_column

WIDE = 96
"""Columns beyond which those that are empty in a batch are left out of it."""
_REFUSED = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeError)


class Columns:
    """Converts the batches of one dataset; remembers their names, so that the next batch is converted in one go."""

    def __init__(self, dynamic_limit: int = 1000) -> None:
        self.dynamic_limit = dynamic_limit
        self.ignored = 0
        """Values that did not fit their field, so far."""
        self.extra = 0
        """Values that went to `_extra`, so far."""
        self._names: dict[str, None] = {}
        self._dynamic = 0
        self._seen: set[str] = set()
        self._struct = pa.struct([])

    def convert(self, events: Sequence[Event]) -> pa.RecordBatch:
        """One record batch; its columns are at least those that occur in it."""
        batch = self._quick(events)
        if batch is None and self._widen(name for event in events for name in event):
            batch = self._quick(events)
        if batch is None:
            batch = self._slow(events)
        return batch

    def forget(self) -> None:
        """Keep only the names seen since the last call: names of one odd hour must not be looked for in every later event."""
        kept = [name for name in self._names if name in self._seen]
        self._seen.clear()
        self._names, self._dynamic = {}, 0
        self._widen(kept)

    def _widen(self, names: Iterable[str]) -> bool:
        before = len(self._names)
        for name in names:
            if name in self._names or column_of(name) is None:
                continue
            dynamic = name not in catalogue()
            if dynamic and self._dynamic >= self.dynamic_limit:
                continue
            self._dynamic += dynamic
            self._names[name] = None
        if len(self._names) > before or self._struct.num_fields > len(self._names):
            self._struct = pa.struct([(name, type_of_column(column_of(name) or "")) for name in self._names])
        return len(self._names) > before

    def _quick(self, events: Sequence[Event]) -> pa.RecordBatch | None:
        try:
            cells = pa.array(events, self._struct)
        except _REFUSED:
            return None
        arrays, names, count = [], [], 0
        sparse = len(self._names) > WIDE  # empty columns are kept where they are few: readers like batches of one schema
        for name, column in zip(self._names, cast(pa.StructArray, cells).flatten(), strict=True):
            filled = len(column) - column.null_count
            if filled:
                if not _sound(name, column, events):
                    return None
                count += filled
                self._seen.add(name)
            elif sparse:
                continue
            arrays.append(column)
            names.append(cast(str, column_of(name)))
        if count != sum(map(len, events)):
            return None
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _slow(self, events: Sequence[Event]) -> pa.RecordBatch:
        whole = [fitted(event) for event in events]
        self._widen(name for event in whole for name in event)
        self._seen.update(name for event in whole for name in event)
        rows = [self._placed(event) for event in whole]
        columns = dict.fromkeys(name for row in rows for name in row)
        struct = pa.struct([(name, type_of_column(name)) for name in columns])
        return pa.RecordBatch.from_struct_array(cast(pa.StructArray, pa.array(rows, struct)))

    def _placed(self, event: Event) -> dict[str, object]:
        """Column -> value: lists under scalar fields to their list column, names without a column to `_extra`."""
        row: dict[str, object] = {}
        extra: list[tuple[str, list[object]]] = []
        for name, value in event.items():
            column = column_of(name) if name in self._names else None
            if column is None:
                extra.append((name, value if isinstance(value, list) else [value]))
            elif isinstance(value, list) and not pa.types.is_list(type_of_column(column)):
                row[LIST + column] = value
            else:
                row[column] = value
        ignored = event.get(IGNORED)
        self.ignored += len(ignored) if isinstance(ignored, list) else 0
        if extra:
            self.extra += len(extra)
            row[EXTRA] = extra
        return row


def _sound(name: str, column: pa.Array[Any], events: Sequence[Event]) -> bool:
    """Whether what Arrow took without complaint is what was meant: no text read as letters, no empty list, no NaN."""
    if pa.types.is_list(column.type):
        items: Any = cast("pa.ListArray[Any]", column).flatten()
        if items.null_count or not pc.min(pc.list_value_length(column)).as_py():
            return False
        letters = pa.types.is_string(items.type) and pc.min(pc.binary_length(items)).as_py() <= 4  # one letter is 1 to 4 bytes
        return not letters or all(type(event.get(name)) is not str for event in events)
    if is_date(name):
        ends: Any = pc.min_max(column).as_py()
        return all(time in DATES for time in ends.values())
    if pa.types.is_floating(column.type):
        return bool(pc.all(pc.is_finite(column)).as_py())
    return True
