"""Linux audit records, as audit.log holds them or a dispatcher sends them by syslog; those of one serial are one event.

Sources: linux/audit.h, audit-userspace lib/ and docs, RHEL "Audit record types". Values that hold blanks, quotes or other
characters are written in hex by the kernel, all others in quotes: that is what keeps a user's text from posing as a field.
In a user-space record (USER_LOGIN, USER_CMD …) the text is inside msg='…', again hex where needed; the first of doubled keys
counts.
"""

from __future__ import annotations

import re

from collectors.keyvalue import KeyValue
from soc.contracts import Fields, RawLine

programs = ("auditd", "audispd", "audisp-syslog", "audit", "kernel")
formats = ("audit",)
dataset = "auditd.log"
logsources = {"auditd.log": ("process_creation", "linux", "auditd")}
fields = None
"""Keys that are not named here become auditd.<key>, text."""

_HEAD = re.compile(
    r"(?:node=(\S{1,255}) )?(?:\[[ \d]{1,12}\.\d{1,9}\] )?(?:audit: )?type=([A-Z0-9_]{1,40}|UNKNOWN\[\d{1,6}\]) "
    r"(?:msg=)?audit\((\d{1,12})\.(\d{1,3}):(\d{1,12})\): ?"
).match
_SYSCALL_KEYS = {
    "auid": "auditd.auid", "uid": "user.id", "euid": "user.effective.id", "gid": "user.group.id", "tty": "process.tty.name",
    "comm": "process.name", "exe": "process.executable", "key": "auditd.key", "syscall": "auditd.syscall",
    "success": "auditd.success",
    "ses": "auditd.ses",
}  # fmt: skip
_syscall = KeyValue(_SYSCALL_KEYS, {"pid": "process.pid", "ppid": "process.parent.pid"}, "auditd.")
_PAIR = re.compile(r"""(?<![\w-])([\w-]{1,64})=(?:"([^"]{0,8192})"|'|([^\s'"]{0,16384}))""").findall
_ARGUMENT = re.compile(r'(?<!\S)a(\d{1,5})(?:\[\d{1,3}\])?=(?:"([^"]{0,16384})"|([0-9A-Fa-f]{0,16384}))').findall
_LONGEST = 65_536
_MOST_ARGUMENTS = 512
_HEX = re.compile(r"(?:[0-9A-F]{2})+").fullmatch
_HEXED = frozenset({"proctitle", "cmd", "name", "cwd", "exe", "comm", "data", "key", "acct", "old", "new", "grp", "vm", "unit"})
_TYPES = {"1300": "SYSCALL", "1302": "PATH", "1307": "CWD", "1309": "EXECVE", "1327": "PROCTITLE", "1400": "AVC"}
"""The kernel's own log has numbers for names."""
_SYSCALLS = {
    "c000003e": {
        "0": "read", "1": "write", "2": "open", "41": "socket", "42": "connect", "49": "bind", "56": "clone", "57": "fork",
        "59": "execve",
        "62": "kill", "82": "rename", "83": "mkdir", "84": "rmdir", "85": "creat", "86": "link", "87": "unlink", "88": "symlink",
        "90": "chmod", "91": "fchmod", "92": "chown", "93": "fchown", "94": "lchown", "101": "ptrace", "105": "setuid",
        "106": "setgid",
        "113": "setreuid", "117": "setresuid", "132": "utime", "133": "mknod", "135": "personality", "155": "pivot_root",
        "157": "prctl", "159": "adjtimex", "161": "chroot", "164": "settimeofday", "165": "mount", "166": "umount2",
        "169": "reboot",
        "170": "sethostname", "175": "init_module", "176": "delete_module", "188": "setxattr", "227": "clock_settime",
        "257": "openat",
        "258": "mkdirat", "259": "mknodat", "263": "unlinkat", "264": "renameat", "268": "fchmodat", "310": "process_vm_readv",
        "313": "finit_module", "316": "renameat2", "319": "memfd_create", "321": "bpf", "322": "execveat",
    },
    "c00000b7": {
        "35": "unlinkat", "56": "openat", "52": "fchmod", "53": "fchmodat", "117": "ptrace", "142": "reboot", "146": "setuid",
        "198": "socket", "200": "bind", "203": "connect", "221": "execve", "276": "renameat2", "279": "memfd_create",
        "280": "bpf",
        "105": "init_module", "106": "delete_module", "273": "finit_module", "40": "mount", "92": "personality",
    },
}  # fmt: skip
_CATEGORIES = {
    "USER_LOGIN": ("authentication", "start"), "USER_AUTH": ("authentication", "start"), "USER_ACCT": ("authentication", "start"),
    "USER_START": ("session", "start"), "USER_END": ("session", "end"), "USER_LOGOUT": ("session", "end"),
    "CRED_ACQ": ("authentication", "start"), "CRED_DISP": ("authentication", "end"), "ADD_USER": ("iam", "creation"),
    "DEL_USER": ("iam", "deletion"), "ADD_GROUP": ("iam", "creation"), "DEL_GROUP": ("iam", "deletion"),
    "USER_MGMT": ("iam", "change"), "USER_CHAUTHTOK": ("iam", "change"), "GRP_MGMT": ("iam", "change"),
    "CONFIG_CHANGE": ("configuration", "change"), "USER_CMD": ("process", "start"), "SERVICE_START": ("process", "start"),
    "SERVICE_STOP": ("process", "end"), "DAEMON_END": ("configuration", "change"), "DAEMON_START": ("process", "start"),
}  # fmt: skip


def key(line: RawLine) -> str | None:
    """Which event a record belongs to: node, time and serial; None for what is no audit record."""
    if "audit(" not in line.body[:330] or not (found := _HEAD(line.body)):
        return None
    return f"{found[1] or ''} {found[3]}.{found[4]}:{found[5]}"


def combine(bodies: list[str]) -> Fields | None:
    """The event of records with one serial.

    event.action: audit_exec, audit_syscall (auditd.syscall is the call's name where it is known), else audit_<type>, such as
    audit_user_login or audit_add_user. auditd.type lists the records' types. EXECVE gives process.args, process.command_line and
    auditd.a0 …, SYSCALL's own a0 … stand only where there is none. Hex is decoded.
    """
    about: Fields = {}
    types: list[str] = []
    later: list[tuple[str, str]] = []
    for body in bodies:
        if not (found := _HEAD(body)):
            return None
        node, type_, seconds, fraction, serial = found.groups()
        type_ = _TYPES.get(type_, type_)
        if type_ not in types:
            types.append(type_)
        rest = body[found.end() : _LONGEST]
        if type_ == "SYSCALL":
            about = _of_syscall(rest) | about
        elif type_ not in ("EOE", "BPRM_FCAPS"):
            later.append((type_, rest))
        if node:
            about["host.name"] = node
        about["@timestamp"] = int(seconds) * 1_000_000 + int(fraction.ljust(3, "0")) * 1000
        about["event.sequence"] = int(serial)
    _add(about, later)
    about["auditd.type"] = types
    _name(about, types)
    return about


def _of_syscall(rest: str) -> Fields:
    plain, _, enriched = rest.partition("\x1d")
    about = _syscall.read(plain)
    number, arch = about.get("auditd.syscall"), about.get("auditd.arch")
    about["auditd.syscall"] = _SYSCALLS.get(str(arch), {}).get(str(number), number or "")
    if enriched:
        for name, quoted, bare in _PAIR(enriched):
            if name == "SYSCALL" and bare:
                about["auditd.syscall"] = bare
            elif name in ("UID", "EUID", "AUID") and (value := quoted or bare):
                about[{"UID": "user.name", "EUID": "user.effective.name", "AUID": "auditd.login"}[name]] = value
    for field in ("process.name", "process.executable", "auditd.key"):
        if isinstance(value := about.get(field), str) and f'"{value}"' not in plain:
            about[field] = _unhexed(value)
    if about.get("auditd.key") == "(null)":
        del about["auditd.key"]
    success = about.pop("auditd.success", None)
    if success in ("yes", "no"):
        about["event.outcome"] = "success" if success == "yes" else "failure"
    return about


def _add(about: Fields, records: list[tuple[str, str]]) -> None:
    """What the records beside SYSCALL say, over or beside it."""
    paths: list[tuple[str, str]] = []
    for type_, rest in records:
        if type_ == "EXECVE":
            _arguments(about, rest)
        elif type_ == "PROCTITLE":
            title = _values(rest).get("proctitle", "")
            about["process.title"] = title
            if "process.command_line" not in about and title:
                about.setdefault("process.command_line", title)
        elif type_ == "CWD":
            about["process.working_directory"] = _values(rest).get("cwd", "")
        elif type_ == "PATH":
            values = _values(rest)
            if name := values.get("name"):
                paths.append((name, values.get("nametype", values.get("objtype", ""))))
        else:
            _user_space(about, rest)
    if paths:
        about["file.path"] = next((name for name, kind in paths if kind != "PARENT"), paths[0][0])
        about["auditd.paths"] = [name for name, _ in paths[:64]]


def _arguments(about: Fields, rest: str) -> None:
    """a0="curl" a1=2D6C a2[0]=… a2[1]=…: long arguments come in pieces, and in several records."""
    pieces: dict[int, str] = {}
    for number, quoted, bare in _ARGUMENT(rest):
        place = int(number)
        if place < _MOST_ARGUMENTS:
            pieces[place] = pieces.get(place, "") + (quoted or _unhexed(bare))
    known = about.get("process.args")
    arguments = (list(known) if isinstance(known, list) else []) + [pieces[place] for place in sorted(pieces)]
    about["process.args"] = arguments
    about["process.command_line"] = " ".join(arguments)
    for place in range(4):
        about.pop(f"auditd.a{place}", None)
    for place, argument in enumerate(arguments[:10]):
        about[f"auditd.a{place}"] = argument


def _user_space(about: Fields, rest: str) -> None:
    values = _values(rest)
    named = {
        "acct": "user.name", "exe": "process.executable", "hostname": "source.domain", "addr": "source.ip",
        "terminal": "process.tty.name",
        "uid": "user.id", "comm": "process.name", "cmd": "process.command_line", "cwd": "process.working_directory",
        "unit": "systemd.unit", "name": "file.path", "key": "auditd.key",
    }  # fmt: skip
    for name, value in list(values.items())[:64]:
        field = named.get(name, f"auditd.{name}")
        if value and value not in ("?", "(null)", "(none)"):
            about.setdefault(field, value)
    if (pid := values.get("pid", "")).isdigit() and len(pid) < 12:
        about["process.pid"] = int(pid)
        about.pop("auditd.pid", None)
    result = values.get("res", values.get("result", ""))
    if result in ("success", "failed", "1", "0", "yes", "no"):
        about["event.outcome"] = "success" if result in ("success", "1", "yes") else "failure"


def _values(rest: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, quoted, bare in _PAIR(rest.partition("\x1d")[0]):
        if name != "msg":
            values.setdefault(name, quoted or (_unhexed(bare) if name in _HEXED else bare))
    return values


def _unhexed(text: str) -> str:
    """Text that the kernel wrote in hex because of a blank or quote in it; NULs between arguments become blanks."""
    if not _HEX(text):
        return text
    return bytes.fromhex(text).rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")


def _name(about: Fields, types: list[str]) -> None:
    first = types[0]
    if "EXECVE" in types or about.get("auditd.syscall") in ("execve", "execveat"):
        about["event.action"], about["event.category"], about["event.type"] = "audit_exec", ["process"], ["start"]
    elif "SYSCALL" in types:
        about["event.action"] = "audit_syscall"
        about["event.category"], about["event.type"] = ["file" if "PATH" in types else "process"], ["access"]
    else:
        category, type_ = _CATEGORIES.get(first, ("host", "info"))
        about["event.action"] = f"audit_{first.lower()}"
        about["event.category"], about["event.type"] = [category], [type_]
