"""Who may do what: permissions are `object:verb`, a role is a named set of them.

| permission | lets a person |
|---|---|
| `overview:read` | see the overview |
| `alerts:read`, `alerts:triage` | see alerts; judge them |
| `incidents:read`, `incidents:write`, `incidents:close` | see incidents; comment, assign, change status; close them |
| `events:read` | hunt in stored events, raw lines included |
| `sources:read`, `sources:replay` | see the ledger, quarantine and processes; send quarantined records through again |
| `sample:write` | load and remove the sample scenario |
| `audit:read` | read the audit chain |

The first account is an administrator. Who reviews the trail is not who leaves it: an auditor reads and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

_READ = frozenset({"overview:read", "alerts:read", "incidents:read", "sources:read"})
_WORK = frozenset({"alerts:triage", "incidents:write", "incidents:close", "events:read"})
_OPERATE = frozenset({"sources:replay", "sample:write"})

ROLES: Mapping[str, frozenset[str]] = {
    "administrator": _READ | _WORK | _OPERATE | {"audit:read"},
    "analyst": _READ | _WORK,
    "auditor": _READ | {"audit:read"},
}
PERMISSIONS: frozenset[str] = frozenset().union(*ROLES.values())


def permissions_of(role: str) -> frozenset[str]:
    """What a role may do; a role that is not known may do nothing."""
    return ROLES.get(role, frozenset())
