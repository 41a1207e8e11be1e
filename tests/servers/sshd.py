"""sshd on loopback with keys of the test's own, and log-ins: one accepted by key, others refused."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import answers, free_port, need, running

_CONFIGURATION = """ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
LogLevel VERBOSE
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
DisableForwarding yes
"""


@dataclass(frozen=True, slots=True)
class Sshd:
    """A running sshd."""

    port: int
    folder: Path
    log: Path
    """What sshd writes with -E: its messages, without time, host and program."""
    user: str

    def log_in(self, user: str | None = None, key: str = "key") -> int:
        """The exit status of `ssh … true`: 0 when let in, 255 when refused."""
        options = [
            "BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes",
            "PreferredAuthentications=publickey", "LogLevel=ERROR",
        ]  # fmt: skip
        command = [need("ssh", "openssh-client"), "-F", "/dev/null", "-p", str(self.port), "-i", str(self.folder / key)]
        for option in options:
            command += ["-o", option]
        command += [f"{user or self.user}@127.0.0.1", "true"]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False).returncode

    def lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Lets this user in with `folder`/key; knows nobody of the key `folder`/stranger."""
    program, keygen = need("sshd", "openssh-server"), need("ssh-keygen", "openssh-client")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host_key", "key", "stranger"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)], check=True)
    (folder / "authorized_keys").write_bytes((folder / "key.pub").read_bytes())
    made = Sshd(free_port(), folder, folder / "sshd.log", getpass.getuser())
    (folder / "sshd_config").write_text(_CONFIGURATION.format(port=made.port, folder=folder))
    command = [program, "-D", "-E", str(made.log), "-f", str(folder / "sshd_config")]
    patience = ["-o", "PerSourcePenalties=no"]  # from OpenSSH 9.8 on; without it refused log-ins are soon not even answered
    if subprocess.run([*command, *patience, "-t"], capture_output=True, check=False).returncode == 0:
        command += patience
    with running(command, folder / "sshd.out", answers(made.port)):
        yield made
