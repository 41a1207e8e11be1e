"""useradd, usermod, userdel, passwd, chage, groupadd, gpasswd …: accounts and groups that come, change and go.

Source: shadow-maint/shadow 4.8–4.16, SYSLOG() calls in src/useradd.c, usermod.c, userdel.c, passwd.c, groupadd.c, groupmod.c,
groupdel.c, gpasswd.c, chage.c, chfn.c, newusers.c. A full name (GECOS) never appears in them, a shell or home may.
"""

from __future__ import annotations

import re

from soc.contracts import Fields, RawLine

programs = (
    "useradd", "usermod", "userdel", "adduser", "deluser", "passwd", "chpasswd", "chage", "chsh", "chfn", "groupadd", "groupmod",
    "groupdel", "gpasswd", "newusers", "vipw", "vigr",
)  # fmt: skip
dataset = "accounts"
logsources = {"accounts": (None, "linux", "useradd")}
fields = (
    "event.category", "event.type", "event.action", "event.outcome", "user.target.name", "user.target.id", "group.name",
    "group.id", "user.name", "soc.account.home", "soc.account.shell", "soc.account.change",
)  # fmt: skip

_N = r"'?([^\s',]{1,256})'?"
_NEW_USER = re.compile(
    rf"(failed adding user|new user:)(?: name=)? ?{_N}(?:, UID=(\d{{1,10}}), GID=(\d{{1,10}}), home=([^,]{{0,1024}})"
    r", shell=([^,]{0,1024}))?(?:,.{0,512})?"
).fullmatch
_NEW_GROUP = re.compile(
    rf"(?:new group: name={_N}, GID=(\d{{1,10}})|group added to /etc/group: name={_N}(?:, GID=(\d{{1,10}}))?)"
).fullmatch
_INTO = re.compile(rf"add {_N} to (?:shadow )?group {_N}").fullmatch
_OUT_OF = re.compile(rf"(?:delete|remove) {_N} from (?:shadow )?group {_N}").fullmatch
_DELETE_USER = re.compile(rf"delete user {_N}").fullmatch
_DELETE_GROUP = re.compile(rf"(?:group {_N} removed(?: from .{{0,64}})?|remove(?:d)? (?:shadow )?group {_N}.{{0,128}})").fullmatch
_CHANGE = re.compile(rf"change user {_N} (password|shell|home|UID|GID|expiration|inactive|name)\b.{{0,512}}").fullmatch
_LOCK = re.compile(rf"(lock|unlock) user {_N} password").fullmatch
_PASSWORD = re.compile(rf"password (?:for|of) {_N} (changed|locked|unlocked|deleted|expired) by {_N}").fullmatch
_AGE = re.compile(rf"changed password expiry for {_N}").fullmatch
_GPASSWD = re.compile(rf"user {_N} (added|removed) by {_N} (?:to|from) group {_N}").fullmatch


def parse(line: RawLine) -> Fields | None:
    """One line of the shadow tools.

    event.action: account_created, account_deleted, account_changed (soc.account.change says what), account_locked_by_admin,
    account_unlocked, password_changed_by, group_created, group_deleted, group_member_added, group_member_removed.
    """
    body = line.body
    if len(body) > 4096:
        return None
    return _users(body) or _groups(body)


def _users(body: str) -> Fields | None:
    if found := _NEW_USER(body):
        what, name, uid, gid, home, shell = found.groups()
        made = _about("account_created", ["user", "creation"], name, "failure" if what.startswith("failed") else "success")
        named = {"user.target.id": uid, "group.id": gid, "soc.account.home": home, "soc.account.shell": shell}
        return made | {field: value for field, value in named.items() if value}
    if found := _DELETE_USER(body):
        return _about("account_deleted", ["user", "deletion"], found[1])
    if found := _LOCK(body):
        return _about("account_locked_by_admin" if found[1] == "lock" else "account_unlocked", ["user", "change"], found[2])
    if found := _CHANGE(body):
        return _about("account_changed", ["user", "change"], found[1]) | {"soc.account.change": found[2].lower()}
    if found := _PASSWORD(body):
        changed = _about("password_changed_by", ["user", "change"], found[1])
        return changed | {"user.name": found[3], "soc.account.change": f"password {found[2]}"}
    if found := _AGE(body):
        return _about("account_changed", ["user", "change"], found[1]) | {"soc.account.change": "password expiry"}
    return None


def _groups(body: str) -> Fields | None:
    if found := _NEW_GROUP(body):
        made = _about("group_created", ["group", "creation"]) | {"group.name": found[1] or found[3]}
        return made | ({"group.id": gid} if (gid := found[2] or found[4]) else {})
    if found := _INTO(body):
        return _about("group_member_added", ["group", "change"], found[1]) | {"group.name": found[2]}
    if found := _OUT_OF(body):
        return _about("group_member_removed", ["group", "change"], found[1]) | {"group.name": found[2]}
    if found := _GPASSWD(body):
        action = "group_member_added" if found[2] == "added" else "group_member_removed"
        return _about(action, ["group", "change"], found[1]) | {"user.name": found[3], "group.name": found[4]}
    if found := _DELETE_GROUP(body):
        return _about("group_deleted", ["group", "deletion"]) | {"group.name": found[1] or found[2]}
    return None


def _about(action: str, types: list[str], account: str = "", outcome: str = "success") -> Fields:
    about: Fields = {"event.category": ["iam"], "event.type": types, "event.action": action, "event.outcome": outcome}
    if account:
        about["user.target.name"] = account
    return about
