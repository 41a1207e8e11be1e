"""Signing in: the one-time password, guesses, and what the audit chain says of them."""

import stat
from pathlib import Path

import pytest

from identity.accounts import FIRST, Accounts, SignInRefused
from soc import audit
from soc.cases import Cases
from soc.errors import Conflict
from tests.identity.conftest import Clock

GOOD = "correct horse battery"


def test_the_first_administrator_has_a_password_that_works_until_it_is_changed(cases: Cases, tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "first-password"
    accounts = Accounts(cases, path)
    assert accounts.bootstrap(path) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    password = path.read_text().strip()
    assert accounts.bootstrap(path) == path, "a second start before the first sign-in still says where it is"
    assert path.read_text().strip() == password
    assert accounts.sign_in(FIRST, password).must_change
    accounts.change_password(FIRST, password, GOOD)
    assert not path.exists()
    assert accounts.bootstrap(path) is None
    assert not accounts.sign_in(FIRST, GOOD).must_change
    with pytest.raises(SignInRefused):
        accounts.sign_in(FIRST, password)


def test_a_password_file_lost_before_use_is_made_again(cases: Cases, tmp_path: Path) -> None:
    path = tmp_path / "first-password"
    accounts = Accounts(cases, path)
    accounts.bootstrap(path)
    old = path.read_text().strip()
    path.unlink()
    assert accounts.bootstrap(path) == path
    assert path.read_text().strip() != old
    assert accounts.sign_in(FIRST, path.read_text().strip()).name == FIRST


def test_guesses_lock_for_longer_and_longer_and_the_right_password_does_not_help_meanwhile(cases: Cases, clock: Clock) -> None:
    accounts = Accounts(cases)
    accounts.add("li.na", "analyst", GOOD)
    for _ in range(4):
        with pytest.raises(SignInRefused, match="sign_in_refused"):
            accounts.sign_in("li.na", "wrong")
    for wait in (30, 60, 120):
        with pytest.raises(SignInRefused, match="sign_in_locked") as refused:
            accounts.sign_in("li.na", "wrong")
        assert refused.value.wait_secs == wait
        with pytest.raises(SignInRefused, match="sign_in_locked"):
            accounts.sign_in("li.na", GOOD)
        clock.pass_secs(wait + 1)
    assert accounts.sign_in("li.na", GOOD).name == "li.na"
    with pytest.raises(SignInRefused, match="sign_in_refused"):
        accounts.sign_in("li.na", "wrong")


def test_an_unknown_name_is_refused_alike_and_not_written_down(cases: Cases) -> None:
    accounts = Accounts(cases)
    with pytest.raises(SignInRefused, match="sign_in_refused"):
        accounts.sign_in("typed-my-password-here", "x")
    (last,) = audit.records(cases.engine, limit=1)
    assert (last.action, last.outcome) == ("session.sign_in", "failure")
    assert "typed-my-password-here" not in last.detail + last.actor + last.object


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short-pass1", "password_length"),
        ("x" * 257, "password_length"),
        ("zhang.wei is me", "password_has_name"),
        ("ZHANG.WEI is me", "password_has_name"),
        ("aaaabbbbcccc", "password_simple"),
        ("old password old", "password_same"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(cases: Cases, password: str, why: str) -> None:
    accounts = Accounts(cases)
    accounts.add("zhang.wei", "analyst", "old password old")
    with pytest.raises(Conflict, match=why):
        accounts.change_password("zhang.wei", "old password old", password)
    assert accounts.sign_in("zhang.wei", "old password old").must_change, "nothing was changed"


@pytest.mark.parametrize(
    ("name", "role"), [("", "analyst"), (" a", "analyst"), ("a\nb", "analyst"), ("a" * 65, "analyst"), ("a", "root")]
)
def test_malformed_accounts_are_refused(cases: Cases, name: str, role: str) -> None:
    with pytest.raises(Conflict):
        Accounts(cases).add(name, role, GOOD)


def test_every_attempt_stands_in_a_chain_that_verifies(cases: Cases) -> None:
    accounts = Accounts(cases)
    accounts.add("li.na", "analyst", GOOD)
    accounts.sign_in("li.na", GOOD, "192.0.2.7")
    with pytest.raises(SignInRefused):
        accounts.sign_in("li.na", "wrong", "192.0.2.8")
    assert [(one.actor, one.action, one.outcome) for one in audit.export(cases.engine)] == [
        ("system", "account.add", "success"),
        ("li.na", "session.sign_in", "success"),
        ("li.na", "session.sign_in", "failure"),
    ]
    assert audit.verify(audit.export(cases.engine))[0] == 3
    assert GOOD not in "".join(one.detail for one in audit.export(cases.engine))
