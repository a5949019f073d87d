"""When Postgres goes on refusing a worker's name or password: waiting does not help, so it ends.

A little patience all the same: `badges migrate` may be about to make the role, and whoever changes
a password changes it in two places, one after the other.
"""

import asyncio
import time
from typing import NoReturn

import asyncpg

from sinks.errors import StoreError
from sinks.failures import translated
from sinks.pool import Pool
from streams.errors import Failure

PATIENCE_S = 30.0
_LOOK_EVERY_S = 5.0
_NO_ENTRY = ("28", "3D000")
"""SQLSTATE of a wrong name or password, a line of pg_hba.conf, and a database that is not there."""


class Lockout:
    """For how long Postgres has refused this process a connection."""

    def __init__(self) -> None:
        self._since: float | None = None

    def connected(self) -> None:
        self._since = None

    def refused(self, error: BaseException | None, now: float) -> None:
        """Note an error at `now` (monotonic seconds). Raises Failure when it lasts."""
        if not _is_lockout(error):
            self._since = None
            return
        self._since = now if self._since is None else self._since
        lasted = now - self._since
        if lasted >= PATIENCE_S:
            raise Failure(
                f"Postgres has refused the worker a connection for {lasted:.0f} s: {error}",
                hint="Check the user, the password and the database in BADGES_DATABASE_URL; "
                "`badges migrate` sets the passwords of the roles",
            )


async def watch(pool: Pool) -> NoReturn:
    """Look every few seconds, for good, if Postgres takes connections. Raises Failure if not."""
    lockout = Lockout()
    while True:
        try:
            with translated():
                await pool.fetchval("SELECT 1", timeout=_LOOK_EVERY_S)
            lockout.connected()
        except StoreError as error:
            lockout.refused(error.__cause__, time.monotonic())
        await asyncio.sleep(_LOOK_EVERY_S)


def _is_lockout(error: BaseException | None) -> bool:
    if not isinstance(error, asyncpg.PostgresError):
        return False
    role = isinstance(error, asyncpg.InsufficientPrivilegeError) and "set role" in str(error)
    return role or (error.sqlstate or "").startswith(_NO_ENTRY)
