"""What a worker finds around the log in Postgres, with no more than its own rights."""

from uuid import uuid4

import pytest

from sinks.pool import Pool
from streams.rule_versions import PostgresVersions
from streams.surroundings import RULE_UNKNOWN, Surroundings
from tests.contract.worlds import PostgresWorld
from tests.doubles.memory_alerts import MemoryAlerts

pytestmark = pytest.mark.anyio


async def test_a_rule_that_is_nowhere_any_more_is_unknown_no_more(
    postgres_world: PostgresWorld, owner: Pool, worker: Pool
) -> None:
    alerts, mentor, unknown = MemoryAlerts(), str(uuid4()), str(uuid4())
    looking = Surroundings(
        worker, postgres_world.sink, PostgresVersions(worker, alerts), alerts, partitions=1
    )
    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            "INSERT INTO peer_mentors (id, organization_id) VALUES ($1, $2)", mentor, unknown
        )
    for subject in (unknown, "no id"):
        await alerts.raise_alert(RULE_UNKNOWN, {"message": "who?"}, subject=subject)

    await looking.look(RULE_UNKNOWN)
    assert list(await alerts.opened(RULE_UNKNOWN)) == [unknown]

    await owner.execute("DELETE FROM peer_mentors WHERE id = $1", mentor)
    await looking.look(RULE_UNKNOWN)
    assert await alerts.opened(RULE_UNKNOWN) == {}
