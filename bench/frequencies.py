"""Writes `detections/sigma/frequencies.csv`: which texts that rules look for are common in which field.

Run as `python -m bench.frequencies`, with the public corpora beside the checkout. The figures steer which part of a rule is
looked for first; wrong ones cost speed, never a match. Only texts in at least 0.2 % of the events that have the field are kept.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from bench import mix
from bench.detect import OWN, SHARED
from collectors.decode import BatchDecoder
from collectors.reading import records
from detections.engine import SigmaDetector, load
from detections.sigma import scan
from detections.sigma.frequencies import FILE
from detections.sigma.ir import predicates
from detections.sigma.needles import needles_of
from detections.sigma.text import SEPARATOR
from soc.model import Event, LoggedBatch, RawBatch

_LEAST = 0.002
_SAMPLE = 10_000


def main() -> None:
    decoder = BatchDecoder()
    samples = [_decoded(decoder, mix.lines(_SAMPLE, seed=3), "syslog")]
    for name in ("mix50k", "stream50k", "evtx_attack_flat"):
        lines = [line for _, batch in records(str(SHARED / "events" / f"{name}.jsonl.zst"), "json", size=2_000) for line in batch]
        samples.append(_decoded(decoder, lines[:: max(1, len(lines) // _SAMPLE)], "json"))
    with tempfile.TemporaryDirectory() as cache:
        engine = load([OWN, SHARED / "sigmahq"], Path(cache), decoder.provided(), decoder.logsources)
        shares = _shares(_looked_for(engine), samples)
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("field", "text", "share"))
        writer.writerows((field, _shown(text), f"{share:.3g}") for (field, text), share in sorted(shares.items()))
    sys.stdout.write(f"{len(shares)} texts written to {FILE}\n")


def _decoded(decoder: BatchDecoder, lines: list[bytes], format_: str) -> list[Event]:
    return decoder.decode(LoggedBatch(1, RawBatch("bench", lines, 1, format_))).events


def _looked_for(engine: SigmaDetector) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for rule in engine.planned:
        for one in predicates(rule.node):
            if one.field is not None:
                found[one.field].update(needle.key for needle in needles_of(one) if isinstance(needle.key, str))
    return found


def _shares(texts: dict[str, set[str]], samples: list[list[Event]]) -> dict[tuple[str, str], float]:
    """(field, text) -> the largest share in any sample."""
    shares: dict[tuple[str, str], float] = {}
    for field, own in texts.items():
        needles = sorted(own)
        for events in samples:
            values = [_text(event[field]) for event in events if field in event]
            if len(values) < 100:
                continue
            shares.setdefault((field, ""), 1.0)  # the field was looked at: what is not listed is rare in it
            hits = Counter(needle for _, needle in set(scan.texts(needles, b"").find(values)))
            for number, count in hits.items():
                share = count / len(values)
                if share >= _LEAST:
                    shares[field, needles[number]] = max(share, shares.get((field, needles[number]), 0.0))
    return shares


def _text(value: object) -> str:
    return SEPARATOR.join(map(str, value)) if isinstance(value, list) else str(value)


def _shown(text: str) -> str:
    return text.replace("\\", "\\\\").replace(SEPARATOR, "\\|").replace("\n", "\\n").replace("\r", "\\r")


if __name__ == "__main__":
    main()
