"""A whole SOC of its own, started as an operator would: `soc up --json`, any free ports, a home of its own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_SECS = 90


@dataclass(slots=True)
class Running:
    """What the ready line said, and ways to ask the SOC from outside."""

    home: Path
    process: subprocess.Popen[str]
    pages: str
    listeners: dict[str, str]
    password_file: Path | None
    environment: dict[str, str]

    def soc(self, *arguments: str, check: bool = True) -> str:
        """What a command of this SOC prints."""
        done = subprocess.run(
            [sys.executable, "-m", "soc", *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, f"soc {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def rows(self, *arguments: str) -> list[Any]:
        """The JSON lines that a command prints."""
        return [json.loads(line) for line in self.soc(*arguments, "--json").splitlines()]

    def ledger(self) -> dict[str, Any]:
        (found,) = (json.loads(line) for line in self.soc("ledger", "--json", check=False).splitlines())
        assert isinstance(found, dict)
        return found

    def address(self, name: str) -> tuple[str, int]:
        host, _, port = self.listeners[name].rpartition(":")
        return host.strip("[]"), int(port)

    def settled(self, received: int, secs: float = 60) -> dict[str, Any]:
        """The ledger once so many records were received and none is pending."""
        found: dict[str, Any] = {}

        def done() -> bool:
            nonlocal found
            found = self.ledger()
            return bool(found["total"]["received"] >= received and found["total"]["pending"] == 0)

        wait_for(done, secs, lambda: f"the ledger stands at {found}")
        return found

    def children(self) -> dict[str, int]:
        """Process ids by name, as their heartbeats tell."""
        pids = {}
        for path in (self.home / "run").glob("*.json"):
            state = json.loads(path.read_text())
            pids[str(state["name"])] = int(state["pid"])
        return pids


def wait_for(condition: Callable[[], bool], secs: float = 30, state: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + secs
    while not condition():
        assert time.monotonic() < deadline, f"not within {secs} s. {state()}"
        time.sleep(0.1)


@contextmanager
def running(home: Path, settings: Mapping[str, str] | None = None, stop_secs: float = 10) -> Iterator[Running]:
    """A SOC in this home until the block ends; it must then stop by itself within ten seconds."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOC_") or "TESTS" in name}
    environment |= {
        "SOC_HOME": str(home),
        "SOC_WEB__PORT": "0",
        "SOC_COLLECTORS__HTTP__LISTEN": "127.0.0.1:0",
        "SOC_COLLECTORS__SYSLOG__LISTEN": "udp://127.0.0.1:0,tcp://127.0.0.1:0",
    } | dict(settings or {})
    process = subprocess.Popen([sys.executable, "-m", "soc", "up", "--json"], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], READY_SECS)
        line = process.stdout.readline() if ready else ""
        assert line, f"soc up was not ready after {READY_SECS} s (status {process.poll()})"
        said = json.loads(line)
        first = said.get("first_password_file")
        yield Running(home, process, said["pages"], said["listeners"], Path(first) if first else None, environment)
    finally:
        process.terminate()
        try:
            process.wait(stop_secs)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"soc up did not stop within {stop_secs} s of SIGTERM") from None
