"""How often a text stands in a field, measured once on public corpora (`bench/frequencies.py`), else guessed from its length."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from detections.sigma.needles import Key, Regex
from detections.sigma.text import SEPARATOR

FILE = Path(__file__).with_name("frequencies.csv")
_RARE = 0.0005
_ESCAPES = {"\\\\": "\\", "\\|": SEPARATOR, "\\n": "\n", "\\r": "\r"}


@cache
def shares() -> Mapping[tuple[str, str], float]:
    """(field, needle) -> share of events with the field that have it; (field, '') stands for every field that was measured."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return {(row["field"], re.sub(r"\\.", lambda one: _ESCAPES[one[0]], row["text"])): float(row["share"]) for row in rows}


def share(field: str | None, key: Key) -> float:
    """How often a needle is found in its field."""
    if isinstance(key, Regex):
        return 0.02
    known = shares().get((field or "", key))
    if known is not None:
        return known
    if (field or "", "") in shares():
        return _RARE
    return float(0.5 * 0.6 ** len(key.strip(SEPARATOR)) + 0.002)
