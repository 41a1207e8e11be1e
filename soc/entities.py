"""Who and what an event is about: the threads by which alerts become one story.

A name that half the machines share (root, SYSTEM) ties nothing together by itself; such an account counts only with its host.
"""

from __future__ import annotations

from soc.model import Entity, EntityKind, Event

_USERS = ("user.name", "user.target.name", "user.effective.name")
_PLAIN: tuple[tuple[str, EntityKind], ...] = (
    ("host.name", "host"),
    ("source.ip", "address"),
    ("client.ip", "address"),
    ("business.module", "system"),
)
_EVERYWHERE = frozenset(
    {
        "",
        "-",
        "root",
        "admin",
        "administrator",
        "system",
        "nt authority\\system",
        "local service",
        "network service",
        "nobody",
        "www-data",
        "nginx",
        "apache",
        "postgres",
        "mysql",
        "daemon",
        "sshd",
        "anonymous",
        "anonymous logon",
        "guest",
        "unknown",
        "?",
    }
)
_NOT_ADDRESSES = frozenset({"", "-", "0.0.0.0", "::"})  # noqa: S104
_LONGEST = 512


def entities_of(event: Event) -> tuple[Entity, ...]:
    """The entities of one event, most telling first, each once; values longer than 512 characters are cut."""
    found: dict[Entity, None] = {}
    host = str(event.get("host.name", ""))
    for field in _USERS:
        for name in _texts(event.get(field)):
            if name.lower() not in _EVERYWHERE:
                found[Entity("user", name[:_LONGEST])] = None
            elif name not in ("", "-") and host:
                found[Entity("account", f"{name}@{host}"[:_LONGEST])] = None
    for field, kind in _PLAIN:
        for name in _texts(event.get(field)):
            if name not in _NOT_ADDRESSES:
                found[Entity(kind, name[:_LONGEST])] = None
    return tuple(found)


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [] if value is None else [str(value)]
