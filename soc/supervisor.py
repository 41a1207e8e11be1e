"""`soc up`: starts the processes of one machine, restarts what dies and says so, stops them in order.

Order matters at the end: collectors first (nothing new comes in), then workers (what they hold becomes durable), then the
pages. What is still in the event log then is taken up by the next start; that is what the log is for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from soc.config import Home

_READY_SECS = 60
_STOP_SECS = 8
_BACKOFF_SECS = (0.2, 1.0, 3.0, 10.0, 30.0)
_STEADY_SECS = 60  # a process that ran this long starts its backoff afresh


@dataclass(slots=True)
class Child:
    """One supervised process."""

    name: str
    arguments: Sequence[str]
    stage: int
    """Stopped in ascending order."""
    process: subprocess.Popen[str] | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    ready: threading.Event = field(default_factory=threading.Event)
    started: float = 0.0
    restarts: int = 0
    again_at: float = 0.0
    program: tuple[str, ...] = (sys.executable, "-m", "soc")

    def launch(self, environment: Mapping[str, str]) -> None:
        self.ready.clear()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*self.program, *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(environment),
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and "ready" in said:
                self.addresses = dict(said.get("addresses", {}))
                self.ready.set()


@dataclass(slots=True)
class Job:
    """Work that a short-lived process does now and then, so that its memory goes back afterwards."""

    name: str
    every_secs: float
    due: float
    process: subprocess.Popen[bytes] | None = None


class Supervisor:
    """Keeps the children of one home running until it is told to stop."""

    def __init__(self, home: Home, children: Sequence[Child], jobs: Sequence[Job], say: Callable[[str], None]) -> None:
        self._home, self.children, self._jobs, self._say = home, list(children), list(jobs), say
        self._environment = dict(os.environ) | {"SOC_HOME": str(home.path)}

    def start(self, stop: threading.Event) -> dict[str, str]:
        """Start everything; the addresses bound, by name. Raises RuntimeError for a child that does not come up."""
        for child in self.children:
            child.launch(self._environment)
        deadline = time.monotonic() + _READY_SECS
        for child in self.children:
            while not child.ready.wait(0.05):
                assert child.process is not None
                if stop.is_set():
                    return {}
                if (code := child.process.poll()) is not None:
                    raise RuntimeError(f"{child.name} ended with status {code} before it was ready; its reason is above")
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{child.name} was not ready after {_READY_SECS} s")
        return {name: address for child in self.children for name, address in child.addresses.items()}

    def stay(self, fixed: Mapping[str, str]) -> None:
        """Settings for every process that is started from now on: a restarted listener must be found where it was."""
        self._environment |= fixed

    def watch(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Restart what dies, run jobs when they are due, until told to stop."""
        while not stop.wait(0.2):
            beat()
            for child in self.children:
                self._look_after(child)
            for job in self._jobs:
                self._run_if_due(job)

    def _look_after(self, child: Child) -> None:
        assert child.process is not None
        code = child.process.poll()
        if code is None:
            return
        moment = time.monotonic()
        if not child.again_at:
            if moment - child.started > _STEADY_SECS:
                child.restarts = 0
            wait = _BACKOFF_SECS[min(child.restarts, len(_BACKOFF_SECS) - 1)]
            child.restarts += 1
            child.again_at = moment + wait
            self._say(f"{child.name} ended ({_how(code)}); starting it again in {wait:g} s (restart {child.restarts})")
        if moment >= child.again_at:
            child.again_at = 0.0
            child.launch(self._environment)

    def _run_if_due(self, job: Job) -> None:
        if job.process is not None:
            if job.process.poll() is None:
                return
            if job.process.returncode:
                self._say(f"job {job.name} ended with status {job.process.returncode}")
            job.process = None
        if time.monotonic() >= job.due:
            job.due = time.monotonic() + job.every_secs
            job.process = subprocess.Popen(
                [sys.executable, "-m", "soc", "run", "job", job.name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=self._environment,
            )

    def stop(self) -> None:
        """Stop stage by stage within 10 s in all; what does not go is killed (and loses nothing that was acknowledged)."""
        deadline = time.monotonic() + _STOP_SECS
        for job in self._jobs:
            if job.process is not None and job.process.poll() is None:
                job.process.terminate()
        for stage in sorted({child.stage for child in self.children}):
            part = [child for child in self.children if child.stage == stage]
            for child in part:
                if child.process is not None and child.process.poll() is None:
                    child.process.terminate()
            for child in part:
                self._reap(child, deadline)

    def _reap(self, child: Child, deadline: float) -> None:
        if child.process is None:
            return
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._say(f"{child.name} did not stop in time and was killed; it goes on where it was at the next start")
            child.process.kill()
            child.process.wait()

    def figures(self) -> dict[str, Any]:
        """For the supervisor's own heartbeat."""
        return {"children": {child.name: {"restarts": child.restarts} for child in self.children}}


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"status {code}"
