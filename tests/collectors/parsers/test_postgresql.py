"""PostgreSQL in four dresses says the same; what a client wrote stays a statement."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, read, said

STATEMENT: dict[str, object] = {
    "event.action": "db_statement", "postgresql.query": "COPY licence TO STDOUT", "user.name": "ops",
    "postgresql.database": "licences", "log.level": "LOG",
}  # fmt: skip
JSON = {
    "timestamp": "2026-11-24 11:59:58.123 UTC", "user": "ops", "dbname": "licences", "pid": 77, "remote_host": "192.0.2.44",
    "error_severity": "LOG", "message": "statement: COPY licence TO STDOUT", "application_name": "psql",
}  # fmt: skip
CSV = (
    '2026-11-24 11:59:58.123 UTC,"ops","licences",77,"192.0.2.44:4711",65b.4d,1,"idle",2026-11-24 11:59:00 UTC,3/4,0,LOG,00000,'
    '"statement: COPY licence TO STDOUT",,,,,,,,,"psql","client backend",,0'
)


def test_syslog_json_and_csv_say_the_same() -> None:
    check(
        said("postgres[77]", "2026-11-24 11:59:58.123 UTC [77] ops@licences LOG:  statement: COPY licence TO STDOUT"),
        "postgresql",
        STATEMENT,
    )
    check(read(JSON, format_="json")[0], "postgresql", STATEMENT | {"source.ip": "192.0.2.44"})
    check(read(CSV, format_="csvlog")[0], "postgresql", STATEMENT | {"source.ip": "192.0.2.44", "postgresql.application": "psql"})


@pytest.mark.parametrize(("severity", "message", "wanted"), [
    ("FATAL", 'password authentication failed for user "ops"', {"event.action": "db_login", "event.outcome": "failure"}),
    ("LOG", "connection authorized: user=ops database=licences", {"event.action": "db_login", "event.outcome": "success"}),
    ("ERROR", 'relation "x" does not exist', {"event.action": "db_error", "event.outcome": "failure"}),
    ("LOG", "checkpoint starting: time", {"event.action": "db_message"}),
    # forged: a statement that quotes a failure is a statement
    ("LOG", "statement: select 'FATAL:  password authentication failed for user \"root\"'", {"event.action": "db_statement"}),
])  # fmt: skip
def test_messages(severity: str, message: str, wanted: dict[str, object]) -> None:
    check(read(JSON | {"error_severity": severity, "message": message}, format_="json")[0], "postgresql", wanted)


@pytest.mark.parametrize("body", ["hello", "LOG without a colon", "[77] ops@licences: x"])
def test_near_misses(body: str) -> None:
    assert said("postgres[77]", body).get("soc.unparsed") is True
