"""PAM modules (pam_unix, pam_sss, pam_faillock …) speaking through any program: sshd, sudo, su, cron, login, systemd.

Dispatched by the beginning of the body (`pam_…(`), whatever the program. Sources: Linux-PAM modules/pam_unix/pam_unix_auth.c
(_unix_verify_password, "authentication failure; logname=…"), pam_unix_sess.c, pam_faillock.c, pam_unix_passwd.c, support.c.
The module writes rhost and user last and unquoted: they are read from the right, and rhost may not hold a blank.
"""

from __future__ import annotations

import re

from soc.contracts import Fields, RawLine

programs = ()
prefix = "pam_"
dataset = "pam"
logsources = {"pam": (None, "linux", "auth")}
fields = (
    "event.category", "event.type", "event.action", "event.outcome", "user.name", "user.id", "user.effective.name", "source.ip",
    "source.domain", "process.tty.name", "soc.pam.module", "soc.pam.service", "soc.pam.count",
)  # fmt: skip

_SPEAKER = re.compile(r"(pam_\w{1,32})\(([\w.@/-]{1,64}):(\w{1,16})\): ").match
_SESSION = re.compile(
    r"session (opened|closed) for user ([^\s(]{1,256})(?:\(uid=(\d{1,10})\))?(?: by (?:([^\s(]{1,256}))?\(uid=\d{1,10}\))?"
).fullmatch
_FAILURE = re.compile(
    r"(?:authentication failure|(\d{1,6}) more authentication failures?); logname=([^\s=]{0,256}) uid=(\d{0,10}) euid=(\d{0,10})"
    r" tty=(\S{0,64}) ruser=(.{0,256}?) rhost=(\S{0,255})(?: {1,2}user=(.{0,256}))?",
    re.S,
).fullmatch
_UNKNOWN = re.compile(r"check pass; user unknown|user unknown").fullmatch
_CHANGED = re.compile(r"password changed for (.{1,256})", re.S).fullmatch
_LOCKED = re.compile(r"Consecutive login failures for user (.{1,256}) account temporarily locked", re.S).fullmatch
_DENIED = re.compile(
    r"account (.{1,256}) has (?:password )?expired.{0,128}|access denied for user `?(.{1,256}?)'?(?: from .{0,256})?", re.S
).fullmatch


def parse(line: RawLine) -> Fields | None:
    """One PAM line.

    event.action: session_opened, session_closed, auth_failure (soc.pam.count when it stands for several), auth_unknown_user,
    password_changed, account_locked, account_denied. user.name is whom it is about, user.effective.name who caused a session.
    """
    if not (speaker := _SPEAKER(line.body)):
        return None
    rest = line.body[speaker.end() :]
    about = _session(rest) or _failure(rest) or _account(rest)
    if about is not None:
        about["soc.pam.module"], about["soc.pam.service"] = speaker[1], speaker[2]
    return about


def _session(rest: str) -> Fields | None:
    if not (found := _SESSION(rest)):
        return None
    what, user, uid, by = found.groups()
    about: Fields = {
        "event.category": ["session"],
        "event.type": ["start"] if what == "opened" else ["end"],
        "event.action": f"session_{what}",
        "event.outcome": "success",
        "user.name": user,
    }
    if uid:
        about["user.id"] = uid
    if by:
        about["user.effective.name"] = by
    return about


def _failure(rest: str) -> Fields | None:
    if _UNKNOWN(rest):
        return _denied("auth_unknown_user")
    if not (found := _FAILURE(rest)):
        return None
    times, logname, _, _, tty, _, rhost, user = found.groups()
    about = _denied("auth_failure")
    if times:
        about["soc.pam.count"] = int(times)
    if name := (user or "").strip() or logname:
        about["user.name"] = name
    if tty:
        about["process.tty.name"] = tty
    if rhost:
        is_address = ":" in rhost or rhost.replace(".", "").isdigit()
        about["source.ip" if is_address else "source.domain"] = rhost
    return about


def _account(rest: str) -> Fields | None:
    if found := _CHANGED(rest):
        return {
            "event.category": ["iam"],
            "event.type": ["user", "change"],
            "event.action": "password_changed",
            "event.outcome": "success",
            "user.name": found[1],
        }
    if found := _LOCKED(rest):
        return _denied("account_locked") | {"user.name": found[1]}
    if found := _DENIED(rest):
        return _denied("account_denied") | {"user.name": found[1] or found[2]}
    return None


def _denied(action: str) -> Fields:
    return {"event.category": ["authentication"], "event.type": ["start"], "event.action": action, "event.outcome": "failure"}
