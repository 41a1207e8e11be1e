"""rsyslogd that forwards to us, and into which a test injects lines by UDP, TCP or its own /dev/log."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import answers, free_port, need, running

_GLOBAL = 'global(workDirectory="{folder}" net.enableDNS="off"{certificates})\n'
_INPUTS = """module(load="imudp")
module(load="imptcp")
module(load="imuxsock" SysSock.Use="off")
input(type="imudp" address="127.0.0.1" port="{udp}")
input(type="imptcp" address="127.0.0.1" port="{tcp}")
input(type="imuxsock" Socket="{socket}" CreatePath="on")
"""
_FORWARD = """action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
  template="RSYSLOG_SyslogProtocol23Format" queue.type="linkedList" queue.filename="to-{port}" queue.maxDiskSpace="1g"
  queue.saveOnShutdown="on" action.resumeRetryCount="-1" action.resumeInterval="1"{tls})
"""
_TLS = ' StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="{name}"'


@dataclass(frozen=True, slots=True)
class Trust:
    """What rsyslogd needs to speak TLS with us: whom it trusts, who it is, and our name in our certificate."""

    ca: Path
    certificate: Path
    key: Path
    receiver: str


@dataclass(frozen=True, slots=True)
class Rsyslogd:
    """Where it takes lines."""

    udp: int
    tcp: int
    socket: Path

    def log(self, line: str) -> None:
        """As a program on this machine does through /dev/log: '<38>sshd[7]: Failed password …'."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(line.encode(), str(self.socket))

    def send_udp(self, *lines: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for line in lines:
                out.sendto(line.encode(), ("127.0.0.1", self.udp))

    def send_tcp(self, *lines: str) -> None:
        with socket.create_connection(("127.0.0.1", self.tcp)) as out:
            out.sendall("".join(line + "\n" for line in lines).encode())


@contextmanager
def rsyslogd(folder: Path, tcp: int | None = None, tls: int | None = None, trust: Trust | None = None) -> Iterator[Rsyslogd]:
    """Forwards everything to our ports `tcp` and `tls` (with `trust`), in octet-counted RFC 5424."""
    program = need("rsyslogd", "rsyslog")
    made = Rsyslogd(free_port(socket.SOCK_DGRAM), free_port(), folder / "log.socket")
    certificates = ""
    if trust is not None:
        certificates = (
            f' defaultNetstreamDriverCAFile="{trust.ca}" defaultNetstreamDriverCertFile="{trust.certificate}"'
            f' defaultNetstreamDriverKeyFile="{trust.key}"'
        )
    text = _GLOBAL.format(folder=folder, certificates=certificates)
    text += _INPUTS.format(udp=made.udp, tcp=made.tcp, socket=made.socket)
    if tcp is not None:
        text += _FORWARD.format(port=tcp, tls="")
    if tls is not None:
        assert trust is not None, "TLS needs certificates"
        text += _FORWARD.format(port=tls, tls=_TLS.format(name=trust.receiver))
    (folder / "rsyslog.conf").write_text(text)
    command = [program, "-n", "-iNONE", "-f", str(folder / "rsyslog.conf")]
    with running(command, folder / "rsyslog.out", lambda: answers(made.tcp)() and made.socket.exists()):
        yield made
