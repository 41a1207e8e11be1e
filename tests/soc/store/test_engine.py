"""The door to DuckDB."""

# ruff: noqa: E501 - tables are read by row

from pathlib import Path

import pyarrow as pa
import pytest

from soc.store.engine import Deadline, Engine, Late


def test_values_and_tables(tmp_path: Path) -> None:
    engine = Engine(tmp_path, 1, 100)
    rows = engine.rows("select n + $v from t order by 1", {"v": 10}, {"t": pa.table({"n": [2, 1]})}, Deadline(None))
    assert rows == [(11,), (12,)]
    with pytest.raises(engine.errors):  # a table is there for one question
        engine.rows("select * from t", {}, {}, Deadline(None))
    engine.close()


def test_a_question_that_takes_too_long_is_late_and_the_next_is_answered(tmp_path: Path) -> None:
    engine = Engine(tmp_path, 1, 100)
    with pytest.raises(Late):
        engine.rows("select count(*) from range(100000000000)", {}, {}, Deadline(0.05))
    assert engine.rows("select 1", {}, {}, Deadline(30)) == [(1,)]
    engine.close()


def test_no_time_left_is_late() -> None:
    with pytest.raises(Late):
        Deadline(-1).left()
    assert Deadline(None).left() is None


@pytest.mark.parametrize("sql", [
    "select * from read_csv('/etc/passwd')", "select * from read_text('/proc/self/environ')", "copy (select 1) to '/tmp/soc-test-out'",
    "set enable_external_access = true", "set memory_limit = '99GB'", "attach '/tmp/soc-test.db'", "install httpfs",
])  # fmt: skip
def test_nothing_outside_the_store_can_be_reached(tmp_path: Path, sql: str) -> None:
    engine = Engine(tmp_path, 1, 100)
    with pytest.raises(engine.errors):
        engine.rows(sql, {}, {}, Deadline(None))
    engine.close()


def test_what_does_not_fit_into_memory_spills_and_is_removed(tmp_path: Path) -> None:
    dead = tmp_path / "spill" / "4194305-1"  # beyond the largest process id
    dead.mkdir(parents=True)
    engine = Engine(tmp_path, 1, 60)
    sql = "select count(*) from (select i, md5(i::varchar) as m from range(1500000) t(i) order by m)"
    assert engine.rows(sql, {}, {}, Deadline(None)) == [(1_500_000,)]
    assert not dead.exists()
    engine.close()
    assert list((tmp_path / "spill").glob("*")) == []
