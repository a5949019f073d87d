"""New versions are heard of at once, also after the connection that listens was lost."""

import asyncio

import pytest

from sinks.pool import Pool
from streams.rule_versions import PostgresVersions
from tests.doubles.memory_alerts import MemoryAlerts
from tests.patience import until

pytestmark = pytest.mark.anyio

LISTENING = """
SELECT pid FROM pg_stat_activity
WHERE usename = 'badges_worker' AND datname = current_database() AND query ILIKE 'LISTEN%'
"""


async def test_a_connection_that_listens_and_is_lost_is_followed_by_another(
    owner: Pool, worker: Pool
) -> None:
    following = asyncio.create_task(PostgresVersions(worker, MemoryAlerts()).follow())
    first = await until(lambda: owner.fetchval(LISTENING), "it listens")

    await owner.execute("SELECT pg_terminate_backend($1)", first)
    second = await until(lambda: owner.fetchval(f"{LISTENING} AND pid <> {first}"), "it does again")

    assert second != first
    following.cancel()
    await asyncio.wait([following])
    assert following.cancelled()
