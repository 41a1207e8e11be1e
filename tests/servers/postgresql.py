"""PostgreSQL with a data folder of its own, which writes jsonlog and csvlog: real database logs to read."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import free_port, need, running

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # safe against a killed process, and recovery takes no seconds
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql.log",
    "log_destination": "jsonlog,csvlog",
    "log_statement": "all",
    "log_connections": "on",
}


@dataclass(frozen=True, slots=True)
class Postgresql:
    """A running server; user postgres needs no password on its socket."""

    port: int
    folder: Path

    @property
    def jsonlog(self) -> Path:
        return self.folder / "data/log/postgresql.json"

    @property
    def csvlog(self) -> Path:
        return self.folder / "data/log/postgresql.csv"

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@/postgres?host={self.folder}&port={self.port}"

    def run(self, sql: str) -> subprocess.CompletedProcess[str]:
        """One statement through psql; a refused one has a return code and stderr."""
        command = [_program("psql"), "-X", "-A", "-t", "-h", str(self.folder), "-p", str(self.port), "-U", "postgres", "-c", sql]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _program(name: str) -> str:
    """Debian keeps the server's programs beside the path, by version: the newest."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda one: float(one.parts[-3]))
    return need(str(installed[-1]) if installed else name, "postgresql")


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return [need("setpriv", "util-linux"), "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]


@contextmanager
def postgresql() -> Iterator[Postgresql]:
    """In a folder of its own below /tmp: the server's user cannot enter a test's, and a socket's path is short."""
    initdb, server, ready = _program("initdb"), _program("postgres"), _program("pg_isready")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        folder.chmod(0o755)
        made = Postgresql(free_port(), folder)
        options = ["-U", "postgres", "--auth=trust", "--locale=C.UTF-8", "--no-sync"]
        made_by = [*_as_postgres(), initdb, "-D", str(folder / "data"), *options]
        subprocess.run(made_by, check=True, capture_output=True, cwd=folder)
        command = [*_as_postgres(), server, "-D", str(folder / "data"), "-p", str(made.port), "-k", str(folder)]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        asked = [ready, "-q", "-h", str(folder), "-p", str(made.port)]
        with running(command, folder / "postgres.out", lambda: subprocess.run(asked, check=False).returncode == 0):
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
