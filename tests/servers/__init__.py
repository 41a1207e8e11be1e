"""Real servers for tests: found or skipped, started below a folder of the test's own, on loopback, and stopped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRED = "SOC_TESTS_REQUIRE_SERVERS"
"""Set in CI: a server that is absent fails the test instead of skipping it."""
_PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def need(program: str, package: str) -> str:
    """The path of a program, absolute or looked up; skips the test when it is absent and says what to install."""
    found = shutil.which(program, path=_PATH)
    if found is not None:
        return found
    reason = f"needs {program}: install the Debian package {package} (`make services`)"
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port nobody has at this moment; for servers that cannot take port 0."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(port: int) -> Callable[[], bool]:
    """Whether somebody accepts connections there."""

    def asked() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    return asked


def wait_for(condition: Callable[[], bool], secs: float = 30, what: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + secs
    while not condition():
        assert time.monotonic() < deadline, f"not within {secs} s: {what()}"
        time.sleep(0.02)


@contextmanager
def running(command: Sequence[str], output: Path, is_ready: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    """A server in the foreground; what it writes goes to `output`. Its own process: `kill()` is a real crash."""
    with output.open("ab") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        wait_for(lambda: process.poll() is not None or is_ready(), what=lambda: output.read_text(errors="replace")[-2000:])
        assert process.poll() is None, f"{command[0]} ended: {output.read_text(errors='replace')[-2000:]}"
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
