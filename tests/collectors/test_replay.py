import threading
import time
from pathlib import Path

import pytest

from collectors.replay import replay
from soc.errors import SocError
from soc.log.sqlite import SqliteLog
from tests.collectors.worlds import MemoryLog

LINES = b"".join(b"<13>Nov 24 03:00:00 h sshd[1]: line %d\n" % n for n in range(5_000))


def test_a_file_is_taken_once(tmp_path: Path) -> None:
    """In the real log: the second time is counted as duplicate, the third, asked for, is taken again."""
    path, log = tmp_path / "auth.log", SqliteLog(tmp_path / "log")
    path.write_bytes(LINES)
    first = replay(path, log)
    assert first == {"files": 1, "records": 5_000, "taken": 5_000, "duplicate": 0, "cut": 0}
    assert replay(path, log) == first | {"taken": 0, "duplicate": 5_000}
    assert replay(path, log, again=True) == first
    (line,) = log.ledger()
    assert line.balances
    assert (line.source, line.received, line.duplicate) == ("replay:auth.log", 15_000, 5_000)


def test_equal_lines_are_not_duplicates_of_each_other(tmp_path: Path) -> None:
    path, log = tmp_path / "same.log", MemoryLog()
    path.write_bytes(b"the same line\n" * 6_000)
    assert replay(path, log)["taken"] == 6_000


def test_a_folder_under_one_name_with_progress(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(name.encode() + b" x\n")
    log, seen = MemoryLog(), []
    counts = replay(tmp_path, log, source="drill", format="text", progress=lambda done, total: seen.append((done, total)))
    assert (counts["files"], counts["taken"]) == (2, 2)
    assert {(batch.source, batch.format) for batch in log.batches} == {("drill", "text")}
    assert seen[-1] == (16, 16)
    assert seen == sorted(seen)


def test_batches_are_small(tmp_path: Path) -> None:
    path, log = tmp_path / "x.log", MemoryLog()
    path.write_bytes(LINES + b"<13>" + b"x" * 500_000 + b"\n" * 2)
    replay(path, log)
    assert [len(batch.records) for batch in log.batches] == [2_000, 2_000, 1_001]


def test_it_waits_while_the_log_cannot_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.replay._WAIT_SECS", 0.01)
    path, log = tmp_path / "x.log", MemoryLog()
    path.write_bytes(LINES)
    log.pressed = log.full = True

    def relieve() -> None:
        time.sleep(0.05)
        assert log.batches == []
        log.pressed = False
        time.sleep(0.05)
        log.full = False

    thread = threading.Thread(target=relieve)
    thread.start()
    assert replay(path, log)["taken"] == 5_000
    thread.join()


def test_what_is_cut_is_in_the_ledger(tmp_path: Path) -> None:
    path, log = tmp_path / "x.log", MemoryLog()
    path.write_bytes(b"x" * (2 << 20) + b"\nshort\n")
    assert replay(path, log)["cut"] == 1
    assert log.losses == {("replay:x.log", "records cut at 1 MB; their heads were kept"): 1}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SocError, match="does not exist"):
        replay(tmp_path / "nothing", MemoryLog())
