"""The command line, one file for each kind of work: operate (up, run), feed (replay, parse, detect), look, settings."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from soc.config import Config, find_home

Json = Annotated[bool, typer.Option("--json", help="One JSON value per line, for scripts.")]


def config() -> Config:
    """The configuration in force for the home that was named. Raises ConfigError."""
    from soc import wiring

    return wiring.settings(find_home().make())


def out(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def err(text: str) -> None:
    sys.stderr.write(text + "\n")


def as_json(rows: Iterable[Any]) -> None:
    """One compact JSON value per line."""
    for row in rows:
        out(json.dumps(row, ensure_ascii=False, default=str))


def table(rows: Sequence[Mapping[str, Any]], empty: str) -> None:
    """Columns for people; `empty` says what an empty list means and what to do."""
    if not rows:
        out(empty)
        return
    names = list(rows[0])
    cells = [[str(row.get(name, "")) for name in names] for row in rows]
    widths = [max(_width(name), *(_width(row[i]) for row in cells)) for i, name in enumerate(names)]
    for line in [names, *cells]:
        out("  ".join(cell + " " * (widths[i] - _width(cell)) for i, cell in enumerate(line)).rstrip())


def _width(text: str) -> int:
    """Columns in a terminal: a Chinese character takes two."""
    return sum(2 if ord(char) > 0x2E80 else 1 for char in text)
