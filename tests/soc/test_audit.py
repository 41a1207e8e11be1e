"""One changed byte, one removed record: the chain says where."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from soc import audit
from soc.cases import Cases
from soc.errors import ChainBroken
from soc.incidents import raise_or_join
from soc.log.sqlite import SqliteLog
from tests.soc.worlds import an_alert


@pytest.mark.parametrize("column", ["actor", "action", "detail", "time", "outcome", "object"])
def test_one_changed_byte_breaks_the_chain(cases: Cases, column: str) -> None:
    for number in range(5):
        raise_or_join(cases, [an_alert(f"a{number}", f"host:{number}")])
    assert audit.verify(audit.export(cases.engine))[0] == 5
    with cases.writing() as connection:
        new = "time + 1" if column == "time" else f"{column} || 'x'"
        connection.execute(text(f"update audit set {column} = {new} where seq = 3"))
    with pytest.raises(ChainBroken, match="record 3"):
        audit.verify(audit.export(cases.engine))


def test_a_removed_record_breaks_the_chain(cases: Cases) -> None:
    for number in range(3):
        raise_or_join(cases, [an_alert(f"a{number}", f"host:{number}")])
    with cases.writing() as connection:
        connection.execute(text("delete from audit where seq = 2"))
    with pytest.raises(ChainBroken, match="record 2 is missing"):
        audit.verify(audit.export(cases.engine))


def test_the_newest_records_come_first_and_can_be_narrowed(cases: Cases) -> None:
    with cases.writing() as connection:
        for number in range(5):
            audit.record(connection, "li.na", "incident.comment", f"incident/{number % 2}", detail={"text": "好"})
    assert [one.seq for one in audit.records(cases.engine, limit=2)] == [5, 4]
    assert [one.seq for one in audit.records(cases.engine, object_="incident/0")] == [5, 3, 1]
    assert [one.seq for one in audit.records(cases.engine, before=3)] == [2, 1]


def test_the_verifier_of_the_documentation_agrees(cases: Cases, tmp_path: Path) -> None:
    """What docs/audit.md prints for an outsider accepts our export, and refuses it after one change."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    program = page.split("```python\n")[1].split("```")[0]
    with cases.writing() as connection:
        for number in range(3):
            audit.record(connection, "李娜", "incident.comment", f"incident/{number}", detail={"text": "é, 好, 🐼"})
    rows = [json.dumps(one.as_json(), ensure_ascii=False) for one in audit.export(cases.engine)]
    file = tmp_path / "audit.jsonl"

    def verify(lines: list[str]) -> int:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, check=False).returncode

    assert verify(rows) == 0
    assert verify([rows[0], rows[1].replace("李娜", "王伟"), rows[2]]) != 0
    assert verify(rows[1:]) != 0


def test_new_records_come_into_the_event_log_once(cases: Cases, tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log")
    for number in range(3):
        with cases.writing() as connection:
            audit.record(connection, "li.na", "incident.comment", f"incident/{number}")
    assert [audit.forward(cases.engine, log), audit.forward(cases.engine, log)] == [3, 0]
    with cases.writing() as connection:
        audit.record(connection, "li.na", "incident.close", "incident/1", "denied")
    assert audit.forward(cases.engine, log) == 1
    batches = log.read(0, 1, 0, 10)
    assert [len(batch.raw.records) for batch in batches] == [3, 1]
    assert {batch.raw.source for batch in batches} == {"soc:audit"}
    log.close()
