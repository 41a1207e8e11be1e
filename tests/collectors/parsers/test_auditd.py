"""Audit records: those of one serial are one event; hex and quotes keep a user's text from posing as a field."""

from __future__ import annotations

import pytest

from tests.collectors.parsers.rows import check, read

CALL = (
    "type=SYSCALL msg=audit(1795521598.123:47): arch=c000003e syscall=59 success=yes exit=0 a0=55 ppid=900 pid=901 "
    'auid=1001 uid=0 gid=0 euid=0 tty=pts0 ses=3 comm="pg_dump" exe="/usr/bin/pg_dump" key="exec"'
)
EXECVE = 'type=EXECVE msg=audit(1795521598.123:47): argc=3 a0="pg_dump" a1="-Fc" a2="licences"'


def test_records_of_one_serial_are_one_event() -> None:
    other = "type=USER_LOGIN msg=audit(1795521599.000:48): pid=1 uid=0 auid=1001 ses=3 msg='op=login acct=\"li.na\" res=failed'"
    events = read(CALL, EXECVE, other)
    assert len(events) == 2
    check(events[0], "auditd", {
        "event.action": "audit_exec", "process.command_line": "pg_dump -Fc licences", "process.executable": "/usr/bin/pg_dump",
        "process.pid": 901, "user.id": "0", "auditd.auid": "1001", "event.sequence": 47, "auditd.type": ["SYSCALL", "EXECVE"],
        "event.outcome": "success", "soc.merged": 2,
    })  # fmt: skip
    check(events[1], "auditd", {"event.action": "audit_user_login", "event.outcome": "failure", "event.sequence": 48})


def test_another_serial_or_host_is_another_event() -> None:
    assert len(read(CALL, EXECVE.replace(":47)", ":49)"))) == 2
    assert len(read("node=a " + CALL, "node=b " + EXECVE, format_="audit")) == 2


@pytest.mark.parametrize(("arguments", "line"), [
    ('argc=2 a0="sh" a1=2D6320226964223B206C73', 'sh -c "id"; ls'),  # hex: it held blanks and quotes
    ('argc=2 a0="echo" a1="exe=/bin/evil"', "echo exe=/bin/evil"),
    ('argc=3 a0="a" a2="c" a1="b"', "a b c"),
])  # fmt: skip
def test_arguments(arguments: str, line: str) -> None:
    (event,) = read(CALL, f"type=EXECVE msg=audit(1795521598.123:47): {arguments}")
    assert event["process.command_line"] == line
    assert event["process.executable"] == "/usr/bin/pg_dump"


def test_a_program_name_cannot_pose_as_a_field() -> None:
    (event,) = read(CALL.replace('comm="pg_dump"', "comm=" + b'x" exe="/bin/good'.hex().upper()))
    assert event["process.executable"] == "/usr/bin/pg_dump"


@pytest.mark.parametrize("line", ["type=SYSCALL msg=audit(x:1): a=1", "type=SYSCALL arch=1", "audit without a type"])
def test_near_misses_are_no_audit_events(line: str) -> None:
    assert all(event.get("soc.parser") != "auditd" or event.get("soc.unparsed") for event in read(line))
