import asyncio
import sys
from pathlib import Path

import pytest

from collectors.journald import Config, Journald
from tests.collectors.worlds import MemoryLog, until

# Prints what a journal of 5,000 entries holds behind the cursor, 1,000 at a time, and dies: as journalctl does when it is killed.
JOURNAL = """
import sys
after = [int(a.split("c")[-1]) for a in sys.argv if a.startswith("--after-cursor=")]
start = after[0] + 1 if after else 0
for n in range(start, min(start + 1000, 5000)):
    print('{"__CURSOR":"c%d","MESSAGE":"entry %d"}' % (n, n))
print("not JSON, and cut", end="", flush=True)
"""


@pytest.fixture
def journal(tmp_path: Path) -> tuple[str, ...]:
    script = tmp_path / "journal.py"
    script.write_text(JOURNAL)
    return (sys.executable, str(script))


def test_it_goes_on_behind_the_cursor_whenever_journalctl_dies(journal: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.journald._RETRY_SECS", 0.01)

    async def run(log: MemoryLog) -> None:
        for entries in (2_000, 5_000):  # ... and when we die
            collector = Journald(Config(True, command=journal), log)
            assert await collector.start() == {}
            await until(lambda entries=entries: len(log.records) >= entries)  # type: ignore[misc]
            await collector.stop()

    log = MemoryLog()
    asyncio.run(run(log))
    assert log.records == [b'{"__CURSOR":"c%d","MESSAGE":"entry %d"}' % (n, n) for n in range(5_000)]
    assert {(batch.source, batch.format) for batch in log.batches} == {("journald", "json")}


def test_a_full_log_makes_it_wait(journal: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.journald._RETRY_SECS", 0.01)

    async def run(log: MemoryLog) -> None:
        log.pressed = log.full = True
        collector = Journald(Config(True, command=journal), log)
        await collector.start()
        await asyncio.sleep(0.2)
        assert log.records == []
        log.pressed = False
        await asyncio.sleep(0.05)
        log.full = False
        await until(lambda: len(log.records) == 5_000)
        await collector.stop()

    asyncio.run(run(MemoryLog()))


@pytest.mark.parametrize(
    ("since", "units", "cursor", "said"),
    [
        ("now", (), "", ["--lines=0"]),
        ("boot", (), "", ["--no-tail", "--boot"]),
        ("2026-11-24", ("ssh.service",), "", ["--unit=ssh.service", "--no-tail", "--since=2026-11-24"]),
        ("now", (), "s=1", ["--no-tail", "--after-cursor=s=1"]),  # once begun, the cursor decides
    ],
)
def test_the_command_line(since: str, units: tuple[str, ...], cursor: str, said: list[str]) -> None:
    log = MemoryLog()
    log.positions = {"journald": cursor} if cursor else {}
    found = Journald(Config(True, units, since), log).arguments()
    assert found == ["journalctl", "-o", "json", "--follow", "--no-pager", *said]


def test_a_machine_without_journalctl_says_so() -> None:
    async def run(log: MemoryLog) -> None:
        collector = Journald(Config(True, command=("/nowhere/journalctl",)), log)
        await collector.start()
        await until(lambda: bool(log.losses))
        await collector.stop()

    log = MemoryLog()
    asyncio.run(run(log))
    assert log.losses == {("journald", "/nowhere/journalctl cannot be started: No such file or directory"): 0}


def test_it_is_off_unless_asked_for() -> None:
    assert not Config().is_on
