"""The composition root: the only module that imports rooms. It turns a configuration into parts that have what they need.

Imports stand inside the functions on purpose: `soc ledger` must not load Dash, the collector must not load DuckDB.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soc.config import Config, Detections, Home, Log, Pipeline, Store
from soc.errors import ConfigError
from soc.model import now
from soc.registry import Registry, scan

if TYPE_CHECKING:
    from dashboards.services import Services
    from soc.cases import Cases
    from soc.contracts import Collector, Correlation, Decoder, Detector, EventStore, Progress
    from soc.correlations import Correlations
    from soc.log.sqlite import SqliteLog
    from soc.pipeline import Worker
    from soc.supervisor import Child, Job

OWN_RULES = Path(__file__).resolve().parents[1] / "detections" / "rules"


@functools.cache
def collector_modules() -> Registry:
    return scan("collectors")


def sections() -> dict[str, type]:
    """Configuration sections of the extensions, by name: 'collectors.syslog' -> its Config."""
    found: dict[str, type] = {}
    for name, module in collector_modules().modules.items():
        if isinstance(kind := getattr(module, "Config", None), type):
            found[f"collectors.{name}"] = kind
    return found


def settings(home: Home, environ: Mapping[str, str] = os.environ) -> Config:
    """Everything in force for this home. Raises ConfigError."""
    return Config(home, sections(), environ)


# ------------------------------------------------------------------ keepers


def event_log(config: Config) -> SqliteLog:
    from soc.log.sqlite import SqliteLog

    own = config[Log]
    if own.keeper != "sqlite":
        raise ConfigError(f"[log] keeper: {own.keeper!r} is not known; known: sqlite")
    return SqliteLog(config.home.log, own.backlog_mb, own.min_free_mb, own.keep_mb, own.seen_days)


def cases(config: Config) -> Cases:
    from soc.cases import Cases

    return Cases.at(config.home.cases)


def event_store(config: Config) -> EventStore:
    from soc.store.parquet import ParquetStore

    own = config[Store]
    if own.keeper != "parquet":
        raise ConfigError(f"[store] keeper: {own.keeper!r} is not known; known: parquet")
    return ParquetStore(config.home.store, threads=own.query_threads, memory_mb=own.query_memory_mb)


# ------------------------------------------------------------------ understanding


def decoder(only: str | None = None) -> Decoder:
    """The decoder of all parsers, or of one alone."""
    from collectors.decode import BatchDecoder

    return BatchDecoder(only=only) if only else BatchDecoder()


def records(path: str, format_: str | None, size: int) -> Iterator[tuple[str, list[bytes]]]:
    """(format, at most `size` records) of anything a collector can read; '-' is standard input."""
    from collectors.reading import records as read

    yield from read(path, format_, size=size)


def replay(
    path: Path,
    log: SqliteLog,
    source: str | None,
    format: str | None,
    again: bool,
    progress: Progress,
) -> Mapping[str, int]:
    """Append a file or folder to the event log; counts of what was taken."""
    from collectors.replay import replay as put

    return put(path, log, source=source, format=format, again=again, progress=progress)


def detector(config: Config, rules: tuple[Path, ...] | None = None) -> Detector:
    """The rules in force, compiled; those of `rules` alone where they are given."""
    from collectors.decode import BatchDecoder
    from detections.engine import load

    if rules is None:
        own = config[Detections]
        rules = ((OWN_RULES,) if own.own_rules else ()) + tuple(Path(one).expanduser() for one in own.rules)
    for path in rules:
        if not path.exists():
            raise ConfigError(f"[detections] rules: {path} does not exist")
    parsers = BatchDecoder()
    return load(rules, config.home.cache, parsers.provided(), parsers.logsources)


def correlations(engine: Detector, cases_: Cases) -> Correlations:
    from soc.correlations import Correlations

    rules: Mapping[str, Correlation] = getattr(engine, "correlations", {})
    return Correlations(rules, cases_)


def worker(config: Config, share: int, shares: int) -> Worker:
    from soc.config import Incidents
    from soc.pipeline import Worker
    from soc.store.parquet import ParquetWriter

    cases_ = cases(config)
    engine = detector(config)
    return Worker(
        event_log(config),
        decoder(),
        engine,
        cases_,
        ParquetWriter(config.home.store, worker=share),
        share=share,
        shares=shares,
        correlations=correlations(engine, cases_),
        store_settings=config[Store],
        detections=config[Detections],
        incidents=config[Incidents],
        read_batches=config[Pipeline].read_batches,
    )


def collectors(config: Config, log: SqliteLog) -> dict[str, Collector]:
    """Every collector that its section switches on, by name."""
    found: dict[str, Collector] = {}
    for name, module in collector_modules().modules.items():
        if not hasattr(module, "Config"):
            continue
        kind: Any = getattr(module, "".join(part.title() for part in name.split("_")))
        own = config.section(f"collectors.{name}")
        if getattr(own, "is_on", True):
            found[name] = kind(own, log)
    return found


# ------------------------------------------------------------------ processes


async def collect(config: Config) -> None:
    """The collector process: listen until told to stop, count what was lost, never parse."""
    import asyncio
    import signal

    from soc.process import Heartbeat, say_ready

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = event_log(config)
    running = collectors(config, log)
    addresses: dict[str, str] = {}
    broken = {broken.place: broken.reason for broken in collector_modules().broken}
    heartbeat = Heartbeat(config.home, "collect", lambda: {"addresses": addresses, "pressure": log.pressure(), "broken": broken})
    try:
        for one in running.values():
            addresses |= await one.start()
        say_ready("collect", addresses)
        while not stop.is_set():
            heartbeat.beat()
            try:
                await asyncio.wait_for(stop.wait(), 1)
            except TimeoutError:
                continue
    finally:
        for one in running.values():
            await one.stop()
        log.close()
        heartbeat.gone()


def children(config: Config) -> list[Child]:
    """The processes of one machine, in the order in which they stop."""
    from soc.supervisor import Child

    shares = config[Pipeline].workers
    workers = [
        Child(f"work-{share}", ("run", "work", "--share", str(share), "--shares", str(shares)), 1) for share in range(shares)
    ]
    return [Child("collect", ("run", "collect"), 0), *workers, Child("web", ("run", "web"), 2)]


def jobs() -> list[Job]:
    """What is done now and then: (name, interval, first time), seconds."""
    import time

    from soc.supervisor import Job

    start = time.monotonic()
    return [
        Job("compact", 300, start + 240),
        Job("retain", 3_600, start + 600),
        Job("prune", 3_600, start + 900),
        Job("verify", 86_400, start + 1_800),
    ]


def job(config: Config, name: str) -> None:
    """Do one job and write down how it went. Raises ConfigError for a job there is not."""
    from soc import schedule

    work = {
        "retain": lambda: schedule.retain(event_store(config), config[Store]),
        "compact": lambda: schedule.compact(config.home),
        "prune": lambda: schedule.prune(cases(config)),
        "verify": lambda: schedule.verify(cases(config)),
    }.get(name)
    if work is None:
        raise ConfigError(f"there is no job {name!r}; known: compact, prune, retain, verify")
    schedule.run(cases(config), name, work)


def sticky(config: Config, addresses: Mapping[str, str]) -> dict[str, str]:
    """Settings that make a restarted process listen where its predecessor did, also where any free port was asked for."""
    fixed: dict[str, str] = {}
    if "web" in addresses:
        fixed["SOC_WEB__PORT"] = addresses["web"].rpartition(":")[2]
    for name in sections():
        own = config.section(name)
        short = name.removeprefix("collectors.")
        bound = [f"{key.split('.')[1]}://{address}" for key, address in addresses.items() if key.startswith(short + ".")]
        if bound and isinstance(getattr(own, "listen", None), tuple):
            fixed[f"SOC_{name.replace('.', '__')}__LISTEN".upper()] = ",".join(bound)
        elif short in addresses and isinstance(getattr(own, "listen", None), str):
            fixed[f"SOC_{name.replace('.', '__')}__LISTEN".upper()] = addresses[short]
    return fixed


# ------------------------------------------------------------------ pages


def services(config: Config) -> Services:
    """Everything behind the pages."""
    from dashboards.services import Services
    from identity.accounts import Accounts
    from identity.sessions import Sessions
    from soc.actions import Actions
    from soc.config import Web
    from soc.process import states

    own = config[Web]
    log, cases_ = event_log(config), cases(config)
    accounts = Accounts(cases_, _first_password_file(config))
    return Services(
        store=event_store(config),
        log=log,
        cases=cases_,
        actions=Actions(cases_, log),
        accounts=accounts,
        sessions=Sessions(cases_, accounts, own.session_idle_minutes, own.session_hours),
        sample=SampleScenario(config),
        health=lambda: states(config.home),
        web=own,
        unusable=functools.cache(lambda: detector(config).unusable),
        broken=lambda: collector_modules().broken,
    )


def web(config: Config) -> None:
    """Serve the pages until told to stop."""
    import asyncio
    import socket

    from dashboards.app import create
    from dashboards.serve import serve
    from soc.config import Web
    from soc.process import Heartbeat, say_ready

    own = config[Web]
    try:
        listener = socket.create_server((own.host, own.port), backlog=256)
    except OSError as error:
        raise ConfigError(f"[web] host, port: cannot listen on {own.host}:{own.port}: {error.strerror or error}") from error
    address = f"{own.host}:{listener.getsockname()[1]}"
    heartbeat = Heartbeat(config.home, "web", lambda: {"addresses": {"web": address}})
    given = services(config)
    try:
        asyncio.run(serve(create(given), listener, lambda: say_ready("web", {"web": address}), heartbeat.beat))
    finally:
        listener.close()
        given.store.close()
        given.log.close()
        given.cases.close()
        heartbeat.gone()


def _first_password_file(config: Config) -> Path:
    return config.home.secrets / "first-password"


def first_password(config: Config) -> Path | None:
    """Make the first administrator if there is nobody yet; the file with the one-time password while it has not been used."""
    from identity.accounts import Accounts

    return Accounts(cases(config)).bootstrap(_first_password_file(config))


# ------------------------------------------------------------------ the sample scenario


class SampleScenario:
    """The shipped attack on a made-up network: put in as any log would be, and taken out without a trace."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def load(self) -> int:
        return load_sample(self._config)

    def remove(self) -> Mapping[str, int]:
        return remove_sample(self._config)

    def is_loaded(self) -> bool:
        from soc.pipeline import SAMPLE

        return any(line.source.startswith(SAMPLE) for line in event_log(self._config).ledger())


def load_sample(config: Config) -> int:
    """Append the sample scenario, its times moved to now; how many records."""
    from soc import sample

    log = event_log(config)
    batches = sample.batches(now())
    log.append(batches)
    return sum(len(batch.records) for batch in batches)


def remove_sample(config: Config) -> dict[str, int]:
    """Take out everything the sample scenario left: events, alerts, incidents, accounts of its sources."""
    from soc.actions import delete_sample
    from soc.pipeline import SAMPLE
    from soc.query import Term

    event_log(config).forget(SAMPLE)
    alerts = delete_sample(cases(config))
    return {"events": event_store(config).delete(Term("soc.sample", True)), "alerts": alerts}
