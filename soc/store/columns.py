"""Events of one dataset into Arrow columns.

`pa.array(dicts, struct)` does it in C++, but drops keys that are not in the struct, takes a text for a list of its letters, and
refuses the whole batch for one misfit. So every batch is checked (fields in = cells out); one that fails is widened by
its new names, and one that fails still goes through `fitting`, event by event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, cast

import pyarrow as pa
import pyarrow.compute as pc

from soc.fields import catalogue
from soc.model import Event
from soc.store.fitting import DATES, IGNORED, fitted
from soc.store.leaves import is_date
from soc.store.names import EXTRA, LIST, column_of, field_of, type_of_column

WIDE = 96
"""Columns beyond which those that are empty in a batch are left out of it."""
Check: TypeAlias = Callable[[str, "pa.Array[Any]", Sequence[Event]], bool]
_REFUSED = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeError)


class Columns:
    """Converts the batches of one dataset; remembers their names, so that the next batch is converted in one go."""

    def __init__(self, dynamic_limit: int = 1000) -> None:
        self.dynamic_limit = dynamic_limit
        self.ignored = 0
        """Values that did not fit their field, so far."""
        self.extra = 0
        """Values that went to `_extra`, so far."""
        self._names: dict[str, tuple[str, Check | None]] = {}
        """Field -> its column, and what must be looked at after conversion."""
        self._dynamic = 0
        self._seen: set[str] = set()
        self._types: dict[str, type] = {}
        self._struct = pa.struct([])

    def convert(self, events: Sequence[Event]) -> list[pa.RecordBatch]:
        """All events, in one record batch or, where some are odd, in two; columns are at least those that occur."""
        batch = self._quick(events)
        if batch is None and self._widen(name for event in events for name in event):
            batch = self._quick(events)
        return [batch] if batch is not None else self._parted(events)

    def _parted(self, events: Sequence[Event]) -> list[pa.RecordBatch]:
        """The plain events by the quick way and the odd ones by the slow: one odd event must not make a thousand dear."""
        plain: list[Event] = []
        odd: list[Event] = []
        for event in events:
            (plain if self._is_plain(event) else odd).append(event)
        batch = self._quick(plain) if plain and odd else None
        return [self._slow(events)] if batch is None else [batch, self._slow(odd)]

    def _is_plain(self, event: Event) -> bool:
        types = self._types
        for name, value in event.items():
            kind = type(value)
            if kind is not types.get(name) or (kind is list and not all(type(item) is str for item in value)):  # type: ignore[attr-defined]
                return False
        return True

    def forget(self) -> None:
        """Keep only the names seen since the last call: names of one odd hour must not be looked for in every later event."""
        kept = [name for name in self._names if name in self._seen]
        self._seen.clear()
        self._names, self._types, self._dynamic = {}, {}, 0
        self._widen(kept)

    def _widen(self, names: Iterable[str]) -> bool:
        before = len(self._names)
        for name in names:
            column = column_of(name)
            if name in self._names or column is None:
                continue
            dynamic = name not in catalogue()
            if dynamic and self._dynamic >= self.dynamic_limit:
                continue
            self._dynamic += dynamic
            self._names[name] = column, _check_for(column)
            self._types[name] = _python_type(column)
        if len(self._names) > before or self._struct.num_fields > len(self._names):
            self._struct = pa.struct([(name, type_of_column(column)) for name, (column, _) in self._names.items()])
        return len(self._names) > before

    def _quick(self, events: Sequence[Event]) -> pa.RecordBatch | None:
        try:
            cells = pa.array(events, self._struct)
        except _REFUSED:
            return None
        arrays, names, count, rows = [], [], 0, len(events)
        sparse = len(self._names) > WIDE  # empty columns are kept where they are few: readers like batches of one schema
        for (name, (column, sound)), array in zip(self._names.items(), cast(pa.StructArray, cells).flatten(), strict=True):
            empty = array.null_count
            if empty < rows:
                if sound is not None and not sound(name, array, events):
                    return None
                count += rows - empty
                self._seen.add(name)
            elif sparse:
                continue
            arrays.append(array)
            names.append(column)
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
            column, _ = self._names.get(name, (None, None))
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


# ------------------------------------------------------------------ what Arrow takes without complaint, and should not


def _python_type(column: str) -> type:
    kind = type_of_column(column)
    if pa.types.is_list(kind):
        return list
    if pa.types.is_integer(kind):
        return int
    return float if pa.types.is_floating(kind) else bool if pa.types.is_boolean(kind) else str


def _check_for(column: str) -> Check | None:
    kind = type_of_column(column)
    if pa.types.is_list(kind):
        return _lists_are_meant
    if is_date(field_of(column)):
        return _dates_are_in_range
    return _numbers_are_finite if pa.types.is_floating(kind) else None


def _lists_are_meant(name: str, array: pa.Array[Any], events: Sequence[Event]) -> bool:
    """No list is empty, has a hole, or is a text that Arrow read as its letters."""
    items: Any = cast("pa.ListArray[Any]", array).flatten()
    if items.null_count or not pc.min(pc.list_value_length(array)).as_py():
        return False
    letters = pa.types.is_string(items.type) and pc.min(pc.utf8_length(items)).as_py() <= 1
    return not letters or all(type(event.get(name)) is not str for event in events)


def _dates_are_in_range(_: str, array: pa.Array[Any], __: Sequence[Event]) -> bool:
    ends: Any = pc.min_max(array).as_py()
    return ends["min"] in DATES and ends["max"] in DATES


def _numbers_are_finite(_: str, array: pa.Array[Any], __: Sequence[Event]) -> bool:
    return bool(pc.all(pc.is_finite(array)).as_py())
