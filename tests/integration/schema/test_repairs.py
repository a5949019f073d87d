"""What a repair holds while it looks once more and writes, so that nobody's act is written over."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from badges.queries.audit.findings import Finding
from badges.upkeep import repairing
from sinks import repairs
from sinks.pool import Connection
from streams.errors import Failure
from tests.integration.schema.people import People, settle
from tests.integration.schema.test_pruning import GENERATION

pytestmark = pytest.mark.anyio

REVOKE = "UPDATE badge_awards SET revoked_at = now() WHERE peer_mentor_id = $1"


@pytest.fixture
async def admin(url: str) -> AsyncIterator[Connection]:
    """Another session, which waits for no lock for long."""
    connection = await asyncpg.connect(url)
    await connection.execute("SET lock_timeout = '200ms'")
    yield connection
    await connection.close()


async def begin(db: Connection, *partitions: int) -> People:
    """A live log with the positions of these partitions, and a mentor with an award."""
    people = await settle(db)
    await db.execute(GENERATION, 1, "live", False)
    await db.executemany(
        "INSERT INTO badge_log_positions (log_id, partition, next_offset, turn) "
        "VALUES ('log-1', $1, 7, 7)",
        [(each,) for each in partitions],
    )
    await db.execute(
        "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at) "
        "VALUES ($1, $2, $3)",
        people.mentor,
        people.definition,
        datetime(2026, 3, 1, tzinfo=UTC),
    )
    return people


async def test_nobody_takes_an_award_away_that_is_being_repaired(
    db: Connection, admin: Connection
) -> None:
    """Else a revocation that comes after the look would be undone by what is written."""
    people = await begin(db, 0)
    async with db.transaction():
        assert await repairs.hold(db, "log-1", 0, [people.mentor], [people.definition])
        with pytest.raises(asyncpg.LockNotAvailableError):
            await admin.execute(REVOKE, people.mentor)
    await admin.execute(REVOKE, people.mentor)


async def test_nothing_is_repaired_without_the_lock_of_a_position(db: Connection) -> None:
    """Another generation of the log may have gone live since the log was looked up."""
    people = await begin(db)
    expected = {"activity_count": 3}
    finding = Finding("stats", people.mentor, None, expected, None, "the mentor has no statistics")
    with pytest.raises(Failure, match="replaced meanwhile"):
        await repairing.repair(db, [finding], 1, None)
    assert await db.fetch("SELECT FROM peer_mentor_stats") == []
