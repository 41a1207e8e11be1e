"""The SQLite event log: the contract, and what only this keeper can get wrong."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from soc.contracts import EventLog, Tally
from soc.errors import LogFull
from soc.log.sqlite import SqliteLog
from tests.contracts.event_log import EventLogContract, a_batch


class TestSqliteLog(EventLogContract):
    def open(self, folder: Path) -> EventLog:
        return SqliteLog(folder)


def test_sequences_are_not_reused_after_the_log_was_emptied(tmp_path: Path) -> None:
    """A cursor `seq > n` would otherwise skip acknowledged batches for ever."""
    log = SqliteLog(tmp_path, keep_mb=0)
    (seq,) = log.append([a_batch()])
    assert seq is not None
    log.commit(0, 1, seq, Tally({"syslog": 1}))
    assert log.read(0, 1, 0, 10) == []
    (following,) = SqliteLog(tmp_path, keep_mb=0).append([a_batch()])
    assert following is not None
    assert following > seq


def test_a_disk_without_room_takes_nothing_and_says_so(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    log._connection.execute("pragma max_page_count=60")  # the file may not grow: what a full disk looks like to SQLite
    with pytest.raises(LogFull, match="full"):
        for _ in range(100):
            log.append([a_batch(os.urandom(4000))])
    taken = sum(len(batch.raw.records) for batch in log.read(0, 1, 0, 1000))
    (line,) = log.ledger()
    assert line.received == taken == line.pending
    log._connection.execute("pragma max_page_count=1000000")
    log.append([a_batch()])
    assert log.ledger()[0].received == taken + 1


def test_backlog_and_free_space_make_pressure(tmp_path: Path) -> None:
    assert SqliteLog(tmp_path / "a", min_free_mb=1 << 40).pressure()
    assert not SqliteLog(tmp_path / "b").pressure()
    small = SqliteLog(tmp_path / "c", backlog_mb=1)
    for _ in range(3):
        small.append([a_batch(os.urandom(1 << 19))])
    assert small.pressure()


def test_stored_batches_are_kept_up_to_the_limit_only(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, keep_mb=1)
    seqs = [log.append([a_batch(os.urandom(1 << 18))])[0] for _ in range(10)]
    log.commit(0, 1, seqs[7], Tally({"syslog": 8}))  # type: ignore[arg-type]
    left = [batch.seq for batch in log.read(0, 1, 0, 100)]
    assert left[-2:] == seqs[8:], "what is not stored yet stays, whatever the limit"
    assert 3 <= len(left) <= 6


def test_forget_leaves_no_trace(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    log.append([a_batch(source="sample:ssh", key="sample:1"), a_batch(source="syslog", key="k")])
    log.lost("sample:ssh", 1, "x")
    log.forget("sample:")
    assert [line.source for line in log.ledger()] == ["syslog"]
    assert log.append([a_batch(source="sample:ssh", key="sample:1")])[0] is not None


def test_several_threads_may_append_at_once(tmp_path: Path) -> None:
    """A shared zstd compressor fails or mixes their bytes; HTTP appends in threads."""
    log = SqliteLog(tmp_path)
    many = [a_batch(*[b"%d %d" % (thread, n) for n in range(3_000)]) for thread in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda batch: log.append([batch]), many))
    assert sorted(list(batch.raw.records) for batch in log.read(0, 1, 0, 100)) == sorted(list(batch.records) for batch in many)


WRITER = """
import sys; from pathlib import Path
from soc.log.sqlite import SqliteLog
from soc.model import RawBatch
log = SqliteLog(Path(sys.argv[1]))
n = 0
while True:
    log.append([RawBatch("tcp", [b"%d-%d" % (n, i) for i in range(50)], 1, key="b%d" % n)])
    print(n, flush=True)
    n += 1
"""


def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    for round_ in range(3):
        folder = tmp_path / str(round_)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.05 * (round_ + 1))
        writer.send_signal(signal.SIGKILL)
        acknowledged = [int(line) for line in writer.stdout.read().split()]
        writer.wait()
        log = SqliteLog(folder)
        records = [record for batch in log.read(0, 1, 0, 100_000) for record in batch.raw.records]
        wanted = max(acknowledged, default=0) + 1
        assert len(records) == len(set(records)), "nothing twice"
        assert set(records) >= {b"%d-%d" % (n, i) for n in range(wanted) for i in range(50)}
        assert all(line.balances for line in log.ledger())
        assert sqlite3.connect(folder / "log.db").execute("pragma integrity_check").fetchone() == ("ok",)
