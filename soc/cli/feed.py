"""What goes in: replay into the running SOC, or parse and detect without storing anything."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from soc.cli import Json, as_json, config, err, out
from soc.cli.look import shown
from soc.contracts import Decoder
from soc.errors import SocError
from soc.model import Decoded, LoggedBatch, RawBatch, now

_BATCH = 500


def add_to(app: typer.Typer) -> None:
    app.command("replay")(replay)
    app.command("parse")(parse)
    app.command("detect")(detect)
    app.command("bench", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(bench)
    sample = typer.Typer(help="The sample scenario: load it, remove it without a trace.", no_args_is_help=True)
    sample.command("load")(load_sample)
    sample.command("remove")(remove_sample)
    app.add_typer(sample, name="sample")


def replay(
    path: Annotated[Path, typer.Argument(help="A file or folder: text, JSONL, EVTX, .gz, .zst.")],
    source: Annotated[str, typer.Option(help="Name of the source; the file's name without.")] = "",
    format_: Annotated[str, typer.Option("--format", help="Instead of recognising it from the first lines.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Take it although this very file was replayed before.")] = False,
    json_: Json = False,
) -> None:
    """Put a file or folder into the event log, as if it had just arrived. The running SOC takes it from there.

    Example: soc replay /var/log/auth.log
    """
    from rich.console import Console
    from rich.progress import Progress

    from soc import wiring

    log = wiring.event_log(config())
    with Progress(console=Console(stderr=True), transient=True, disable=json_ or not sys.stderr.isatty()) as bar:
        task = bar.add_task(path.name, total=None)
        done = wiring.replay(
            path,
            log,
            source=source or None,
            format=format_ or None,
            again=again,
            progress=lambda at, total: bar.update(task, completed=at, total=total),
        )
    if json_:
        as_json([done])
        return
    for name, value in done.items():
        out(f"{name}: {value}")


def parse(
    file: Annotated[str, typer.Argument(help="Anything a collector can read; - is standard input.")],
    parser: Annotated[str, typer.Option(help="Only this parser, instead of the one that the line asks for.")] = "",
    format_: Annotated[str, typer.Option("--format", help="Instead of recognising it from the first lines.")] = "",
    json_: Json = False,
) -> None:
    """Show what the parsers make of a file. Nothing is stored.

    Example: soc parse /var/log/auth.log --json
    """
    from soc import wiring

    decoder = wiring.decoder(only=parser or None)
    began, events, bad, format_taken = time.perf_counter(), 0, 0, ""
    for first, taken, decoded in _decoded(decoder, file, format_):
        format_taken, events, bad = taken, events + len(decoded.events), bad + len(decoded.quarantined)
        for row in _rows(first, decoded):
            if json_:
                as_json([row])
            elif "event" in row:
                out(f"{row['line']}  {row['parser'] or '-'}  " + "  ".join(f"{k}={v}" for k, v in row["event"].items()))
            else:
                out(f"{row['line']}  quarantine: {row['quarantine']}")
    secs = time.perf_counter() - began
    err(f"format {format_taken or 'none: nothing to read'}; {events} events, {bad} quarantined, {secs:.2f} s")


def _decoded(decoder: Decoder, file: str, format_: str) -> Iterator[tuple[int, str, Decoded]]:
    """(number of the first record, format, what became of it) for every batch of the file."""
    from soc import wiring

    at = 0
    for number, (taken, batch) in enumerate(wiring.records(file, format_ or None, _BATCH)):
        yield at, taken, decoder.decode(LoggedBatch(number + 1, RawBatch("parse", batch, now(), taken)))
        at += len(batch)


def _rows(first: int, decoded: Decoded) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"line": first + index, "parser": parser, "event": shown(event)}
        for event, parser, index in zip(decoded.events, decoded.parsers, decoded.records, strict=True)
    ]
    rows += [{"line": first + int(one.id.rpartition("-")[2], 16), "quarantine": one.reason} for one in decoded.quarantined]
    return sorted(rows, key=lambda row: int(row["line"]))


def detect(
    events: Annotated[str, typer.Option(help="Anything a collector can read; - is standard input.")],
    rules: Annotated[
        list[Path] | None, typer.Option(help="Sigma file or folder; several times for several. Own rules without.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="Instead of recognising it from the first lines.")] = "",
    json_: Json = False,
) -> None:
    """Which rules match which events, through the same parsers and engine as the live path. Nothing is stored.

    Example: soc detect --rules sigma/rules --events sysmon.jsonl --json
    """
    from soc import wiring

    settings = config()
    began = time.perf_counter()
    engine = wiring.detector(settings, tuple(rules) if rules else None)
    loaded, total, found = time.perf_counter() - began, 0, 0
    decoder = wiring.decoder()
    for first, _, decoded in _decoded(decoder, events, format_):
        total += len(decoded.events)
        for match in engine.match(decoded.events):
            found += 1
            rule = match.rule
            row = {"event": first + decoded.records[match.event], "rule": rule.id, "title": rule.title, "level": rule.level}
            as_json([row]) if json_ else out(f"{row['event']}  {rule.level}  {rule.title}  ({rule.id})")
    summary = {
        "events": total,
        "matches": found,
        "rules": len(engine.rules),
        "cannot_match": len(engine.unusable),
        "load_seconds": round(loaded, 3),
        "seconds": round(time.perf_counter() - began, 3),
    }
    if json_:
        import json

        err(json.dumps(summary | {"why": dict(engine.unusable)}, ensure_ascii=False))
        return
    err("; ".join(f"{name} {value}" for name, value in summary.items()))
    for where, why in list(engine.unusable.items())[:20]:
        err(f"  cannot match: {where}: {why}")
    if len(engine.unusable) > 20:
        err(f"  … and {len(engine.unusable) - 20} more; --json names them all")


def load_sample() -> None:
    """Replay the shipped sample scenario, its times moved to now, every event and alert marked as sample.

    Example: soc sample load
    """
    from soc import wiring

    out(f"{wiring.load_sample(config())} records of the sample scenario are on their way; `soc sample remove` undoes it")


def remove_sample() -> None:
    """Take the sample scenario out again: its events, alerts, incidents and accounts.

    Example: soc sample remove
    """
    from soc import wiring

    gone = wiring.remove_sample(config())
    out(f"removed: {gone['events']} events, {gone['alerts']} alerts")


def bench(
    context: typer.Context, what: Annotated[str, typer.Argument(help="ingest, parse, store, detect, e2e or all.")] = "all"
) -> None:
    """Measure speed here, as ratios to a calibration unit in the same run. Needs a checkout (the benchmarks are not installed).

    Example: soc bench detect
    """
    import importlib

    names = ["ingest", "parse", "store", "detect", "e2e"] if what == "all" else [what]
    root = Path(__file__).resolve().parents[2]
    if not (root / "bench").is_dir():
        raise SocError("the benchmarks are in the checkout only; run this from there")
    sys.path.insert(0, str(root))
    for name in names:
        try:
            module = importlib.import_module(f"bench.{name}")
        except ModuleNotFoundError:
            raise SocError(f"there is no benchmark {name!r}; known: ingest, parse, store, detect, e2e, all") from None
        out(f"== {name}")
        if code := module.main(context.args):
            raise typer.Exit(code)
