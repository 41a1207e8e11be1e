"""Public rules and events that lie beside the checkout, read from there and never copied; tests of them are skipped without.

`../shared/data`: SigmaHQ's rules (DRL 1.1) and event corpora made from EVTX-ATTACK-SAMPLES and OTRF Security-Datasets.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def sigmahq() -> Path:
    """The folder of SigmaHQ's rules."""
    return _there(DATA / "sigmahq")


def corpus(name: str) -> Path:
    """'evtx_attack_flat' -> its compressed JSON lines."""
    return _there(DATA / "events" / f"{name}.jsonl.zst")


def lines(name: str) -> list[bytes]:
    """The events of a corpus, each as JSON."""
    with corpus(name).open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()


def _there(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout (../shared/data)")
    return path
