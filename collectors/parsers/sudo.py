"""sudo: who ran what as whom, and who was refused.

Source: sudo logging.c, new_logline(), 1.8–1.9. The fields come in a fixed order and the command is last, so that nothing in a
command can pose as another field. A working directory is the caller's own text too: it ends where the last known field begins.
"""

from __future__ import annotations

import re

from soc.contracts import Fields, RawLine

programs = ("sudo",)
dataset = "sudo"
logsources = {"sudo": (None, "linux", "sudo")}
fields = (
    "event.category", "event.type", "event.action", "event.outcome", "event.reason", "user.name", "user.effective.name",
    "user.effective.group.name", "process.tty.name", "process.working_directory", "process.command_line", "process.executable",
)  # fmt: skip

_WHO = re.compile(r" {0,64}([^\s:]{1,256}) : ").match
_FIELD = re.compile(r"(HOST|TTY|CHROOT|PWD|USER|GROUP|TSID|ENV|COMMAND)=").match
_NAMES = {
    "TTY": "process.tty.name",
    "PWD": "process.working_directory",
    "USER": "user.effective.name",
    "GROUP": "user.effective.group.name",
}
_ORDER = {name: place for place, name in enumerate(("HOST", "TTY", "CHROOT", "PWD", "USER", "GROUP", "TSID", "ENV", "COMMAND"))}
_USUAL = re.compile(
    r" {0,64}([^\s:]{1,256}) : TTY=([^\s;]{1,64}) ; PWD=([^;]{1,4096}) ; USER=([^\s;]{1,256}) ; COMMAND=(.{1,16384})", re.S
).fullmatch


def parse(line: RawLine) -> Fields | None:
    """One sudo line that names a command. event.action: sudo; outcome failure with event.reason when it was refused."""
    if found := _USUAL(line.body):
        user, tty, directory, effective, command = found.groups()
        return _ran(user, command, "success") | {
            "process.tty.name": tty,
            "process.working_directory": directory,
            "user.effective.name": effective,
        }
    return _unusual(line.body[:32768])


def _unusual(body: str) -> Fields | None:
    """Refusals, groups, environments, directories with a semicolon: field by field, in sudo's own order."""
    if not (found := _WHO(body)):
        return None
    head, mark, command = body[found.end() :].partition("COMMAND=")
    if not mark:
        return None
    seen: dict[str, str] = {}
    reason: list[str] = []
    last = ""
    for part in head.split(" ; "):
        name = part.partition("=")[0]
        if _FIELD(part) and _ORDER[name] > _ORDER.get(last, -1):
            seen[name], last = part[len(name) + 1 :], name
        elif last:
            seen[last] += " ; " + part  # its value held a separator
        elif part:
            reason.append(part)
    if "USER" not in seen:
        return None
    fields_ = _ran(found[1], command, "failure" if reason else "success")
    for name, value in seen.items():
        if (field := _NAMES.get(name)) and value:
            fields_[field] = value.removesuffix(" ; ")
    if reason:
        fields_["event.reason"] = " ; ".join(reason)
    return fields_


def _ran(user: str, command: str, outcome: str) -> Fields:
    return {
        "event.category": ["process"],
        "event.type": ["start"],
        "event.action": "sudo",
        "event.outcome": outcome,
        "user.name": user,
        "process.command_line": command,
        "process.executable": command.partition(" ")[0],
    }
