"""When a worker stops waiting for Postgres to let it in."""

import asyncpg
import pytest

from badges.lockout import PATIENCE_S, Lockout
from streams.errors import Failure

WRONG = asyncpg.InvalidPasswordError('password authentication failed for user "badges_worker"')


def test_a_wrong_password_ends_it_after_a_while() -> None:
    lockout = Lockout()
    lockout.refused(WRONG, 100)
    lockout.refused(WRONG, 100 + PATIENCE_S - 1)

    with pytest.raises(Failure, match=r"for 30 s: password authentication failed") as raised:
        lockout.refused(WRONG, 100 + PATIENCE_S)
    assert raised.value.code == 2
    assert raised.value.hint is not None
    assert "BADGES_DATABASE_URL" in raised.value.hint


def test_whoever_is_let_in_meanwhile_is_not_locked_out() -> None:
    lockout = Lockout()
    lockout.refused(WRONG, 0)
    lockout.connected()
    lockout.refused(WRONG, PATIENCE_S)
    lockout.refused(WRONG, 2 * PATIENCE_S - 1)


def test_an_outage_in_between_begins_the_time_anew() -> None:
    lockout = Lockout()
    lockout.refused(WRONG, 0)
    lockout.refused(ConnectionRefusedError(), 1)
    lockout.refused(WRONG, PATIENCE_S)


@pytest.mark.parametrize(
    "error",
    [
        None,
        ConnectionRefusedError(),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.UndefinedTableError('relation "badge_logs" does not exist'),
        asyncpg.InsufficientPrivilegeError("permission denied for table badge_logs"),
    ],
)
def test_what_may_end_by_itself_is_waited_for(error: Exception | None) -> None:
    lockout = Lockout()

    for now in range(0, 1000, 10):
        lockout.refused(error, now)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidAuthorizationSpecificationError("no pg_hba.conf entry for host"),
        asyncpg.InvalidCatalogNameError('database "x" does not exist'),
        asyncpg.InsufficientPrivilegeError('permission denied to set role "badges_worker"'),
    ],
)
def test_other_ways_to_be_locked_out(error: Exception) -> None:
    lockout = Lockout()
    lockout.refused(error, 0)

    with pytest.raises(Failure):
        lockout.refused(error, PATIENCE_S)
