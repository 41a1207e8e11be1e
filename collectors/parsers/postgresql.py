"""PostgreSQL: connections, sign-ins, statements, errors and pgaudit's records, from stderr or syslog, csvlog and jsonlog.

Sources: PostgreSQL 12–17, src/backend/utils/error/elog.c, csvlog.c, jsonlog.c; log_line_prefix '%m [%p] %q%u@%d ' (Debian's) and
'%t [%p]: user=%u,db=%d,app=%a,client=%h '; pgaudit README "Format". In csvlog the client's text stands between quotes whose own
quotes are doubled; on stderr the prefix comes first and the statement last, so a statement cannot forge them.
"""

from __future__ import annotations

import csv
import re
from typing import Any

from collectors import stamps
from soc.contracts import Fields, RawLine

programs = ("postgres", "postgresql")
formats = ("csvlog",)
dataset = "postgresql.log"
logsources = {"postgresql.log": ("database", "linux", "postgresql")}
marks = (("error_severity", "message", "pid"),)
fields = (
    "event.category", "event.type", "event.action", "event.outcome", "event.code", "event.duration", "event.sequence",
    "log.level",
    "user.name", "source.ip", "source.domain", "source.port", "error.message", "postgresql.database", "postgresql.query",
    "postgresql.application", "postgresql.session", "postgresql.detail", "postgresql.audit.class", "postgresql.audit.command",
    "postgresql.audit.object", "postgresql.audit.object_type",
)  # fmt: skip

_LONGEST = 65_536
_STDERR = re.compile(
    r"(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,6}))? ([A-Z]{1,5}|[+-]\d\d(?::?\d\d)?) )?"
    r"(?:\[(\d{1,10})\]:? ?)?(?:\[\d{1,10}-\d{1,10}\] )?"
    r"(?:user=([^,]{0,64}),db=([^,]{0,64})(?:,app=([^,]{0,64}))?(?:,client=([^ ,]{0,255}))? |([^\s@]{0,64})@([^\s@]{0,64}) )?"
    r"(LOG|ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|DEBUG\d?|STATEMENT|DETAIL|HINT|CONTEXT|QUERY):  ?"
).match
_DURATION = re.compile(r"duration: (\d{1,12}(?:\.\d{1,6})?) ms(?:  (?:statement|(?:parse|bind|execute) [^:]{1,64}): )?").match
_STATEMENT = re.compile(r"(?:statement|execute [^:]{1,64}): ").match
_AUTH_FAILED = re.compile(
    r'\w{1,20} authentication failed for user "(.{0,64})"|no pg_hba\.conf entry for (?:replication )?(?:connection from )?'
    r'host "([^"]{1,255})", user "(.{0,64})", (?:database "(.{0,64})"|.{0,64}).{0,64}'
    r'|role "(.{0,64})" does not exist|database "(.{0,64})" does not exist', re.S
).fullmatch  # fmt: skip
_RECEIVED = re.compile(r"connection received: host=(\S{1,255})(?: port=(\d{1,5}))?").fullmatch
_AUTHORIZED = re.compile(
    r"connection authorized: user=(\S{1,64})(?: database=(\S{1,64}))?(?: application_name=(.{0,64}?))?(?: SSL .{0,256})?"
).fullmatch
_AUTHENTICATED = re.compile(r'connection authenticated: identity="(.{0,256})" method=(\w{1,20}).{0,512}').fullmatch
_LEFT = re.compile(
    r"disconnection: session time: (\d{1,5}):(\d\d):(\d\d\.\d{1,6}) user=(\S{0,64}) database=(\S{0,64}) host=(\S{0,255})"
    r"(?: port=(\d{1,5}))?"
).fullmatch
_FAILED = frozenset({"ERROR", "FATAL", "PANIC"})


def parse(line: RawLine) -> Fields | None:
    """One record of stderr, syslog or csvlog.

    event.action: db_connection, db_login (outcome; also FATAL failures), db_logout, db_statement (postgresql.query,
    event.duration in ns), db_error, db_audit (pgaudit; postgresql.audit.*), db_message.
    """
    body = line.body[:_LONGEST]
    if body[:1] == "2" and body[19:20] in ".," and (about := _csv(body, line)) is not None:
        return about
    if not (found := _STDERR(body)):
        return None
    base, fraction, zone, pid, user, database, app, client, user2, database2, level = found.groups()
    about = _meaning(level, body[found.end() :])
    if base and (when := stamps.second(base, zone, fraction, line.zone)) is not None:
        about["@timestamp"] = when
    if pid:
        about["process.pid"] = int(pid)
    _set(about, {"user.name": user or user2, "postgresql.database": database or database2, "postgresql.application": app})
    _came_from(about, client)
    return about


def parse_json(record: dict[str, Any], line: RawLine) -> Fields | None:
    """One object of jsonlog; its keys are those of csvlog's columns."""
    text = {name: str(value) for name, value in record.items() if isinstance(value, str | int)}
    about = _meaning(text["error_severity"], text["message"][:_LONGEST])
    _set(
        about,
        {
            "user.name": text.get("user"),
            "postgresql.database": text.get("dbname"),
            "postgresql.application": text.get("application_name"),
            "postgresql.session": text.get("session_id"),
            "postgresql.detail": text.get("detail"),
            "event.code": text.get("state_code"),
        },
    )
    if statement := text.get("statement"):
        about.setdefault("postgresql.query", statement[:_LONGEST])
    _came_from(about, text.get("remote_host"))
    for name, field in (("pid", "process.pid"), ("remote_port", "source.port")):
        if text.get(name, "").isdigit():
            about[field] = int(text[name])
    about["message"] = text["message"]
    if (when := stamps.iso(text.get("timestamp", ""), line.zone)) is not None:
        about["@timestamp"] = when
    return about


def _csv(body: str, line: RawLine) -> Fields | None:
    try:
        row = next(csv.reader([body], strict=True))
    except (csv.Error, StopIteration):
        return None
    if not 23 <= len(row) <= 30 or (when := stamps.iso(row[0], line.zone)) is None:
        return None
    about = _meaning(row[11], row[13])
    about["@timestamp"] = when
    about["message"] = row[13]
    _set(
        about,
        {
            "user.name": row[1],
            "postgresql.database": row[2],
            "postgresql.session": row[5],
            "event.code": row[12],
            "postgresql.detail": row[14],
            "postgresql.application": row[22],
        },
    )
    if row[19]:
        about.setdefault("postgresql.query", row[19])
    if row[3].isdigit():
        about["process.pid"] = int(row[3])
    host, _, port = row[4].rpartition(":")
    _came_from(about, host)
    if host and port.isdigit():
        about["source.port"] = int(port)
    return about


def _meaning(level: str, text: str) -> Fields:
    about: Fields = {
        "event.category": ["database"],
        "event.type": ["info"],
        "event.action": "db_message",
        "event.outcome": "failure" if level in _FAILED else "success",
        "log.level": level,
    }
    if text.startswith("AUDIT: "):
        _audit(about, text[7:])
    elif level == "STATEMENT":
        about |= {"event.action": "db_error_statement", "postgresql.query": text}
    elif level in _FAILED:
        _failure(about, text)
    elif level == "LOG":
        _log(about, text)
    return about


def _log(about: Fields, text: str) -> None:
    if (found := _DURATION(text)) or (found := _STATEMENT(text)):
        about["event.action"], about["event.type"] = "db_statement", ["access"]
        if found.re.groups:
            about["event.duration"] = int(float(found[1]) * 1e6)
        if query := text[found.end() :]:
            about["postgresql.query"] = query
    elif found := _RECEIVED(text):
        about["event.action"], about["event.type"] = "db_connection", ["connection"]
        _came_from(about, found[1])
        if found[2]:
            about["source.port"] = int(found[2])
    elif found := _AUTHORIZED(text):
        about |= {"event.action": "db_login", "event.category": ["database", "authentication"], "event.type": ["start"]}
        _set(about, {"user.name": found[1], "postgresql.database": found[2], "postgresql.application": found[3]})
    elif found := _AUTHENTICATED(text):
        about |= {"event.action": "db_authenticated", "event.category": ["database", "authentication"], "user.name": found[1]}
    elif found := _LEFT(text):
        hours, minutes, seconds, user, database, host, port = found.groups()
        about |= {"event.action": "db_logout", "event.category": ["database", "authentication"], "event.type": ["end"]}
        about["event.duration"] = int((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1e9)
        _set(about, {"user.name": user, "postgresql.database": database})
        _came_from(about, host)
        if port:
            about["source.port"] = int(port)


def _failure(about: Fields, text: str) -> None:
    about |= {"event.action": "db_error", "event.type": ["error"], "error.message": text}
    if found := _AUTH_FAILED(text):
        user, host, user2, database, role, database2 = found.groups()
        about |= {"event.action": "db_login", "event.category": ["database", "authentication"], "event.type": ["start"]}
        _set(about, {"user.name": user or user2 or role, "postgresql.database": database or database2})
        _came_from(about, host)


def _audit(about: Fields, text: str) -> None:
    """SESSION,1,1,READ,SELECT,TABLE,public.drug,"select …",<none>."""
    about["event.action"], about["event.type"] = "db_audit", ["access"]
    try:
        row = next(csv.reader([text], strict=True))
    except (csv.Error, StopIteration):
        row = text.split(",", 7)
    if len(row) >= 8:
        _set(
            about,
            {
                "postgresql.audit.class": row[3],
                "postgresql.audit.command": row[4],
                "postgresql.audit.object_type": row[5],
                "postgresql.audit.object": row[6],
                "postgresql.query": row[7],
            },
        )


def _set(about: Fields, named: dict[str, str | None]) -> None:
    about |= {field: value for field, value in named.items() if value and value != "[unknown]"}


def _came_from(about: Fields, host: str | None) -> None:
    if host and not host.startswith("[local]"):
        host = host.partition("(")[0]  # %r writes the port behind in parentheses
        about["source.ip" if ":" in host or host.replace(".", "").isdigit() else "source.domain"] = host
