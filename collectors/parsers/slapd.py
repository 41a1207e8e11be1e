"""OpenLDAP's stats log (`loglevel stats`): connections, binds, searches and changes of the directory.

Source: OpenLDAP servers/slapd, Debug(LDAP_DEBUG_STATS, …) in connection.c, bind.c, search.c, result.c. One line knows only its
connection and operation: soc.ldap.connection and soc.ldap.operation tie them together. DNs and filters are the client's own text
and come quoted, with quotes inside escaped by the library.
"""

from __future__ import annotations

import re

from soc.contracts import Fields, RawLine

programs = ("slapd",)
dataset = "slapd"
logsources = {"slapd": ("ldap", "linux", "slapd")}
fields = (
    "event.category", "event.type", "event.action", "event.outcome", "user.name", "source.ip", "source.port", "destination.port",
    "error.code", "event.reason", "soc.ldap.connection", "soc.ldap.operation", "soc.ldap.dn", "soc.ldap.base", "soc.ldap.scope",
    "soc.ldap.filter", "soc.ldap.entries", "soc.ldap.attributes", "soc.ldap.method",
)  # fmt: skip

_LINE = re.compile(
    r"(?:[0-9a-f]{8}(?:\.[0-9a-f]{1,8} 0x[0-9a-f]{1,16})? )?conn=(\d{1,12}) (?:(?:op|fd)=(\d{1,10}) )?"
    r"(SEARCH RESULT|[A-Z]{3,12})\b ?"
).match
_PEER = re.compile(r"from IP=\[?([0-9A-Fa-f:.]{2,45})\]?:(\d{1,5}) \(IP=.{1,64}:(\d{1,5})\)").match
_RESULT = re.compile(
    r"(?:oid=\S{0,128} )?tag=\d{1,5} err=(\d{1,5})(?: (?:[qe]time|duration)=\S{1,24}){0,3}(?: nentries=(\d{1,10}))?"
    r"(?: text=(.{0,1024}))?"
).match
_DN = re.compile(r'(?:dn|anonymous mech)="((?:[^"\\]|\\.){0,4096})"(?: (?:method=(\d{1,3})|mech=(\S{1,32})))?').match
_SEARCH = re.compile(
    r'base="((?:[^"\\]|\\.){0,4096})" scope=(\d)(?: deref=\d)?(?: filter="((?:[^"\\]|\\.){0,8192})")?'
).match
_NAME = re.compile(r"(?:uid|cn|sAMAccountName)=((?:[^,+\\]|\\.){1,256})", re.I).match
_ACTIONS = {
    "ACCEPT": ("ldap_connection", ["network"], ["connection", "start"]), "BIND": ("ldap_bind", ["authentication"], ["start"]),
    "SRCH": ("ldap_search", ["database"], ["access"]), "MOD": ("ldap_modify", ["iam"], ["change"]),
    "ADD": ("ldap_add", ["iam"], ["creation"]), "DEL": ("ldap_delete", ["iam"], ["deletion"]),
    "MODRDN": ("ldap_rename", ["iam"], ["change"]), "CMP": ("ldap_compare", ["database"], ["access"]),
    "PASSMOD": ("ldap_password_change", ["iam"], ["change"]), "UNBIND": ("ldap_unbind", ["authentication"], ["end"]),
    "RESULT": ("ldap_result", ["database"], ["info"]), "SEARCH RESULT": ("ldap_search_result", ["database"], ["info"]),
    "EXT": ("ldap_extended", ["database"], ["access"]),
}  # fmt: skip
_SCOPES = ("base", "one", "sub", "children")


def parse(line: RawLine) -> Fields | None:
    """One stats line.

    event.action: ldap_connection, ldap_bind, ldap_bind_result (outcome; error.code 49 is a wrong password), ldap_search,
    ldap_search_result, ldap_modify, ldap_add, ldap_delete, ldap_rename, ldap_compare, ldap_password_change, ldap_extended,
    ldap_unbind, ldap_result. user.name is the first uid= or cn= of a bind's DN.
    """
    if not (found := _LINE(line.body)):
        return None
    connection, operation, verb = found.groups()
    rest = line.body[found.end() :]
    if verb not in _ACTIONS:
        return None
    action, category, types = _ACTIONS[verb]
    about: Fields = {
        "event.category": list(category),
        "event.type": list(types),
        "event.action": action,
        "soc.ldap.connection": connection,
    }
    if operation and verb != "ACCEPT":
        about["soc.ldap.operation"] = operation
    return about | _details(verb, rest)


def _details(verb: str, rest: str) -> Fields:
    if verb == "ACCEPT" and (found := _PEER(rest)):
        return {"source.ip": found[1], "source.port": int(found[2]), "destination.port": int(found[3])}
    if verb in ("RESULT", "SEARCH RESULT") and (found := _RESULT(rest)):
        return _result(found, rest)
    if verb == "SRCH":
        return _search(rest)
    if verb in ("BIND", "MOD", "ADD", "DEL", "MODRDN", "CMP") and (found := _DN(rest)):
        about: Fields = {"soc.ldap.dn": found[1]}
        if verb == "BIND":
            if name := _NAME(found[1]):
                about["user.name"] = name[1]
            if method := found[2] or found[3]:
                about["soc.ldap.method"] = method
        return about
    return {}


def _result(found: re.Match[str], rest: str) -> Fields:
    code, entries, text = found.groups()
    about: Fields = {"error.code": code, "event.outcome": "success" if code in ("0", "14") else "failure"}
    if "tag=97" in rest[:64]:  # the answer to a bind
        about |= {"event.action": "ldap_bind_result", "event.category": ["authentication"], "event.type": ["end"]}
    if entries:
        about["soc.ldap.entries"] = int(entries)
    if text:
        about["event.reason"] = text
    return about


def _search(rest: str) -> Fields:
    if found := _SEARCH(rest):
        base, scope, filter_ = found.groups()
        about: Fields = {"soc.ldap.base": base, "soc.ldap.scope": _SCOPES[int(scope)] if int(scope) < 4 else scope}
        if filter_:
            about["soc.ldap.filter"] = filter_
        return about
    if rest.startswith("attr="):
        return {"event.action": "ldap_search_attributes", "soc.ldap.attributes": rest[5:2048]}
    return {}
