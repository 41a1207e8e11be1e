"""su: who became whom, and who tried.

util-linux and shadow word it differently, and older ones in a third way; all are read. Sources: util-linux
login-utils/su-common.c log_syslog(); shadow src/su.c; RFC 3164's own example.
"""

from __future__ import annotations

import re

from soc.contracts import Fields, RawLine

programs = ("su", "runuser")
dataset = "su"
logsources = {"su": (None, "linux", "su")}
fields = (
    "event.category", "event.type", "event.action", "event.outcome", "user.name", "user.effective.name", "process.tty.name",
)  # fmt: skip

_UTIL_LINUX = re.compile(r"(FAILED SU )?\(to ([^\s)]{1,256})\) ([^\s]{1,256}) on (\S{1,64})").fullmatch
_SHADOW = re.compile(r"(Successful|FAILED) su for ([^\s]{1,256}) by ([^\s]{1,256})").fullmatch
_SIGNS = re.compile(r"([+-]) (\S{1,64}) ([^\s:]{1,256})[:-]([^\s:]{1,256})").fullmatch
_OLD = re.compile(r"'su ([^\s']{1,256})' (failed|succeeded) for ([^\s]{1,256}) on (\S{1,64})").fullmatch


def parse(line: RawLine) -> Fields | None:
    """One su line. event.action: su; user.name who asked, user.effective.name whom they wanted to be."""
    body = line.body
    if found := _UTIL_LINUX(body):
        failed, target, user, tty = found.groups()
        return _became(user, target, tty, not failed)
    if found := _SHADOW(body):
        return _became(found[3], found[2], "", found[1] == "Successful")
    if found := _SIGNS(body):
        sign, tty, user, target = found.groups()
        return _became(user, target, tty, sign == "+")
    if found := _OLD(body):
        target, result, user, tty = found.groups()
        return _became(user, target, tty, result == "succeeded")
    return None


def _became(user: str, target: str, tty: str, succeeded: bool) -> Fields:
    about: Fields = {
        "event.category": ["authentication"],
        "event.type": ["start"],
        "event.action": "su",
        "event.outcome": "success" if succeeded else "failure",
        "user.name": user,
        "user.effective.name": target,
    }
    if tty:
        about["process.tty.name"] = tty
    return about
