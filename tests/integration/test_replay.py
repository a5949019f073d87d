"""`badges replay` beside a worker: it finds what the tables lack, and --apply writes it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from tests.integration.commands import answer
from tests.integration.connections import triggers_off
from tests.integration.load import load
from tests.integration.pipeline import Pipeline, Rig, count_of

TIERS: dict[str, Any] = {
    "type": "tier",
    "metric": "count",
    "tiers": [{"name": "bronze", "at_least": 1}, {"name": "silver", "at_least": 3}],
}
OPEN = "SELECT count(*) FROM badge_alerts WHERE kind = $1 AND resolved_at IS NULL"
NOT_COMPARED = "awarded_at, revoked_at, changed_xid, dated_by"
"""What a row that was written back may say otherwise."""


def test_after_random_operations_there_is_nothing_to_do(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        async with load(p, 71) as going:
            await going.more(250)
        await p.settle()
        await p.pool.execute("INSERT INTO badge_alerts (kind) VALUES ('evaluator_changed')")
        for processes in ("1", "2"):
            found = await answer(p, "replay", "--processes", processes, "--max-rate", "0")
            assert found["nothing_to_do"], found
            assert found["unexplained"] == []
            assert found["items"] == []
            assert set(found["counts"].values()) == {0}
        assert not await p.pool.fetchval(OPEN, "evaluator_changed")

    working.run(test)


def test_what_was_damaged_is_found_and_written_beside_a_worker(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        tiered = await p.badge(organization, TIERS, key="tiered")
        revocable = await p.badge(organization, count_of(2), key="revocable", revocable=True)
        mentors = [await p.mentor(organization) for _ in range(10)]
        activities = [
            [await p.activity(mentor, f"2026-03-0{day}") for day in (1, 2, 3)] for mentor in mentors
        ]
        # One of them has lost the badge by the rule, one was given another by hand.
        await p.pool.execute("DELETE FROM activities WHERE id = ANY ($1)", activities[0][1:])
        given = await p.badge(organization, count_of(1000), key="given")
        await p.pool.execute("SELECT award_badge($1, $2, NULL, '{}', 'Anna')", mentors[1], given)
        await p.settle()
        before = await awards(p, mentors)
        stats = await all_stats(p, mentors)

        await damage(p, mentors, revocable, tiered, given)
        expected = {
            ("granted", mentors[0], revocable),
            ("revoked", mentors[0], revocable),
            ("granted", mentors[1], given),
            ("granted", mentors[2], tiered),
            ("restored", mentors[3], revocable),
            ("promoted", mentors[4], tiered),
            ("stats", mentors[6], None),
            ("stats", mentors[7], None),
        }
        found = await answer(p, "replay", "--max-rate", "0")
        assert items(found) == expected
        assert found["counts"] == {
            "granted": 3,
            "promoted": 1,
            "revoked": 1,
            "restored": 1,
            "withdrawn": 0,
            "stats": 2,
        }
        (left,) = found["unexplained"]
        assert (left["peer_mentor_id"], left["key"]) == (str(mentors[5]), "tiered")
        assert "2026-03-01" in left["reason"]

        async with arriving(p, organization) as newcomers:
            await p.until(lambda: enough(newcomers), what="newcomers")
            applied = await answer(p, "replay", "--apply", "--max-rate", "0")
            reached = len(newcomers)
            await p.until(lambda: more(newcomers, reached), what="newcomers after it")
        assert items(applied) == expected
        assert applied["applied"]
        async with triggers_off(p) as connection:
            await move(connection, 1, mentors[5], tiered)
        await p.settle()
        assert await awards(p, mentors) == before
        assert await all_stats(p, mentors) == stats
        evidence = await p.pool.fetchval(
            "SELECT evidence FROM badge_awards "
            "WHERE (peer_mentor_id, badge_definition_id) = ($1, $2)",
            mentors[2],
            tiered,
        )
        assert str(activities[2][0]) in evidence
        again = await answer(p, "replay", "--max-rate", "0")
        assert again["nothing_to_do"], again
        assert again["unexplained"] == []
        held = await p.pool.fetch(
            "SELECT peer_mentor_id FROM badge_awards "
            "WHERE badge_definition_id = $1 AND revoked_at IS NULL",
            revocable,
        )
        assert len(held) == len(newcomers) + len(mentors) - 1
        # What a person gave is still theirs, and the rule goes on with what it holds.
        await p.pool.execute("DELETE FROM activities WHERE id = $1", activities[3][0])
        await p.pool.execute("DELETE FROM activities WHERE id = $1", activities[3][1])
        await p.settle()
        assert (await p.events(mentors[3], revocable))[-1] == "revoked"
        await belongs_to_anna(p, mentors[1], given)
        await p.pool.execute(
            "UPDATE badge_awards SET revoked_by = 'Bo' "
            "WHERE (peer_mentor_id, badge_definition_id) = ($1, $2)",
            mentors[1],
            given,
        )
        await p.settle()

    working.run(test)


async def damage(
    p: Pipeline, mentors: list[UUID], revocable: UUID, tiered: UUID, given: UUID
) -> None:
    """Lose rows, and change others, so that the log does not hear of it."""
    of = "WHERE (peer_mentor_id, badge_definition_id) = ($1, $2)"
    async with triggers_off(p) as connection:
        await lose(connection, [(mentors[0], revocable), (mentors[1], given), (mentors[2], tiered)])
        await connection.execute(
            f"UPDATE badge_awards SET revoked_at = now(), revoked_by = 'Bo' {of}",
            mentors[3],
            revocable,
        )
        await connection.execute(
            f"UPDATE badge_awards SET tier = 'bronze' {of}", mentors[4], tiered
        )
        await move(connection, -1, mentors[5], tiered)
        await connection.execute(
            "UPDATE peer_mentor_stats SET minutes_total = 1 WHERE peer_mentor_id = $1", mentors[6]
        )
        await connection.execute(
            "DELETE FROM peer_mentor_stats WHERE peer_mentor_id = $1", mentors[7]
        )


async def move(connection: asyncpg.Connection, days: int, mentor: UUID, badge: UUID) -> None:
    """Give an award a date some days later."""
    await connection.execute(
        "UPDATE badge_awards SET earned_on = earned_on + $3::int, "
        "earned_at = earned_at + $3 * interval '1 day' "
        "WHERE (peer_mentor_id, badge_definition_id) = ($1, $2)",
        mentor,
        badge,
        days,
    )


async def belongs_to_anna(p: Pipeline, mentor: UUID, badge: UUID) -> None:
    """A hand-given award that was written back is still hers, whose role ever wrote it."""
    row = await p.award(mentor, badge)
    assert row is not None
    assert (row["awarded_by"], row["changed_by"]) == ("Anna", "rule")


def test_everything_of_this_file_agrees_with_the_reference(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.verify()

    working.run(test)


def items(found: Any) -> set[tuple[str, UUID, UUID | None]]:
    """What is to be done: kind, mentor and badge."""
    return {
        (
            item["kind"],
            UUID(item["peer_mentor_id"]),
            UUID(item["badge_definition_id"]) if item["badge_definition_id"] else None,
        )
        for item in found["items"]
    }


async def awards(p: Pipeline, mentors: list[UUID]) -> list[dict[str, Any]]:
    """The awards of some mentors, but for what is not compared."""
    rows = await p.pool.fetch(
        "SELECT * FROM badge_awards WHERE peer_mentor_id = ANY ($1) "
        "ORDER BY peer_mentor_id, badge_definition_id",
        mentors,
    )
    unsaid = {*NOT_COMPARED.split(", "), "evidence", "changed_by", "dated_by"}
    return [{k: v for k, v in row.items() if k not in unsaid} for row in rows]


async def all_stats(p: Pipeline, mentors: list[UUID]) -> list[dict[str, Any]]:
    """The statistics of some mentors."""
    rows = await p.pool.fetch(
        "SELECT * FROM peer_mentor_stats WHERE peer_mentor_id = ANY ($1) ORDER BY 1", mentors
    )
    return [{k: v for k, v in row.items() if k != "updated_at"} for row in rows]


async def lose(connection: asyncpg.Connection, pairs: list[tuple[UUID, UUID]]) -> None:
    """Lose awards in a way that leaves nothing in the log: a TRUNCATE sends no row there."""
    await connection.execute(
        "ALTER TABLE badge_awards DISABLE TRIGGER badges_delete_before_truncate"
    )
    await connection.execute("CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE badge_awards")
    await connection.execute("TRUNCATE badge_awards")
    await connection.executemany(
        "DELETE FROM kept WHERE (peer_mentor_id, badge_definition_id) = ($1, $2)", pairs
    )
    await connection.execute("INSERT INTO badge_awards TABLE kept")
    await connection.execute(
        "ALTER TABLE badge_awards ENABLE ALWAYS TRIGGER badges_delete_before_truncate"
    )


@asynccontextmanager
async def arriving(p: Pipeline, organization: UUID) -> AsyncIterator[list[UUID]]:
    """Mentors who come and reach badges, one after the other, during the block."""
    newcomers: list[UUID] = []
    is_over = asyncio.Event()

    async def come() -> None:
        # To its end, for what is broken off may be committed all the same.
        while not is_over.is_set():
            mentor = await p.mentor(organization)
            for day in (1, 2):
                await p.activity(mentor, f"2026-04-0{day}")
            newcomers.append(mentor)
            await asyncio.sleep(0.02)

    coming = asyncio.create_task(come())
    try:
        yield newcomers
    finally:
        is_over.set()
        await coming


async def enough(newcomers: list[UUID]) -> bool:
    """Whether some have come."""
    return len(newcomers) >= 5


async def more(newcomers: list[UUID], than: int) -> bool:
    """Whether more have come."""
    return len(newcomers) > than + 5
