"""One question put to a selection, with the segments that cannot be read left out and remembered."""

# ruff: noqa: S608 - the texts put together here are our own and quoted column names; values are bound

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from soc.errors import QueryError
from soc.query import All, Cidr, Filter
from soc.store.engine import Deadline, Engine
from soc.store.leaves import kind_of, lies_in, network
from soc.store.selection import Selection, ipv6_leaves
from soc.store.sql import Scan

Row: TypeAlias = tuple[Any, ...]
Statement: TypeAlias = Callable[[Scan], str]
"""Makes the SQL, once it is given a scan that knows which columns there are; `{source}` in it stands for the events."""
EVERYTHING = All()
_BOUND = re.compile(r"\$(\w+)")
NEVER = Deadline(None)


class Asker:
    """The engine, and what is known of segments that cannot be read."""

    def __init__(self, folder: Path, threads: int, memory_mb: int) -> None:
        self._files = folder / "segments"
        self._engine = Engine(folder, threads, memory_mb)
        self.broken: dict[str, str] = {}
        """Segment file -> why it cannot be read."""

    def close(self) -> None:
        self._engine.close()

    def ask(
        self, selection: Selection, statement: Statement, where: Filter = EVERYTHING, deadline: Deadline = NEVER
    ) -> tuple[list[Row], bool]:
        """The rows, and whether every segment could be read. Raises Late, or QueryError when the question is at fault.

        `where` is only looked at for what must be found out beforehand; the statement holds it already.
        """
        left_out = [s for s in selection.segments if s.file in self.broken]
        if left_out:
            selection = Selection([s for s in selection.segments if s.file not in self.broken], selection.hot)
        try:
            return self._run(selection, statement, where, deadline), not left_out
        except self._engine.errors as error:
            bad = self._unreadable(selection, deadline)
            if not bad:
                raise QueryError(f"the store could not answer: {_first_line(error)}") from error
        self.broken |= bad
        return self.ask(selection, statement, where, deadline)[0], False

    def _run(self, selection: Selection, statement: Statement, where: Filter, deadline: Deadline) -> list[Row]:
        inside = {leaf: self._addresses(selection, leaf, deadline) for leaf in ipv6_leaves(where)}
        scan = Scan(selection.available(), inside)
        return self._rows(selection, scan, statement(scan), deadline)

    def _rows(self, selection: Selection, scan: Scan, sql: str, deadline: Deadline) -> list[Row]:
        source, tables = selection.source(scan, self._files)
        whole = sql.replace("{source}", source)
        used = set(_BOUND.findall(whole))  # a leaf on a field that occurs nowhere leaves its value unused, which DuckDB refuses
        return self._engine.rows(whole, {name: value for name, value in scan.values.items() if name in used}, tables, deadline)

    def _addresses(self, selection: Selection, leaf: Cidr, deadline: Deadline) -> list[str]:
        """How the addresses of an IPv6 network are written in these events; there are too many ways for a pattern."""
        if kind_of(leaf.field) != "text":
            return []
        scan = Scan(selection.available())
        sql = f"select distinct x from (select unnest({scan.each(leaf.field)}) as x from {{source}}) where contains(x, ':')"
        net = network(leaf.network)
        return [row[0] for row in self._rows(selection, scan, sql, deadline) if lies_in(row[0], net)]

    def _unreadable(self, selection: Selection, deadline: Deadline) -> dict[str, str]:
        """The segments that are missing, cut or cannot be decoded, and why."""
        bad = {}
        for segment in selection.segments:
            path = self._files / segment.file
            if not path.exists() or path.stat().st_size != segment.bytes:
                bad[segment.file] = "not of its recorded size" if path.exists() else "missing"
        for segment in () if bad else selection.segments:
            scan = Scan(segment.columns)
            digests = ", ".join(f"bit_xor(hash({scan.column(column)}))" for column in sorted(segment.columns))
            sql = f"select {digests} from {{source}}"
            try:
                self._rows(Selection([segment]), scan, sql, deadline)
            except self._engine.errors as error:
                bad[segment.file] = _first_line(error)
        return bad


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
