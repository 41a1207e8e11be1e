"""What is done now and then leaves a record of how it went, also when it fails."""

from __future__ import annotations

import pytest

from soc import schedule
from soc.cases import Cases
from soc.config import Store
from soc.errors import ChainBroken


def test_a_run_is_written_down(cases: Cases) -> None:
    schedule.run(cases, "compact", lambda: "3 segments became 1")
    schedule.run(cases, "compact", lambda: "nothing to do")
    (last,) = schedule.last_runs(cases)
    assert (last["name"], last["outcome"], last["detail"]) == ("compact", "success", "nothing to do")
    assert isinstance(last["finished"], int)


def test_a_failure_is_written_down_and_raised_on(cases: Cases) -> None:
    def fails() -> str:
        raise ChainBroken("record 7 was changed")

    with pytest.raises(ChainBroken):
        schedule.run(cases, "verify", fails)
    (last,) = schedule.last_runs(cases)
    assert last["outcome"] == "failure"
    assert "record 7 was changed" in str(last["detail"])


def test_retention_asks_the_store_for_what_is_set(cases: Cases) -> None:
    asked: list[tuple[int, int]] = []

    class Keeper:
        def retain(self, keep_days: int, max_bytes: int = 0) -> dict[str, int]:
            asked.append((keep_days, max_bytes))
            return {"segments": 2, "events": 7, "bytes": 9}

        def close(self) -> None:
            return

    said = schedule.retain(Keeper(), Store(retention_days=200, max_gb=1))  # type: ignore[arg-type]
    assert asked[0][0] == 200
    assert "7" in said


def test_an_empty_chain_verifies(cases: Cases) -> None:
    assert "0" in schedule.verify(cases)
