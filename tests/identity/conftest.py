"""A case database of its own for every test, and a clock that tests move."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from identity import accounts, sessions
from soc.cases import Cases


class Clock:
    def __init__(self) -> None:
        self.micros = 1_795_000_000_000_000

    def __call__(self) -> int:
        return self.micros

    def pass_secs(self, secs: float) -> None:
        self.micros += int(secs * 1_000_000)


@pytest.fixture
def cases(tmp_path: Path) -> Iterator[Cases]:
    opened = Cases.at(tmp_path / "cases")
    yield opened
    opened.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(accounts, "now", clock)
    monkeypatch.setattr(sessions, "now", clock)
    return clock
