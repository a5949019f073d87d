"""Waits and clients for a busy machine: they take as long as it takes.

People wait for locks, and idle in transactions, as a worker may not.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

from sinks.polling import poll
from sinks.pool import SERVER_SETTINGS, Pool, create_pool
from streams.log.cluster import Cluster
from streams.log.kafka import KafkaAccess
from tests.stack import LIMIT_S, Stack

_NO_LIMITS = {"lock_timeout": "0", "idle_in_transaction_session_timeout": "0"}


async def until(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Look until something is found, and return that; fail when that takes too long."""
    try:
        return await poll(look, within=LIMIT_S, every=0.01)
    except TimeoutError:
        raise AssertionError(f"not within {LIMIT_S:g} s: {what}") from None


async def patient_pool(
    url: str, *, application_name: str, role: str | None = None, max_size: int = 8
) -> Pool:
    """As `sinks.pool.create_pool`, without its limits."""
    with patch.dict(SERVER_SETTINGS, _NO_LIMITS):
        return await create_pool(
            url,
            application_name=application_name,
            role=role,
            max_size=max_size,
            connect_timeout=LIMIT_S,
            command_timeout=LIMIT_S,
        )


class LastingPool:
    """Connections for a whole run, in which tests may stop Postgres.

    A loop that stands still between its tests hears of that too late: the pool would give away a
    connection that is lost, and what is asked over it would fail.
    """

    def __init__(self, pool: Pool, postgres: Stack) -> None:
        self._pool, self._postgres = pool, postgres
        self._seen = postgres.interruptions

    async def alive(self) -> Pool:
        """The pool, without connections of before Postgres was stopped."""
        if self._seen != self._postgres.interruptions:
            self._seen = self._postgres.interruptions
            await self._pool.expire_connections()
        return self._pool


def patient_cluster(access: KafkaAccess) -> Cluster:
    """As `streams.log.cluster.Cluster`; who waits for something asks some times within LIMIT_S."""
    return Cluster(access, patience=LIMIT_S / 3)
