"""A small SOC with pages: embedded stores in a folder, filled with one made-up attack, served on a free port."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from dashboards.app import Pages, create
from dashboards.services import Services
from identity.accounts import Accounts
from identity.sessions import Sessions
from soc.actions import Actions
from soc.cases import Cases
from soc.contracts import Tally
from soc.incidents import raise_or_join
from soc.log.sqlite import SqliteLog
from soc.model import Alert, Entity, Event, Level, Quarantined, RawBatch, Rule, alert_id, event_id, now
from soc.store.parquet import ParquetStore, ParquetWriter

PASSWORD = "correct horse battery"
EVIL = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'
MINUTE = 60_000_000


@dataclass
class FakeSample:
    """Remembers what was asked of it."""

    loaded: bool = False

    def load(self) -> int:
        self.loaded = True
        return 42

    def remove(self) -> Mapping[str, int]:
        self.loaded = False
        return {"events": 42}

    def is_loaded(self) -> bool:
        return self.loaded


@dataclass
class World:
    services: Services
    pages: Pages
    sample: FakeSample = field(default_factory=FakeSample)
    url: str = ""


def services(folder: Path, sample: FakeSample) -> Services:
    """Everything behind the pages, in a folder; accounts for each role, whose password is PASSWORD."""
    for name in ("log", "store"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    cases = Cases.at(folder / "cases")
    log = SqliteLog(folder / "log")
    accounts = Accounts(cases, folder / "first-password")
    for name, role in (("admin", "administrator"), ("li.na", "analyst"), ("sun.li", "auditor")):
        if accounts.find(name) is None:
            accounts.add(name, role, PASSWORD, must_change=False)
    return Services(
        store=ParquetStore(folder / "store"),
        log=log,
        cases=cases,
        actions=Actions(cases, log),
        accounts=accounts,
        sessions=Sessions(cases, accounts),
        sample=sample,
        health=lambda: {
            "collect": {
                "alive": True,
                "pid": 1,
                "rss": 41_000_000,
                "started": now(),
                "addresses": {"syslog.udp": "127.0.0.1:5514"},
            },
            "work-0": {"alive": True, "pid": 2, "rss": 120_000_000, "started": now()},
        },
        unusable=lambda: {"rules/windows/proc_odd.yml": "field ParentImageX is mapped nowhere"},
    )


def fill(folder: Path, given: Services, noise: int = 600) -> None:
    """Brute force, login, sudo, dump and export on two hosts, in quiet traffic; hostile text in a user agent."""
    writer = ParquetWriter(folder / "store", worker=0)
    moment = now()
    events = [*_traffic(moment, noise), *_attack(moment)]
    batches = [
        RawBatch("syslog", [b"x"] * (len(events) - 3), moment, peers=(("192.0.2.9", len(events) - 3),)),
        RawBatch("http:erp", [b"y"] * 3, moment - 20 * MINUTE),
        RawBatch("http:erp", [b"\xff\xfe"] * 2, moment),
    ]
    given.log.append(batches)
    writer.append(1, events)
    writer.flush()
    writer.close()
    broken = [Quarantined(f"q{n}", "http:erp", moment, b"\xff\xfe" + EVIL.encode(), "not UTF-8", "json") for n in range(2)]
    tally = Tally({"syslog": len(events) - 3, "http:erp": 3}, broken, {("syslog", "lldpd"): 12})
    given.log.commit(0, 1, 3, tally)
    raise_or_join(given.cases, _alerts(moment, events))


def _traffic(moment: int, count: int) -> Iterator[Event]:
    for n in range(count):
        yield {
            "@timestamp": moment - (n * 23 * 60 * MINUTE) // max(count, 1),
            "event.dataset": ("nginx.access", "linux.cron", "sshd.auth")[n % 3],
            "host.name": f"web-{n % 4 + 1:02d}",
            "user.name": ("li.na", "zhao.gong", "chen.gong")[n % 3],
            "source.ip": f"10.66.4.{n % 40}",
            "process.name": ("nginx", "cron", "sshd")[n % 3],
            "event.outcome": "success" if n % 7 else "failure",
            "message": f"GET /licences/{n} 200" if n % 3 == 0 else "session opened",
            "event.original": f"<38>1 2026-11-24T10:00:00Z web-{n % 4 + 1:02d} nginx - - - GET /licences/{n} 200",
            "soc.source": "syslog",
        }


def _attack(moment: int) -> Iterator[Event]:
    base = {"host.name": "db-01", "source.ip": "203.0.113.14", "soc.source": "syslog"}
    for n in range(12):
        yield base | {
            "@timestamp": moment - 50 * MINUTE + n * 4_000_000,
            "event.dataset": "sshd.auth",
            "user.name": "backup",
            "process.name": "sshd",
            "event.action": "ssh_login",
            "event.outcome": "failure",
            "message": "Failed password for backup from 203.0.113.14 port 40022 ssh2",
            "event.original": f"<38>Nov 24 10:0{n % 10}:11 db-01 sshd[811]: Failed password for backup from 203.0.113.14",
        }
    for after, name, action, text in (
        (48, "sshd", "ssh_login", "Accepted password for backup from 203.0.113.14 port 40022 ssh2"),
        (44, "sudo", "sudo_command", "backup : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/pg_dump registry"),
        (30, "nginx", "http_request", f"GET /export?all=1 200 {EVIL}"),
    ):
        yield base | {
            "@timestamp": moment - after * MINUTE,
            "event.dataset": f"{name}.log",
            "user.name": "backup",
            "process.name": name,
            "event.action": action,
            "event.outcome": "success",
            "message": text,
            "user_agent.original": EVIL,
            "event.original": f"<38>Nov 24 10:31:09 db-01 {name}[811]: {text}",
        }


def _alerts(moment: int, events: list[Event]) -> list[Alert]:
    hits: tuple[tuple[str, Level, int], ...] = (
        ("SSH brute force", "medium", -4),
        ("SSH login after many failures", "high", -3),
        ("Database dump through sudo", "high", -2),
        ("Bulk export right after a privileged login", "critical", -1),
    )
    made = []
    for title, level, index in hits:
        place = len(events) + index
        event = events[place]
        entities = (Entity("user", "backup"), Entity("host", "db-01"), Entity("address", "203.0.113.14"))
        rule = Rule(
            title.lower().replace(" ", "-"),
            title,
            level,
            ("attack.t1110", "attack.credential_access"),
            "Lingshu",
            "",
            f"{title}: see the lines.",
        )
        id_ = event_id(1, place)
        time_ = int(str(event["@timestamp"]))
        made.append(
            Alert(
                alert_id(rule.id, id_),
                rule,
                time_,
                time_ + 1_000_000,
                (id_,),
                entities,
                "syslog",
                "sshd.auth",
                str(event["message"]),
            )
        )
    for n in range(40):
        rule = Rule("odd-agent", "Unusual user agent", "low" if n % 3 else "medium", ("attack.t1071",), "Lingshu")
        at = moment - n * 33 * MINUTE
        made.append(
            Alert(
                alert_id("odd", str(n)),
                rule,
                at,
                at,
                (event_id(1, n * 3),),
                (Entity("address", f"10.66.4.{n % 9}"),),
                "syslog",
                "nginx.access",
                EVIL,
            )
        )
    return made


@contextmanager
def served(pages: Pages) -> Iterator[str]:
    """The address of the pages while they are served by the real server."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(pages, log_level="warning", lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started, "the pages did not start"
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@contextmanager
def world(folder: Path, filled: bool = True) -> Iterator[World]:
    sample = FakeSample()
    given = services(folder, sample)
    if filled:
        fill(folder, given)
    pages = create(given)
    with served(pages) as url:
        yield World(given, pages, sample, url)
    given.store.close()
    given.log.close()
    given.cases.close()
