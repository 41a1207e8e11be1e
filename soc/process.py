"""What every process of the SOC does alike: one of a name, gone when its parent is gone, heard of by the others.

A process publishes a small JSON file under `<home>/run`: who it is, since when, how much memory, what it counted. The health
page and `soc sources` read those files; nobody needs a connection to anybody.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from soc.config import Home
from soc.errors import SocError
from soc.model import now

_PR_SET_PDEATHSIG = 1
_STALE_SECS = 15


class AlreadyRunning(SocError):
    """Another process of this name holds the home."""


@contextmanager
def only_one(home: Home, name: str, wait_secs: float = 0) -> Iterator[None]:
    """Hold `<home>/run/<name>.lock`; a predecessor that is still draining is waited for. Raises AlreadyRunning."""
    path = home.run / f"{name}.lock"
    with path.open("a+") as file:
        deadline = time.monotonic() + wait_secs
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    file.seek(0)
                    raise AlreadyRunning(f"{name} of {home.path} runs already (process {file.read().strip() or '?'})") from None
                time.sleep(0.05)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def die_with_parent() -> None:
    """Ask Linux to end this process (SIGTERM, so that it drains) when its parent is gone, however that went."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == 1:  # the parent was gone before we asked
            os.kill(os.getpid(), signal.SIGTERM)


def stop_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set. Call it in the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def say_ready(name: str, addresses: Mapping[str, str] | None = None) -> None:
    """One JSON line on standard output: the supervisor waits for it."""
    sys.stdout.write(json.dumps({"ready": name, "addresses": dict(addresses or {})}) + "\n")
    sys.stdout.flush()


def resident_bytes(pid: int | str = "self") -> int:
    """Resident memory of a process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


class Heartbeat:
    """Publishes what a process is doing, at most every `every_secs`, by an atomic replacement of its file."""

    def __init__(self, home: Home, name: str, figures: Callable[[], Mapping[str, Any]], every_secs: float = 1.0) -> None:
        self._path, self._name, self._figures, self._every = home.run / f"{name}.json", name, figures, every_secs
        self._started, self._next = now(), 0.0

    def beat(self, force: bool = False) -> None:
        if not force and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every
        state = {"name": self._name, "pid": os.getpid(), "started": self._started, "seen": now(), "rss": resident_bytes()}
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(state | dict(self._figures()), default=str))
        temporary.replace(self._path)

    def gone(self) -> None:
        self._path.unlink(missing_ok=True)


def states(home: Home) -> dict[str, dict[str, Any]]:
    """What the processes of a home last said, by name, with `alive` (heard of within 15 s and still there)."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(home.run.glob("*.json")):
        try:
            state = json.loads(path.read_text())
            alive = now() - int(state["seen"]) < _STALE_SECS * 1_000_000 and Path(f"/proc/{int(state['pid'])}").exists()
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found[path.stem] = state | {"alive": alive}
    return found
