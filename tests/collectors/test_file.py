import asyncio
import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zstandard

from collectors.file import Config, File
from soc.errors import ConfigError, LogFull
from soc.log.sqlite import SqliteLog
from tests.collectors.worlds import MemoryLog, until


class Follower:
    """A folder that is followed, one look at a time; `again` is the process after a crash."""

    def __init__(self, folder: Path, *paths: str, **settings: object) -> None:
        self.folder = folder / "logs"
        self.folder.mkdir()
        self.log = MemoryLog()
        self._settings = {"paths": tuple(str(self.folder / one) for one in paths or ("*.log",)), "wait_secs": 60} | settings
        self.again()

    def again(self) -> None:
        self.file = File(Config(**self._settings), self.log)  # type: ignore[arg-type]

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        with path.open("ab") as file:
            file.write(content)
        return path

    def look(self) -> list[bytes]:
        """Records that are new."""
        before = len(self.log.records)
        while self.file.poll():
            pass
        return self.log.records[before:]


@pytest.fixture
def world(tmp_path: Path) -> Follower:
    return Follower(tmp_path)


LONG = b"".join(b"line %06d of a file that is long enough to be known again\n" % n for n in range(40))
LINES = LONG.splitlines()


def test_lines_are_taken_as_they_are_written(world: Follower) -> None:
    world.write("a.log", b"one\ntwo\nthr")
    assert world.look() == [b"one", b"two"]
    assert world.look() == []
    world.write("a.log", b"ee\n")
    assert world.look() == [b"three"]
    (batch, *_) = world.log.batches
    assert batch.source == f"file:{world.folder}/a.log"


def test_after_a_crash_it_goes_on_at_the_byte(world: Follower) -> None:
    world.write("a.log", b"one\ntwo\nthr")
    world.look()
    world.again()
    world.write("a.log", b"ee\nfour\n")
    assert world.look() == [b"three", b"four"]


def test_renamed_and_begun_anew(world: Follower) -> None:
    path = world.write("a.log", LONG)
    world.look()
    world.write("a.log", b"written before\n")
    path.rename(world.folder / "a.log.1")
    world.write("a.log.1", b"written after\n")  # a program that has not been told yet
    world.write("a.log", b"new\n")
    assert world.look() == [b"written before", b"written after", b"new"]
    world.write("a.log.1", b"still\n")
    assert world.look() == [b"still"]


def test_renamed_while_we_were_away(world: Follower) -> None:
    """Twice: the file between, which we never saw, is read as well although no pattern names it."""
    path = world.write("a.log", LONG)
    world.look()
    world.write("a.log", b"rest\n")
    path.rename(world.folder / "a.log.2")
    world.write("a.log.1", b"between\n")
    world.write("a.log", b"new\n")
    later = time.time() + 5
    os.utime(world.folder / "a.log.1", (later, later))
    os.utime(world.folder / "a.log", (later + 1, later + 1))
    world.again()
    assert world.look() == [b"rest", b"between", b"new"]


def test_old_rotated_files_are_not_ours_unless_named(world: Follower) -> None:
    old = world.write("a.log.1", b"last week\n")
    os.utime(old, (1, 1))
    world.write("a.log", b"one\n")
    assert world.look() == [b"one"]
    world.write("a.log", b"two\n")
    assert world.look() == [b"two"]


def test_copied_and_truncated(world: Follower) -> None:
    path = world.write("a.log", LONG)
    world.look()
    world.write("a.log", b"before the copy\n")
    shutil.copy(path, world.folder / "a.log.1")
    path.write_bytes(b"after it\n")
    assert world.look() == [b"before the copy", b"after it"]
    assert world.look() == []


def test_truncated_and_grown_beyond_where_we_were(world: Follower) -> None:
    path = world.write("a.log", LONG)
    world.look()
    path.write_bytes(b"x" + LONG * 2)
    assert world.look() == [b"x" + LINES[0], *LINES[1:], *LINES]


def test_truncated_and_the_same_again(world: Follower) -> None:
    """The same bytes written once more are new lines: a key made of file and offset would take them for a duplicate."""
    path = world.write("a.log", LONG)
    assert world.look() == LINES
    path.write_bytes(b"")
    assert world.look() == []
    path.write_bytes(LONG[:120])
    assert world.look() == LINES[:2]


def test_deleted_at_once_after_the_last_line(world: Follower) -> None:
    """rotate 0: what was written between two looks is read from the file that has no name any more."""
    path = world.write("a.log", LONG)
    world.look()
    world.write("a.log", b"last words\n")
    path.unlink()
    assert world.look() == [b"last words"]
    world.write("a.log", b"new\n")
    assert world.look() == [b"new"]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_compressed_before_we_looked(world: Follower, compress: object) -> None:
    suffix = ".gz" if compress is gzip.compress else ".zst"
    world.write("a.log", LONG)
    world.look()
    path = world.write("a.log", b"rest\n")
    (world.folder / f"a.log.1{suffix}").write_bytes(compress(path.read_bytes()))  # type: ignore[operator]
    path.unlink()
    world.again()  # even the open file is gone
    world.write("a.log", b"new\n")
    assert sorted(world.look()) == [b"new", b"rest"]
    world.again()
    assert world.look() == []


def test_archives_that_are_named_are_read_once(tmp_path: Path) -> None:
    world = Follower(tmp_path, "*")
    (world.folder / "a.log.2.gz").write_bytes(gzip.compress(LONG * 3_000))
    world.write("a.log", b"live\n")
    got = world.look()
    assert (len(got), got[-1]) == (120_001, b"live")
    assert world.log.batches[0].source == f"file:{world.folder}/a.log"
    world.again()
    assert world.look() == []
    without = Follower(tmp_path / "logs", "*", archives=False)
    (without.folder / "b.log.1.gz").write_bytes(gzip.compress(LONG))
    assert without.look() == []


def test_an_archive_that_is_still_being_written(tmp_path: Path) -> None:
    world = Follower(tmp_path, "*")
    whole = gzip.compress(os.urandom(3_000).hex().encode() + b"\n" + LONG * 100)
    path = world.folder / "a.log.1.gz"
    path.write_bytes(whole[: len(whole) // 2])
    first = world.look()
    path.write_bytes(whole)
    assert len(first + world.look()) == 4_001


def test_a_line_without_end_is_taken_after_a_while(tmp_path: Path) -> None:
    world = Follower(tmp_path, wait_secs=0.05)
    world.write("a.log", b"one\nno end")
    assert world.look() == [b"one"]
    time.sleep(0.1)
    assert world.look() == [b"no end"]


def test_records_over_several_lines(tmp_path: Path) -> None:
    world = Follower(tmp_path, multiline={"*/java.log": "stack", "*/own.log": r"\d\d:"})
    world.write("java.log", b"Error\n\tat a\n")
    world.write("own.log", b"01: a\nb\n02: c\n")
    world.write("plain.log", b"a\n b\n")
    assert sorted(world.look()) == [b" b", b"01: a\nb", b"a"]
    world.write("java.log", b"\tat b\nnext\n")
    assert world.look() == [b"Error\n\tat a\n\tat b"]


def test_audit_records_of_one_serial_come_together(tmp_path: Path) -> None:
    world = Follower(tmp_path, "audit.log")
    record = b"type=%s msg=audit(1700000000.001:%d): x\n"
    world.write("audit.log", record % (b"SYSCALL", 1) + record % (b"EXECVE", 1) + record % (b"SYSCALL", 2))
    assert len(world.look()) == 2
    world.write("audit.log", record % (b"EXECVE", 2) + record % (b"SYSCALL", 3))
    assert len(world.look()) == 2
    assert {batch.format for batch in world.log.batches} == {"audit"}


def test_formats_are_recognised_or_named(tmp_path: Path) -> None:
    world = Follower(tmp_path, formats={"*/odd.log": "text"})
    world.write("a.log", b'{"a":1}\n')
    world.write("odd.log", b'{"a":1}\n')
    world.look()
    assert {batch.source.rpartition("/")[2]: batch.format for batch in world.log.batches} == {"a.log": "json", "odd.log": "text"}


def test_a_folder_is_followed_with_what_is_below(tmp_path: Path) -> None:
    world = Follower(tmp_path, "")
    (world.folder / "deep").mkdir()
    world.write("deep/a", b"one\n")
    world.write(".hidden", b"no\n")
    assert world.look() == [b"one"]


def test_a_full_log_leaves_everything_where_it_was(world: Follower) -> None:
    world.write("a.log", LONG)
    world.log.full = True
    with pytest.raises(LogFull):
        world.look()
    world.log.full, world.log.pressed = False, True
    assert world.look() == []
    world.log.pressed = False
    assert world.look() == LINES


def test_a_line_of_64_mb_is_cut_and_the_next_is_whole(world: Follower) -> None:
    with (world.folder / "a.log").open("wb") as file:
        for _ in range(64):
            file.write(b"x" * (1 << 20))
        file.write(b"\nnext\n")
    assert [len(record) for record in world.look()] == [1 << 20, 4]
    assert sum(world.log.losses.values()) == 1


def test_the_rest_of_a_cut_line_is_skipped_after_a_crash_too(world: Follower) -> None:
    world.write("a.log", b"x" * (3 << 20))
    assert [len(record) for record in world.look()] == [1 << 20]
    world.again()
    world.write("a.log", b"rest\nnext\n")
    assert world.look() == [b"next"]


def test_what_cannot_be_read_is_said_once_and_the_others_go_on(world: Follower) -> None:
    world.write("a.log.1.gz", b"\x1f\x8b broken")
    world.write("b.evtx.log", b"ElfFile\x00\x00\x00")
    world.write("c.log", b"fine\n")
    world.write("a.log", LONG)
    assert sorted(world.look()) == sorted([b"fine", *LINES])
    world.look()
    reasons = [reason for _, reason in world.log.losses]
    assert any("soc replay" in reason for reason in reasons)
    assert not any(world.log.losses.values())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"formats": {"*": "sylsog"}}, r"formats\.\*: 'sylsog' is not one of"),
        ({"multiline": {"*": "("}}, r"multiline\.\*: '\(' is neither"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        File(Config(("x",), **settings), MemoryLog())  # type: ignore[arg-type]


def test_it_follows_by_itself_until_it_is_stopped(tmp_path: Path) -> None:
    async def run() -> None:
        log, path = MemoryLog(), tmp_path / "a.log"
        file = File(Config((str(tmp_path),), poll_secs=0.01), log)
        assert await file.start() == {}
        path.write_bytes(b"one\n")
        await until(lambda: log.records == [b"one"])
        await file.stop()
        path.write_bytes(b"one\ntwo\n")
        await asyncio.sleep(0.1)
        assert log.records == [b"one"]

    asyncio.run(run())


FOLLOWER = """
import sys; from pathlib import Path
from collectors.file import Config, File
from soc.log.sqlite import SqliteLog
file = File(Config((sys.argv[2],)), SqliteLog(Path(sys.argv[1])))
print("ready", flush=True)
while True:
    file.poll()
"""


def test_kill_9_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Lines are written and the file is rotated while the follower is killed again and again."""
    logs, number = tmp_path / "logs", 1
    logs.mkdir()
    (logs / "a.log").write_bytes(b"line 00000000 is seen before the file is renamed for the first time\n")
    first = File(Config((str(logs / "*.log"),)), SqliteLog(tmp_path / "log"))
    first.poll()
    first.close()
    for round_ in range(6):
        command = [sys.executable, "-c", FOLLOWER, str(tmp_path / "log"), str(logs / "*.log")]
        follower = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert follower.stdout is not None
        follower.stdout.readline()
        for step in range(30):
            with (logs / "a.log").open("ab") as file:
                file.write(b"".join(b"line %08d with something to make it longer\n" % n for n in range(number, number + 300)))
            number += 300
            if step == 10 * (round_ % 3):
                for old in range(8, 0, -1):
                    if (logs / f"a.log.{old}").exists():
                        (logs / f"a.log.{old}").rename(logs / f"a.log.{old + 1}")
                (logs / "a.log").rename(logs / "a.log.1")
            time.sleep(0.003)
        follower.send_signal(signal.SIGKILL)
        follower.wait()
        follower.stdout.close()
    log = SqliteLog(tmp_path / "log")
    last = File(Config((str(logs / "*.log"),)), log)
    while last.poll():
        pass
    last.close()
    records = [record for batch in log.read(0, 1, 0, 1_000_000) for record in batch.raw.records]
    assert len(records) == len(set(records)) == number
    assert all(line.balances for line in log.ledger())
