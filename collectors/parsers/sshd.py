"""OpenSSH server: who tried to sign in, how, from where, and whether it worked.

The wording is no stable interface: these are the messages of OpenSSH 7.4–9.9 (auth.c auth_log(), auth2.c, monitor.c, packet.c).
A user name is the attacker's own text and may itself say " from 192.0.2.1 port 22": the address that counts is the last one.
"""

from __future__ import annotations

import re

from soc.contracts import Fields, RawLine

programs = ("sshd", "sshd-session", "sshd-auth")
dataset = "sshd"
logsources = {"sshd": (None, "linux", "sshd")}
fields = (
    "event.category", "event.type", "event.action", "event.outcome", "user.name", "source.ip", "source.port", "soc.ssh.method",
    "soc.ssh.key", "source.domain",
)  # fmt: skip

_PEER = r"([0-9A-Fa-f:.]{2,45})(?:%[\w.-]{1,16})? port (\d{1,5})"
_ATTEMPT = re.compile(
    r"(Accepted|Failed|Postponed|Partial) ([\w/-]{1,40}) for (invalid user )?(.{0,256}) from " + _PEER
    + r"(?: ssh2)?(?:: (.{0,1024}))?(?: \[preauth\])?",
    re.S,
).fullmatch  # fmt: skip
_UNKNOWN_USER = re.compile(r"Invalid user (.{0,256}) from " + _PEER + r"(?: \[preauth\])?", re.S).fullmatch
_TOO_MANY = re.compile(
    r"(?:error: )?maximum authentication attempts exceeded for (?:invalid user )?(.{0,256}) from " + _PEER
    + r"(?: ssh2)?(?: \[preauth\])?",
    re.S,
).fullmatch  # fmt: skip
_LEFT = re.compile(
    r"(?:Connection (?:closed|reset) by|(?:Received disconnect|Disconnected) from|Disconnecting)"
    r"(?: (?:(?:authenticating|invalid) )?user (.{0,256}))? " + _PEER + r"(?::.{0,512})?(?: \[preauth\])?",
    re.S,
).fullmatch  # fmt: skip
_STRANGE = re.compile(
    r"(?:error: )?(?:Did not receive identification string from|Bad protocol version identification .{0,300} from"
    r"|Unable to negotiate with|banner exchange: Connection from|Connection from) " + _PEER + r".{0,512}",
    re.S,
).fullmatch  # fmt: skip
_REFUSED = re.compile(r"User (.{0,256}) from (\S{1,255}) not allowed because .{1,256}", re.S).fullmatch
_OUTCOME = {"Accepted": "success", "Failed": "failure", "Postponed": "unknown", "Partial": "unknown"}


def parse(line: RawLine) -> Fields | None:
    """Sign-in fields of one sshd line.

    event.action: ssh_login (outcome success, failure or unknown), ssh_unknown_user, ssh_too_many_attempts, ssh_refused,
    ssh_disconnect, ssh_probe. source.port is an int, soc.ssh.key the fingerprint of an accepted key.
    """
    body = line.body
    if found := _ATTEMPT(body):
        result, method, _, user, address, port, rest = found.groups()
        signed_in = _about("ssh_login", user, address, port, _OUTCOME[result])
        signed_in["soc.ssh.method"] = method
        if rest and result == "Accepted":
            signed_in["soc.ssh.key"] = rest
        return signed_in
    if found := _UNKNOWN_USER(body):
        return _about("ssh_unknown_user", found[1], found[2], found[3], "failure")
    if found := _LEFT(body):
        return _about("ssh_disconnect", found[1], found[2], found[3])
    if found := _TOO_MANY(body):
        return _about("ssh_too_many_attempts", found[1], found[2], found[3], "failure")
    if found := _STRANGE(body):
        return _about("ssh_probe", None, found[1], found[2])
    if found := _REFUSED(body):
        refused = _about("ssh_refused", found[1], found[2], "", "failure")
        if ":" not in found[2] and not found[2].replace(".", "").isdigit():
            refused["source.domain"] = refused.pop("source.ip")
        return refused
    return None


def _about(action: str, user: str | None, address: str, port: str, outcome: str = "") -> Fields:
    about: Fields = {
        "event.category": ["authentication"],
        "event.type": ["end"] if action == "ssh_disconnect" else ["start"],
        "event.action": action,
        "source.ip": address,
    }
    if port:
        about["source.port"] = int(port)
    if user:
        about["user.name"] = user
    if outcome:
        about["event.outcome"] = outcome
    return about
