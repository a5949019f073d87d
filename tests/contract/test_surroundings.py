"""What a worker finds around the log in Postgres, with no more than its own rights."""

from typing import Final
from uuid import uuid4

import pytest

from sinks.pool import Pool
from streams.rule_versions import PostgresVersions
from streams.surroundings import RULE_UNKNOWN, UNREAD, Surroundings
from tests.builders import generation
from tests.contract.worlds import PostgresWorld
from tests.doubles.memory_alerts import MemoryAlerts

pytestmark = pytest.mark.anyio

KIND: Final = "slot_left_over"


async def test_a_rule_that_is_nowhere_any_more_is_unknown_no_more(
    postgres_world: PostgresWorld, owner: Pool, worker: Pool
) -> None:
    alerts, mentor, unknown = MemoryAlerts(), str(uuid4()), str(uuid4())
    looking = Surroundings(
        worker, postgres_world.sink, PostgresVersions(worker, alerts), alerts, generation()
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


async def test_a_slot_that_nobody_reads_is_told_unless_a_log_is_being_made(
    postgres_world: PostgresWorld, owner: Pool, worker: Pool
) -> None:
    alerts = MemoryAlerts()
    looking = Surroundings(
        worker, postgres_world.sink, PostgresVersions(worker, alerts), alerts, generation(8)
    )
    for number in (7, 8):
        await owner.execute(
            "SELECT pg_create_logical_replication_slot($1, 'pgoutput')",
            f"badges_mentor_log_{number}",
        )
    try:
        async with owner.acquire() as command, command.transaction():
            await command.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('badges provision', 0))"
            )
            for _ in range(UNREAD + 1):
                await looking.look(KIND)
            assert await alerts.opened(KIND) == {}
        for _ in range(UNREAD):
            await looking.look(KIND)
        assert list(await alerts.opened(KIND)) == ["badges_mentor_log_7"]
    finally:
        for number in (7, 8):
            await owner.execute(
                "SELECT pg_drop_replication_slot($1)", f"badges_mentor_log_{number}"
            )
