"""The supervisor: starts, says so, restarts what dies, stops in order. The children here are tiny programs."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from soc.config import Home
from soc.supervisor import Child, Supervisor

PROGRAM = """
import json, os, signal, sys, time
name, behaviour, folder = sys.argv[1:]
def stop(*_):
    open(folder + "/order", "a").write(name + "\\n"); sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "stubborn" else stop)
if behaviour == "broken": sys.exit(3)
print("noise", flush=True)
print(json.dumps({"ready": name, "addresses": {name: os.environ.get("SOC_ADDRESS", "first")}}), flush=True)
open(folder + "/pids", "a").write(f"{name} {os.getpid()}\\n")
while True: time.sleep(0.05)
"""


def supervisor(tmp_path: Path, said: list[str], **behaviours: str) -> Supervisor:
    program = (sys.executable, "-c", PROGRAM)
    children = [
        Child(name, (name, how, str(tmp_path)), stage, program=program) for stage, (name, how) in enumerate(behaviours.items())
    ]
    return Supervisor(Home(tmp_path), children, [], said.append)


@pytest.fixture
def said() -> list[str]:
    return []


def pids(tmp_path: Path, name: str) -> list[int]:
    file = tmp_path / "pids"
    rows = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return [int(pid) for who, pid in rows if who == name]


def wait_for(condition: object, secs: float = 10) -> None:
    deadline = time.monotonic() + secs
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_it_gives_the_addresses_and_stops_in_order(tmp_path: Path, said: list[str]) -> None:
    one = supervisor(tmp_path, said, collect="good", work="good", web="good")
    assert one.start(threading.Event()) == {"collect": "first", "work": "first", "web": "first"}
    one.stop()
    assert (tmp_path / "order").read_text().split() == ["collect", "work", "web"]


def test_a_child_that_cannot_start_is_an_error_that_names_it(tmp_path: Path, said: list[str]) -> None:
    one = supervisor(tmp_path, said, collect="good", work="broken")
    with pytest.raises(RuntimeError, match="work ended with status 3 before it was ready"):
        one.start(threading.Event())
    one.stop()


def test_a_child_that_dies_is_restarted_where_it_was(tmp_path: Path, said: list[str]) -> None:
    one, stop = supervisor(tmp_path, said, collect="good"), threading.Event()
    one.start(stop)
    one.stay({"SOC_ADDRESS": "second"})
    watcher = threading.Thread(target=one.watch, args=(stop,))
    watcher.start()
    try:
        os.kill(pids(tmp_path, "collect")[0], signal.SIGKILL)
        wait_for(lambda: len(pids(tmp_path, "collect")) == 2 and one.children[0].ready.is_set())
        assert one.children[0].addresses == {"collect": "second"}
        assert "collect ended (signal 9)" in said[0]
    finally:
        stop.set()
        watcher.join()
        one.stop()


def test_a_child_that_will_not_stop_is_killed(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soc.supervisor._STOP_SECS", 0.5)
    one = supervisor(tmp_path, said, work="stubborn")
    one.start(threading.Event())
    one.stop()
    assert one.children[0].process is not None
    assert one.children[0].process.returncode == -signal.SIGKILL
    assert "was killed" in said[0]
