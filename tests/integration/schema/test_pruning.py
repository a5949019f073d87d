"""What may go, and what must not, by what the tables say; several who remove it share the work."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest

from sinks import pruning
from sinks.pool import Connection
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio

POSITIONS = 40
"""Rule positions of each generation."""

GENERATION = """
INSERT INTO badge_logs (log_id, generation, topic, slot, connector, partitions, system_identifier,
                        timeline, state, kept, found, live_at, closed_at)
VALUES ('log-' || $1::int, $1, 't', 's', 'c', 4, '7', 1, $2, $3, '[]', now(),
        CASE WHEN $2 = 'closed' THEN now() END)
"""
RULES = """
INSERT INTO badge_rule_positions (kind, id, version, log_id, partition, turn, "offset")
SELECT 'definition', gen_random_uuid(), 1, 'log-' || $1::int, 0, n, n FROM generate_series(1, $2) n
"""
LEFT = "SELECT log_id, count(*) FROM badge_rule_positions GROUP BY log_id"


async def begin(db: Connection, number: int, state: str, *, kept: bool = False) -> None:
    """A generation in some state, with rule positions, a position and awards that were found."""
    await db.execute(GENERATION, number, state, kept)
    await db.execute(RULES, number, POSITIONS)
    await db.execute(
        "INSERT INTO badge_log_positions (log_id, partition, next_offset, turn) "
        "VALUES ('log-' || $1::int, 0, 7, 7)",
        number,
    )


async def may_go(db: Connection) -> Mapping[str, int]:
    """How many rows of each kind may go, those aside of which there are none."""
    found = await pruning.prunable(db, 90)
    return {each.kind: each.count for each in found if each.count}


async def left(db: Connection) -> Mapping[str, int]:
    """The rule positions of each log."""
    return {row["log_id"]: row["count"] for row in await db.fetch(LEFT)}


@pytest.fixture
async def other(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def test_a_generation_goes_when_another_has_taken_its_place(db: Connection) -> None:
    await begin(db, 1, "closed")
    await begin(db, 2, "closed", kept=True)
    await begin(db, 3, "broken")
    assert await may_go(db) == {}
    await begin(db, 4, "live")
    await begin(db, 5, "filling")
    assert await may_go(db) == {"positions": 1, "rule_positions": POSITIONS, "found_awards": 1}
    for kind in ("positions", "rule_positions", "found_awards"):
        await pruning.remove(db, kind, 90)
    assert await may_go(db) == {}
    assert await left(db) == {f"log-{number}": POSITIONS for number in (2, 3, 4, 5)}
    found = await db.fetch("SELECT generation FROM badge_logs WHERE found IS NULL")
    assert [row["generation"] for row in found] == [1]


async def test_several_at_once_remove_each_row_once(
    db: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_BATCH", 3)
    await begin(db, 1, "closed")
    await begin(db, 2, "live")
    removed = await asyncio.gather(
        pruning.remove(db, "rule_positions", 90), pruning.remove(other, "rule_positions", 90)
    )
    assert sum(removed) == POSITIONS
    assert await left(db) == {"log-2": POSITIONS}


async def test_what_somebody_else_has_locked_keeps_nobody_waiting(
    db: Connection, other: Connection
) -> None:
    await begin(db, 1, "closed")
    await begin(db, 2, "live")
    async with other.transaction():
        await other.execute(
            "SELECT FROM badge_rule_positions WHERE log_id = 'log-1' AND turn = 1 FOR UPDATE"
        )
        async with asyncio.timeout(LIMIT_S):
            assert await pruning.remove(db, "rule_positions", 90) == POSITIONS - 1
    assert await pruning.remove(db, "rule_positions", 90) == 1
    assert await left(db) == {"log-2": POSITIONS}


async def test_of_audits_the_newest_of_everything_stays(db: Connection) -> None:
    await db.execute(
        """
        INSERT INTO badge_audits (at, finished_at, organization_id, ok)
        SELECT now() - age * interval '1 day', now() - age * interval '1 day', organization, ok
        FROM (VALUES (300, null, true), (200, null, false), (150, gen_random_uuid(), true),
                     (120, null, null), (80, gen_random_uuid(), true)) AS a (age, organization, ok)
        """
    )
    assert await may_go(db) == {"audits": 3}
    await pruning.remove(db, "audits", 90)
    ages = await db.fetch("SELECT (now()::date - at::date) AS age FROM badge_audits ORDER BY 1")
    assert [row["age"] for row in ages] == [80, 200]
