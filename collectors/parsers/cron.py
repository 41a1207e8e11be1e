"""cron, anacron and atd: which commands ran by themselves, as whom, and who edited the table.

Sources: Debian cron (Vixie) misc.c log_it(), cronie src/misc.c: `(user) WHAT (detail)`. The detail is the command and comes last.
"""

from __future__ import annotations

import re

from soc.contracts import Fields, RawLine

programs = ("cron", "CRON", "crond", "CROND", "crontab", "anacron", "atd")
dataset = "cron"
logsources = {"cron": (None, "linux", "cron")}
fields = (
    "event.category", "event.type", "event.action", "event.outcome", "user.name", "process.command_line", "file.path",
    "error.message",
)  # fmt: skip

_LINE = re.compile(r"\(([^\s()]{1,256})\) ([A-Z][A-Za-z -]{1,40}) \((.{0,8192})\)", re.S).fullmatch
_ACTIONS = {
    "CMD": ("cron_command", ["process"], ["start"]),
    "CMDEND": ("cron_command_end", ["process"], ["end"]),
    "RELOAD": ("cron_reload", ["configuration"], ["access"]),
    "BEGIN EDIT": ("crontab_edit", ["configuration"], ["change"]),
    "END EDIT": ("crontab_edit_end", ["configuration"], ["change"]),
    "REPLACE": ("crontab_replaced", ["configuration"], ["change"]),
    "DELETE": ("crontab_deleted", ["configuration"], ["deletion"]),
    "LIST": ("crontab_listed", ["configuration"], ["access"]),
    "STARTUP": ("cron_started", ["process"], ["start"]),
    "AUTH": ("cron_denied", ["authentication"], ["denied"]),
}


def parse(line: RawLine) -> Fields | None:
    """One cron line.

    event.action: cron_command, cron_command_end, cron_reload, crontab_edit, crontab_edit_end, crontab_replaced, crontab_deleted,
    crontab_listed, cron_started, cron_denied, cron_error (with error.message).
    """
    if not (found := _LINE(line.body)):
        return None
    user, what, detail = found.groups()
    if what in _ACTIONS:
        action, category, types = _ACTIONS[what]
    elif "ERROR" in what or "error" in what or what in ("WRONG FILE OWNER", "BAD FILE MODE", "ORPHAN"):
        broken = _about("cron_error", ["process"], ["error"], user)
        return broken | {"error.message": f"{what}: {detail}", "event.outcome": "failure"}
    else:
        return None
    about = _about(action, list(category), list(types), user)
    if what in ("CMD", "CMDEND"):
        about["process.command_line"] = detail
    elif what == "RELOAD":
        about["file.path"] = detail
    return about


def _about(action: str, category: list[str], types: list[str], user: str) -> Fields:
    return {"event.category": category, "event.type": types, "event.action": action, "user.name": user}
