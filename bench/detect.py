"""Detection: CPU µs an event with all rules, beside what decoding the same events with `orjson.loads` costs in the same run.

Each stream goes through the real parsers, then `match` alone is timed, in batches of 500; the second half counts (routes
are loaded by then), the median of three rounds. Also: making the plan, opening it, its size, peak memory. `--rules DIR`: whose.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import zstandard

from bench import mix
from collectors.decode import BatchDecoder
from detections.engine import SigmaDetector, load
from soc.model import Event, LoggedBatch, RawBatch

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
OWN = Path(__file__).resolve().parents[1] / "detections" / "rules"
_BATCH, _ROUNDS = 500, 3
_cpu = time.process_time


def main(arguments: Sequence[str]) -> int:
    options = argparse.ArgumentParser(prog="soc bench detect")
    options.add_argument("--rules", type=Path, default=SHARED / "sigmahq")
    chosen = options.parse_args(arguments)
    rules = [OWN, *([chosen.rules] if chosen.rules.exists() else [])]
    decoder = BatchDecoder()
    with tempfile.TemporaryDirectory() as folder:
        began = _cpu()
        engine = load(rules, Path(folder), decoder.provided(), decoder.logsources)
        made = _cpu() - began
        began = _cpu()
        load(rules, Path(folder), decoder.provided(), decoder.logsources)
        opened = _cpu() - began
        (plan,) = Path(folder).glob("*.plan")
        _print(rules=len(engine.rules), plan_made_s=made, plan_opened_s=opened, plan_mb=plan.stat().st_size / 1e6)
        met = True
        for name, lines, format_, bar in _streams():
            met &= _stream(engine, decoder, name, lines, format_, bar)
    return 0 if met else 1


def _streams() -> list[tuple[str, list[bytes], str, float]]:
    """(name, records, format, bar in µs of match an event)."""
    found = [("syslog mix", mix.lines(60_000, seed=7), "syslog", 4.5), ("nested ECS", mix.ecs(20_000, seed=7), "json", 11.0)]
    for corpus, bar in (("mix50k", 11.0), ("stream50k", 7.0), ("evtx_attack_flat", 30.0)):
        path = SHARED / "events" / f"{corpus}.jsonl.zst"
        if path.exists():
            with path.open("rb") as file:
                found.append((corpus, zstandard.ZstdDecompressor().stream_reader(file).read().splitlines(), "json", bar))
        else:
            sys.stderr.write(f"{corpus} is not beside this checkout (../shared/data/events): left out\n")
    return found


def _stream(engine: SigmaDetector, decoder: BatchDecoder, name: str, lines: list[bytes], format_: str, bar: float) -> bool:
    batches: list[list[Event]] = []
    began = _cpu()
    for at in range(0, len(lines), _BATCH):
        raw = RawBatch("bench", lines[at : at + _BATCH], 1, format_)
        batches.append(decoder.decode(LoggedBatch(at + 1, raw)).events)
    decode = (_cpu() - began) / len(lines) * 1e6
    figures = sorted(_round(engine, batches) for _ in range(_ROUNDS))
    match, matches = figures[_ROUNDS // 2]
    unit = statistics.median(_unit(batches, lines, format_) for _ in range(_ROUNDS))
    met = match <= bar
    _print(
        stream=name,
        events=len(lines),
        match_us=match,
        per_second=round(1e6 / match),
        ratio_to_orjson=match / unit,
        decode_us=decode,
        matches=matches,
        late_routes=engine.late_routes,
        rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        gate=f"{match:.1f} <= {bar} us: {'met' if met else 'NOT MET'}",
    )
    return met


def _round(engine: SigmaDetector, batches: list[list[Event]]) -> tuple[float, int]:
    """(µs an event in the second half, matches in all)."""
    half = len(batches) // 2
    gc.collect()
    matches = sum(len(engine.match(batch)) for batch in batches[:half])
    began = _cpu()
    matches += sum(len(engine.match(batch)) for batch in batches[half:])
    return (_cpu() - began) / sum(map(len, batches[half:])) * 1e6, matches


def _unit(batches: list[list[Event]], lines: list[bytes], format_: str) -> float:
    """CPU µs of `orjson.loads` of one of these events (of what was parsed, where they arrived as text)."""
    texts = lines if format_ == "json" else [orjson.dumps(event) for batch in batches for event in batch]
    began = _cpu()
    for text in texts:
        orjson.loads(text)
    return (_cpu() - began) / len(texts) * 1e6


def _print(**figures: object) -> None:
    rounded = {name: round(value, 2) if isinstance(value, float) else value for name, value in figures.items()}
    sys.stdout.write(json.dumps(rounded, ensure_ascii=False) + "\n")
    sys.stdout.flush()
