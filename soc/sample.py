"""The sample scenario: a day of a made-up regulator's network, with one attack in it.

Brute force on SSH, a sign-in as a maintenance account, sudo, a database dump, a bulk export from the licence system. Everybody
and everything here is invented (addresses of RFC 5737); the lines are written as the real programs write them, and take the same
way as any log. Nothing is random: the same moment gives the same lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from soc.model import RawBatch
from soc.pipeline import SAMPLE

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_DAY = 24 * 60 * _MINUTE
_BATCH = 500
ATTACKER = "203.0.113.66"
_BASTION, _MAINTENANCE = "192.0.2.12", "wei.bao"
_PEOPLE = ("li.na", "wang.fang", "zhao.gong", "chen.jing", "sun.li", "zhou.jie", "wu.tong", "zheng.yi")
_QUERIES = (
    "SELECT id, holder FROM licence ORDER BY id LIMIT 50", "SELECT id, drug FROM report WHERE state = 3",
    "SELECT name FROM firm WHERE province = '37'", "UPDATE site SET inspected = now() WHERE id = 12",
)  # fmt: skip
_PAGES = ("/", "/licence/search", "/licence/7", "/notice/2026/41", "/static/app.css", "/complaint/new", "/api/stock?page=2")

_Line = tuple[int, str, str, bytes]
"""(time in µs, source, format, record)."""


def batches(now: int) -> list[RawBatch]:
    """The scenario with its last event just before `now` (µs UTC): about 3,000 records of nine sources, as they are appended."""
    start = now - _DAY
    lines = sorted([*_day(start), *_attack(now - 95 * _MINUTE)], key=lambda line: line[:3])
    grouped: dict[tuple[str, str], list[bytes]] = {}
    for _, source, format_, record in lines:
        grouped.setdefault((SAMPLE + source, format_), []).append(record)
    return [
        RawBatch(source, records[at : at + _BATCH], now, format_, key=f"{source} {now} {at}")
        for (source, format_), records in grouped.items()
        for at in range(0, len(records), _BATCH)
    ]


# ------------------------------------------------------------------ lines as programs write them


def _syslog(time: int, host: str, program: str, text: str, priority: int = 86) -> _Line:
    name, _, pid = program.partition("[")
    stamp = datetime.fromtimestamp(time / _SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return time, f"syslog-{host}", "syslog", f"<{priority}>1 {stamp} {host} {name} {pid.rstrip(']') or '-'} - - {text}".encode()


def _access(time: int, address: str, request: str, status: int, agent: str = "Mozilla/5.0 (X11; Linux x86_64)") -> _Line:
    stamp = datetime.fromtimestamp(time / _SECOND, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    text = f'{address} - - [{stamp}] "{request} HTTP/1.1" {status} {731 + len(request)} "-" "{agent}"'
    return _syslog(time, "web-01", "nginx", text, 190)


def _statement(time: int, user: str, text: str, application: str = "licence-app", host: str = "192.0.2.30") -> _Line:
    stamp = datetime.fromtimestamp(time / _SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
    record = {
        "timestamp": stamp, "user": user, "dbname": "licences", "pid": 771, "remote_host": host, "error_severity": "LOG",
        "message": text, "application_name": application,
    }  # fmt: skip
    return time, "postgresql", "json", json.dumps(record).encode()


def _deed(time: int, user: str, action: str, count: int = 1, address: str = "192.0.2.77", outcome: str = "success") -> _Line:
    stamp = datetime.fromtimestamp(time / _SECOND, UTC).isoformat().replace("+00:00", "Z")
    record = {
        "time": stamp, "module": "e_licence", "action": action, "user": {"name": user}, "ip": address, "count": count,
        "object": "drug_distribution_licence", "outcome": outcome, "host": "app-01",
    }  # fmt: skip
    return time, "licence-system", "json", json.dumps(record).encode()


def _logon(time: int, user: str, code: int = 4624) -> _Line:
    stamp = datetime.fromtimestamp(time / _SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    record = {
        "Channel": "Security", "EventID": code, "Provider_Name": "Microsoft-Windows-Security-Auditing",
        "Computer": "dc-01.example.org", "TimeCreated": stamp, "TargetUserName": user, "TargetDomainName": "EXAMPLE",
        "LogonType": "3", "IpAddress": "192.0.2.77",
    }  # fmt: skip
    return time, "windows", "json", json.dumps(record).encode()


def _executed(time: int, serial: int, *arguments: str) -> list[_Line]:
    """auditd's two records of one command, run by somebody who signed in."""
    mark = f"msg=audit({time // _SECOND}.{time % _SECOND // 1_000:03d}:{serial}):"
    told = " ".join(f'a{at}="{text}"' for at, text in enumerate(arguments))
    call = (
        f"type=SYSCALL {mark} arch=c000003e syscall=59 success=yes exit=0 a0=55 a1=56 a2=57 a3=8 items=2 ppid=900 pid=901 "
        "auid=1001 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts1 ses=3 "
        f'comm="{arguments[0]}" exe="/usr/bin/{arguments[0]}" key="exec"'
    )
    return [_syslog(time, "db-01", "audit", text, 38) for text in (call, f"type=EXECVE {mark} argc={len(arguments)} {told}")]


# ------------------------------------------------------------------ the day


def _day(start: int) -> Iterator[_Line]:
    """What is there every day."""
    for step in range(288):  # every five minutes
        time = start + step * 5 * _MINUTE
        person = _PEOPLE[step % len(_PEOPLE)]
        for page in range(5):
            address = f"198.51.100.{(step * 7 + page * 31) % 200 + 1}"
            request = f"GET {_PAGES[(step + page) % len(_PAGES)]}"
            yield _access(time + page * 41 * _SECOND, address, request, 404 if (step + page) % 37 == 0 else 200)
        yield _syslog(time + 3 * _SECOND, "db-01", f"CRON[{4000 + step}]", "(root) CMD (/usr/local/sbin/check-replication)", 78)
        yield _statement(time + 9 * _SECOND, "licence", f"execute <unnamed>: {_QUERIES[step % 4]}")
        if step % 2 == 0:
            yield _deed(time + 20 * _SECOND, person, ("search", "view", "edit", "view")[step // 2 % 4])
            yield _logon(time + 30 * _SECOND, person)
        if step % 3 == 0:
            yield from _signed_in(time + 50 * _SECOND, person, step)
        if step % 4 == 0:
            yield _syslog(time, "fw-01", "kernel", _dropped(f"198.51.100.{step % 90 + 100}", (23, 445, 3389)[step // 4 % 3]), 4)
        if step % 6 == 0:
            yield from _bind(time + 70 * _SECOND, step, 49 if step % 72 == 0 else 0)
        if step % 24 == 0:
            yield _syslog(time, "web-01", "lldpd[622]", "removal request for address of 192.0.2.30, but no knowledge of it", 30)


def _signed_in(time: int, person: str, step: int) -> Iterator[_Line]:
    port = 40_000 + step
    if step % 21 == 0:
        failed = f"Failed password for {person} from 192.0.2.77 port {port} ssh2"
        yield _syslog(time, "bastion-01", f"sshd[{5000 + step}]", failed)
    text = f"Accepted publickey for {person} from 192.0.2.77 port {port} ssh2: ED25519 SHA256:c2FtcGxl"
    yield _syslog(time + 8 * _SECOND, "bastion-01", f"sshd[{5000 + step}]", text)
    command = f"{person} : TTY=pts/0 ; PWD=/home/{person} ; USER=root ; COMMAND=/usr/bin/systemctl status nginx"
    yield _syslog(time + 60 * _SECOND, "web-01", "sudo", command)


def _dropped(address: str, port: int) -> str:
    return (
        f"NFT-DROP: IN=eth0 OUT= MAC= SRC={address} DST=192.0.2.10 LEN=60 TOS=0x00 PREC=0x00 TTL=49 ID=1 DF PROTO=TCP "
        f"SPT=51432 DPT={port} WINDOW=64240 RES=0x00 SYN URGP=0"
    )


def _bind(time: int, step: int, error: int) -> Iterable[_Line]:
    person = _PEOPLE[step % len(_PEOPLE)]
    for text in (
        f"conn={step} fd=14 ACCEPT from IP=192.0.2.30:41022 (IP=0.0.0.0:389)",
        f'conn={step} op=0 BIND dn="uid={person},ou=people,dc=example,dc=org" method=128',
        f"conn={step} op=0 RESULT tag=97 err={error} qtime=0.000013 etime=0.000120 text=",
    ):
        yield _syslog(time, "ldap-01", "slapd[611]", text, 166)


# ------------------------------------------------------------------ the attack


def _attack(start: int) -> Iterator[_Line]:
    """An hour and a half, from the first probe to a tidied shell."""
    for step in range(40):  # the web site first: what is there?
        agent = "sqlmap/1.8" if step % 13 == 5 else "Mozilla/5.0"
        path = ("admin", "backup", ".env", "old")[step % 4]
        yield _access(start + step * 4 * _SECOND, ATTACKER, f"GET /{path}/{step}", 404, agent)
    guess = start + 6 * _MINUTE
    names = ("root", "admin", "oracle", *_PEOPLE[:4], _MAINTENANCE)
    for step in range(48):
        text = f"Failed password for {names[step % len(names)]} from {ATTACKER} port {50_000 + step} ssh2"
        yield _syslog(guess + step * 9 * _SECOND, "bastion-01", "sshd[9001]", text)
    inside = guess + 8 * _MINUTE
    text = f"Accepted password for {_MAINTENANCE} from {ATTACKER} port 50123 ssh2"
    yield _syslog(inside, "bastion-01", "sshd[9002]", text)
    onward = inside + 6 * _MINUTE
    text = f"Accepted password for {_MAINTENANCE} from {_BASTION} port 41100 ssh2"
    yield _syslog(onward, "db-01", "sshd[9100]", text)
    sudo = f"{_MAINTENANCE} : TTY=pts/1 ; PWD=/home/{_MAINTENANCE} ; USER=root ; COMMAND="
    yield _syslog(onward + 3 * _MINUTE, "db-01", "sudo", f"{sudo}/usr/bin/pg_dump -Fc licences -f /tmp/.l.dump")
    yield _statement(onward + 3 * _MINUTE, _MAINTENANCE, "statement: COPY public.licence TO stdout;", "pg_dump", _BASTION)
    yield from _executed(onward + 9 * _MINUTE, 4711, "tar", "czf", ".l.tgz", "/var/lib/postgresql/15/main")
    export = onward + 25 * _MINUTE
    yield _deed(export, _MAINTENANCE, "export", 5_400, _BASTION, "denied")
    yield _deed(export + 7 * _MINUTE, _MAINTENANCE, "export", 5_400, _BASTION)
    yield from _executed(export + 20 * _MINUTE, 4790, "rm", "-f", "/root/.bash_history")
