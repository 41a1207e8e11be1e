"""Sessions end: by idling, by age, by signing out, by revocation."""

import pytest
from sqlalchemy import select, update

from identity.accounts import Accounts
from identity.sessions import Sessions
from identity.tables import account, session
from soc.cases import Cases
from tests.identity.conftest import Clock

GOOD = "correct horse battery"


@pytest.fixture
def sessions(cases: Cases, clock: Clock) -> Sessions:
    accounts = Accounts(cases)
    accounts.add("li.na", "analyst", GOOD, must_change=False)
    accounts.add("new", "administrator", GOOD, must_change=True)
    return Sessions(cases, accounts, idle_minutes=30, hours=12)


def test_a_session_says_who_and_what_they_may(sessions: Sessions) -> None:
    person = sessions.find(sessions.open("li.na", "192.0.2.7"))
    assert person is not None
    assert (person.name, person.role, person.address) == ("li.na", "analyst", "192.0.2.7")
    assert person.may("incidents:write")
    assert not person.may("sample:write")


def test_a_one_time_password_opens_nothing(sessions: Sessions) -> None:
    person = sessions.find(sessions.open("new", ""))
    assert person is not None
    assert person.must_change
    assert person.permissions == frozenset()


@pytest.mark.parametrize(
    ("steps_minutes", "active", "alive"),
    [
        ((29,), True, True),
        ((31,), True, False),
        ((20, 20), True, True),
        ((20, 20), False, False),  # what a page asks by itself keeps nobody signed in
        (tuple([20] * 35), True, True),
        (tuple([20] * 37), True, False),  # 12 hours are over however busy somebody is
    ],
)
def test_timeouts(sessions: Sessions, clock: Clock, steps_minutes: tuple[int, ...], active: bool, alive: bool) -> None:
    token = sessions.open("li.na", "")
    for minutes in steps_minutes:
        clock.pass_secs(minutes * 60)
        found = sessions.find(token, active=active)
    assert (found is not None) is alive


def test_sessions_end_by_signing_out_by_revocation_and_with_the_account(sessions: Sessions, cases: Cases) -> None:
    first, second, third = (sessions.open("li.na", "") for _ in range(3))
    sessions.close(first)
    assert sessions.find(first) is None
    assert sessions.find(second) is not None
    assert sessions.revoke("li.na") == 2
    assert sessions.find(third) is None
    last = sessions.open("li.na", "")
    with cases.writing() as connection:
        connection.execute(update(account).values(disabled=True))
    assert sessions.find(last) is None


@pytest.mark.parametrize("token", ["", "x", "\ud800", "'; drop table session;--"])
def test_a_token_that_is_none_finds_nobody(sessions: Sessions, token: str) -> None:
    assert sessions.find(token) is None


def test_the_token_itself_is_not_kept(sessions: Sessions, cases: Cases) -> None:
    token = sessions.open("li.na", "")
    with cases.engine.connect() as connection:
        assert token not in str(connection.execute(select(session)).all())
