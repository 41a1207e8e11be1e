"""Synthetic logs to measure with: the syslog mix of a small data centre, and nested ECS events. The same seed, the same bytes.

Mix, by number: sshd 20 %, sudo 6, auditd 10, nginx 24, PostgreSQL 8, FortiGate key=value 20, CEF 5, Chinese business JSON 7;
about 250 bytes a line. People, firms and addresses are invented.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

_BEGIN = datetime(2026, 11, 22, tzinfo=UTC)
_PATHS = ("/api/v1/orders", "/login", "/static/js/app.js", "/search?q=abc", "/admin/config", "/health", "/.env")
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
    "curl/8.9.1",
    "python-requests/2.32.3",
)


class Dice(random.Random):
    """Chance, and the people and machines that turn up by it: a few of them often, most seldom."""

    def host(self) -> str:
        return f"srv-app-{self.randrange(200):03d}"

    def user(self) -> str:
        return f"u{int(self.random() ** 2 * 400):03d}"

    def address(self) -> str:
        number = int(self.random() ** 2 * 10_000)
        return f"10.{number % 7}.{number // 250}.{number % 250 + 1}"

    def port(self) -> int:
        return self.randrange(1024, 65_535)

    def hexadecimal(self, digits: int) -> str:
        return f"{self.getrandbits(4 * digits):0{digits}x}"


Line: TypeAlias = Callable[[Dice, datetime], str]


def _sshd(dice: Dice, _: datetime) -> str:
    user, address, port = dice.user(), dice.address(), dice.port()
    kind = dice.random()
    if kind < 0.45:
        return f"sshd[{port}]: Failed password for {user} from {address} port {port} ssh2"
    if kind < 0.75:
        key = dice.hexadecimal(40)
        return f"sshd[{port}]: Accepted publickey for {user} from {address} port {port} ssh2: ED25519 SHA256:{key}"
    if kind < 0.85:
        return f"sshd[{port}]: Invalid user {user} from {address} port {port}"
    if kind < 0.93:
        return f"sshd[{port}]: pam_unix(sshd:session): session opened for user {user}(uid=1001) by (uid=0)"
    return f"sshd[{port}]: Disconnected from user {user} {address} port {port}"


def _sudo(dice: Dice, _: datetime) -> str:
    command = dice.choice(("systemctl restart nginx", "cat /etc/shadow", "apt update", "vim /etc/hosts"))
    return f"sudo: {dice.user():>8} : TTY=pts/{dice.randrange(9)} ; PWD=/home ; USER=root ; COMMAND=/usr/bin/{command}"


def _audit(dice: Dice, time: datetime) -> str:
    serial = f"{time.timestamp():.3f}:{dice.randrange(10**6)}"
    program = dice.choice(("curl", "bash", "python3", "cat"))
    return (
        f"audisp-syslog: type=SYSCALL msg=audit({serial}): arch=c000003e syscall=59 success=yes exit=0 "
        f"a0=55d{dice.hexadecimal(9)} a1=55d{dice.hexadecimal(9)} a2=0 a3=8 items=2 ppid={dice.port()} pid={dice.port()} "
        f"auid=1001 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses={dice.randrange(900)} "
        f'comm="{program}" exe="/usr/bin/{program}" subj=unconfined key="exec"'
    )


def _nginx(dice: Dice, time: datetime) -> str:
    request = f"{dice.choice(('GET', 'GET', 'POST'))} {dice.choice(_PATHS)}{dice.randrange(9999)} HTTP/1.1"
    status = dice.choice((200, 200, 200, 304, 404, 403, 500))
    return (
        f'nginx: {dice.address()} - - [{time:%d/%b/%Y:%H:%M:%S} +0000] "{request}" {status} {dice.randrange(90_000)} '
        f'"https://shop.example/" "{dice.choice(_AGENTS)}"'
    )


def _postgres(dice: Dice, time: datetime) -> str:
    return (
        f"postgres[{dice.port()}]: {time:%Y-%m-%d %H:%M:%S}.{dice.randrange(1000):03d} UTC [{dice.port()}] {dice.user()}@erp "
        f"LOG:  duration: {dice.random() * 90:.3f} ms  statement: SELECT * FROM t_order WHERE id = {dice.randrange(10**6)} "
        f"AND city = '上海' LIMIT {dice.randrange(500)}"
    )


def _fortigate(dice: Dice, time: datetime) -> str:
    action = dice.choice(("accept", "accept", "close", "deny"))
    return (
        f'date={time:%Y-%m-%d} time={time:%H:%M:%S} devname="fw-dc{dice.randrange(3)}" devid="FGT60{dice.hexadecimal(8)}" '
        f'logid="0000000013" type="traffic" subtype="forward" level="notice" vd="root" srcip={dice.address()} '
        f'srcport={dice.port()} srcintf="port1" dstip={dice.address()} dstport={dice.choice((443, 80, 53, 22, 3389, 445))} '
        f'dstintf="wan1" policyid={dice.randrange(40)} sessionid={dice.randrange(10**9)} proto=6 action="{action}" '
        f'policyname="allow web" service="HTTPS" duration={dice.randrange(900)} sentbyte={dice.randrange(10**6)} '
        f"rcvdbyte={dice.randrange(10**6)} sentpkt={dice.randrange(900)} rcvdpkt={dice.randrange(900)}"
    )


def _cef(dice: Dice, time: datetime) -> str:
    return (
        f"CEF:0|Example|Deep Guard|20.0|{dice.randrange(900)}|Intrusion \\| rule {dice.randrange(99)}|{dice.randrange(10)}|"
        f"src={dice.address()} spt={dice.port()} dst={dice.address()} dpt=443 proto=TCP act=blocked suser={dice.user()} "
        f"cs1Label=Policy cs1=Linux Server msg=Detected a\\=b in path /x{dice.randrange(999)} rt={int(time.timestamp() * 1000)}"
    )


def _business(dice: Dice, time: datetime) -> str:
    deed = {
        "time": time.isoformat(),
        "actor": dice.user(),
        "dept": "财务部",
        "module": "客户信息管理",
        "op": dice.choice(("query", "export", "update", "approve")),
        "object": "客户明细",
        "count": dice.randrange(5000),
        "ip": dice.address(),
        "result": dice.choice(("ok", "ok", "denied")),
        "order": f"DD2026{dice.randrange(10**9):010d}",
        "remark": "按月度对账要求",
    }
    return "erp-audit: " + json.dumps(deed, ensure_ascii=False, separators=(",", ":"))


_KINDS: tuple[tuple[Line, int, int], ...] = (
    (_sshd, 20, 86),
    (_sudo, 6, 85),
    (_audit, 10, 30),
    (_nginx, 24, 190),
    (_postgres, 8, 134),
    (_fortigate, 20, 189),
    (_cef, 5, 12),
    (_business, 7, 134),
)


def lines(count: int, seed: int = 7) -> list[bytes]:
    """RFC 3164 lines of the mix, without their end; 400 to a second of log time."""
    dice, made = Dice(seed), []
    weights = [weight for _, weight, _ in _KINDS]
    for number in range(count):
        time = _BEGIN + timedelta(seconds=number // 400)
        line, _, priority = dice.choices(_KINDS, weights)[0]
        made.append(f"<{priority}>{time:%b %d %H:%M:%S} {dice.host()} {line(dice, time)}".encode())
    return made


def ecs(count: int, seed: int = 7) -> list[bytes]:
    """Nested ECS process events, about 65 leaf fields and 1.9 kB each, without their end."""
    dice = Dice(seed)
    return [
        json.dumps(_ecs(dice, _BEGIN + timedelta(milliseconds=number)), separators=(",", ":")).encode() for number in range(count)
    ]


def _ecs(dice: Dice, time: datetime) -> dict[str, object]:
    user, host, program = dice.user(), dice.host(), dice.choice(("curl", "bash", "python3", "psql"))

    def process(depth: int) -> dict[str, object]:
        about: dict[str, object] = {
            "name": program,
            "pid": dice.port(),
            "entity_id": dice.hexadecimal(24),
            "executable": f"/usr/bin/{program}",
            "command_line": f"{program} --config /etc/{program}.conf --id {dice.hexadecimal(16)} --output /var/tmp/out",
            "args": [program, "--config", f"/etc/{program}.conf"],
            "working_directory": f"/home/{user}",
            "start": time.isoformat(),
            "hash": {"sha256": dice.hexadecimal(64), "md5": dice.hexadecimal(32)},
            "user": {"id": "1001", "name": user},
        }
        return about | ({"parent": process(depth - 1)} if depth else {})

    return {
        "@timestamp": time.isoformat(),
        "ecs": {"version": "9.4.0"},
        "event": {
            "kind": "event",
            "category": ["process"],
            "type": ["start"],
            "action": "exec",
            "module": "endpoint",
            "dataset": "endpoint.events.process",
            "outcome": "success",
            "sequence": dice.randrange(10**9),
            "created": time.isoformat(),
        },
        "host": {
            "name": host,
            "hostname": host,
            "id": dice.hexadecimal(32),
            "ip": [dice.address()],
            "os": {"family": "debian", "name": "Debian GNU/Linux", "version": "12", "kernel": "6.1.0-18-amd64", "type": "linux"},
        },
        "agent": {"id": dice.hexadecimal(32), "type": "endpoint", "version": "9.4.0", "name": host},
        "user": {"id": "1001", "name": user, "domain": "example", "group": {"id": "1001", "name": user}},
        "source": {"ip": dice.address(), "port": dice.port()},
        "destination": {"ip": dice.address(), "port": 443},
        "network": {"transport": "tcp", "type": "ipv4", "direction": "egress"},
        "process": process(1),
        "message": f"process {program} started by {user} on {host}",
    }
