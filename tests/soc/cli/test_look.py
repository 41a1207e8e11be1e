"""The command line as a script sees it: JSON lines on standard output, a status that means something."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from soc.__main__ import _take_home, build
from soc.cases import Cases
from soc.config import Home
from soc.errors import ChainBroken, NotFound, SocError
from soc.incidents import raise_or_join
from soc.log.sqlite import SqliteLog
from soc.model import Quarantined, RawBatch
from tests.soc.worlds import NOON, an_alert


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SOC_HOME", str(tmp_path))
    return Home(tmp_path).make()


def soc(*arguments: str, status: int = 0) -> list[Any]:
    """The JSON lines a command prints; an error of ours is raised as it is."""
    result = CliRunner().invoke(build(), list(arguments), standalone_mode=True)
    if isinstance(result.exception, SocError):
        raise result.exception
    assert result.exit_code == status, result.output
    return [json.loads(line) for line in result.stdout.splitlines()] if "--json" in arguments else result.stdout.splitlines()


def test_an_empty_soc_has_an_empty_ledger_that_balances(home: Home) -> None:
    (ledger,) = soc("ledger", "--json")
    assert ledger["sources"] == []
    assert ledger["balances"]
    assert "docs/collectors.md" in soc("ledger")[0]


def test_the_ledger_tells_each_source_and_the_sum(home: Home) -> None:
    log = SqliteLog(home.log)
    log.append([RawBatch("syslog", [b"a", b"b"], NOON), RawBatch("http:erp", [b"{}"], NOON, key="k")])
    log.append([RawBatch("http:erp", [b"{}"], NOON, key="k")])
    (ledger,) = soc("ledger", "--json")
    assert {row["source"]: (row["received"], row["pending"], row["duplicate"]) for row in ledger["sources"]} == {
        "syslog": (2, 2, 0),
        "http:erp": (2, 1, 1),
    }
    assert ledger["total"]["received"] == 4


def test_alerts_and_incidents_for_scripts(home: Home) -> None:
    raise_or_join(Cases.at(home.cases), [an_alert("a", "host:web1"), an_alert("b", "host:web1", level="low")])
    rows = soc("alerts", "list", "--json")
    assert {row["id"] for row in rows} == {"a", "b"}
    assert rows[0]["time"].endswith("Z")
    assert [row["id"] for row in soc("alerts", "list", "--level", "low", "--json")] == ["b"]
    (incident,) = soc("incidents", "list", "--json")
    assert (incident["id"], incident["level"], incident["alerts"]) == (1, "high", 2)
    (whole,) = soc("incidents", "show", "1", "--json")
    assert len(whole["alert_list"]) == 2
    assert whole["entities"] == [{"kind": "host", "name": "web1"}]


def test_an_operator_comments_and_closes_and_is_named_in_the_trail(home: Home) -> None:
    raise_or_join(Cases.at(home.cases), [an_alert("a", "host:web1")])
    soc("incidents", "comment", "1", "asked the owner")
    soc("incidents", "close", "1", "--verdict", "benign", "--reason", "a drill")
    assert soc("incidents", "list", "--json")[0]["status"] == "closed"
    newest = soc("audit", "list", "--json")[0]
    assert newest["actor"].startswith("cli:")
    assert newest["action"] == "incident.status"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("incidents", "show", "7"), "there is no incident 7"),
        (("alerts", "list", "--level", "terrible"), "no such level: terrible"),
        (("hunt", "x", "--last", "yesterday"), "is no time span"),
    ],
)
def test_a_mistake_is_said_in_words(home: Home, arguments: tuple[str, ...], complaint: str) -> None:
    with pytest.raises((NotFound, SocError), match=complaint):
        soc(*arguments)


def test_quarantine_is_listed_and_replayed(home: Home) -> None:
    from soc.contracts import Tally

    log = SqliteLog(home.log)
    (seq,) = log.append([RawBatch("syslog", [b"\xff\x00"], NOON)])
    assert seq is not None
    log.commit(0, 1, seq, Tally({}, [Quarantined("0000000001-0000", "syslog", NOON, b"\xff\x00", "no header")]))
    (row,) = soc("quarantine", "list", "--json")
    assert (row["reason"], row["size"]) == ("no header", 2)
    assert "1 records" in soc("quarantine", "replay")[0]
    assert soc("quarantine", "list", "--json") == []
    assert soc("ledger", "--json")[0]["balances"]


def test_a_changed_audit_record_is_found(home: Home) -> None:
    from sqlalchemy import text

    cases = Cases.at(home.cases)
    raise_or_join(cases, [an_alert("a", "host:web1")])
    assert soc("audit", "verify", "--json")[0]["verified"]
    with cases.writing() as connection:
        connection.execute(text("update audit set actor = 'nobody'"))
    with pytest.raises(ChainBroken, match="record 1"):
        soc("audit", "verify")


HOMES = [
    (["--home", "/a", "ledger"], "/a", ["ledger"]),
    (["ledger", "--home=/b", "--json"], "/b", ["ledger", "--json"]),
    (["hunt", "--", "--home", "/c"], None, ["hunt", "--", "--home", "/c"]),  # behind '--' it is text
]


@pytest.mark.parametrize(("given", "home_", "left"), HOMES)
def test_the_home_may_stand_anywhere(
    given: list[str], home_: str | None, left: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOC_HOME", raising=False)
    assert _take_home(given) == left
    import os

    assert os.environ.get("SOC_HOME") == home_
    monkeypatch.delenv("SOC_HOME", raising=False)


def test_a_home_without_a_folder_is_a_mistake() -> None:
    with pytest.raises(SocError, match="needs a folder"):
        _take_home(["ledger", "--home"])
