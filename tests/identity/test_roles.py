"""The table of roles: documented, and no role more than it says."""

import pytest

from identity import roles
from identity.roles import PERMISSIONS, ROLES, permissions_of


def test_every_permission_is_documented() -> None:
    assert [one for one in PERMISSIONS if f"`{one}`" not in (roles.__doc__ or "")] == []


@pytest.mark.parametrize("permission", sorted(PERMISSIONS))
def test_an_auditor_only_reads(permission: str) -> None:
    assert permission.endswith(":read") or permission not in ROLES["auditor"]


def test_an_unknown_role_may_nothing() -> None:
    assert permissions_of("root") == frozenset()
