"""As a user: the commands, rows through the application's tables, one kill -9 of the worker."""

import asyncio
import json
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from reference.verification import verify
from sinks.pool import Connection
from streams.log.kafka import KafkaAccess
from tests.acceptance.local_stack import LocalStack
from tests.patience import until
from tests.stack import LIMIT_S

ROW = "(id, peer_mentor_id, activity_type, activity_date, duration_minutes)"

CRITERIA: dict[str, dict[str, Any]] = {
    "three": {"type": "threshold", "metric": "count", "at_least": 3},
    "four": {"type": "threshold", "metric": "count", "at_least": 4},
    "hours": {"type": "threshold", "metric": "minutes", "at_least": 120},
    "busy": {
        "type": "threshold",
        "metric": "count",
        "at_least": 3,
        "window": {"rolling_days": 3},
    },
    "weeks": {"type": "streak", "period": "week", "length": 2, "grace": 1},
    "days": {"type": "streak", "period": "day", "length": 3},
    "trained": {"type": "training", "courses": ["basic", "ethics"]},
    "steps": {
        "type": "tier",
        "metric": "count",
        "tiers": [{"name": "bronze", "at_least": 1}, {"name": "silver", "at_least": 3}],
    },
    "both": {"type": "badges", "badges": ["three", "trained"]},
}
REVOCABLE = {"hours"}

EARNED = {
    "steady": {
        "three": "2026-01-07",
        "busy": "2026-01-07",
        "days": "2026-01-07",
        "trained": "2026-01-20",
        "steps": "2026-01-05",
        "both": "2026-01-20",
    },
    "late": {
        "three": "2026-02-16",
        "four": "2026-05-05",
        "hours": "2026-05-05",
        "weeks": "2026-02-16",
        "steps": "2026-02-16",
    },
    "edited": {"three": "2026-03-09", "weeks": "2026-03-09", "steps": "2026-03-02"},
    "deleted": {
        "three": "2026-04-08",
        "hours": "2026-04-07",
        "busy": "2026-04-08",
        "days": "2026-04-08",
        "steps": "2026-04-06",
    },
    "moved": {"three": "2026-05-07", "steps": "2026-05-04"},
    "paused": {"three": "2026-06-05", "days": "2026-06-05", "steps": "2026-06-01"},
}
"""What the story below gives each mentor, read off the contract by hand."""


class World:
    """One organization in Oslo with a badge of each kind, by key."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.organization = uuid4()
        self.badges = {key: uuid4() for key in CRITERIA}

    async def create(self) -> None:
        await self.connection.execute(
            "INSERT INTO organizations (id, slug, name) VALUES ($1, 'oslo', 'Oslo')",
            self.organization,
        )
        for key, criteria in CRITERIA.items():
            await self.connection.execute(
                "INSERT INTO badge_definitions "
                "(id, organization_id, key, name, criteria, revocable, status) "
                "VALUES ($1, $2, $3, $3, $4, $5, 'active')",
                self.badges[key],
                self.organization,
                key,
                json.dumps({"version": 1, **criteria}),
                key in REVOCABLE,
            )

    async def mentor(self) -> UUID:
        new = uuid4()
        await self.connection.execute(
            "INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ($1, $2, 'Ada')",
            new,
            self.organization,
        )
        return new

    async def visits(self, mentor: UUID, days: Iterable[str], minutes: int = 30) -> list[UUID]:
        new = [(uuid4(), mentor, date.fromisoformat(day)) for day in days]
        await self.connection.executemany(
            f"INSERT INTO activities {ROW} VALUES ($1, $2, 'visit', $3, {minutes})", new
        )
        return [row[0] for row in new]

    async def trains(self, mentor: UUID, course: str, day: str) -> None:
        await self.connection.execute(
            "INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on) "
            "VALUES (gen_random_uuid(), $1, $2, $3)",
            mentor,
            course,
            date.fromisoformat(day),
        )

    async def tier(self, mentor: UUID) -> str | None:
        """The tier that a mentor holds of the one badge that has tiers."""
        return await self.connection.fetchval(  # type: ignore[no-any-return]
            "SELECT tier FROM badge_awards WHERE peer_mentor_id = $1 AND badge_definition_id = $2",
            mentor,
            self.badges["steps"],
        )

    async def earned(self, mentor: UUID) -> dict[str, str]:
        """The badges that a mentor holds, each with the date, in Oslo, on which it was earned."""
        rows = await self.connection.fetch(
            "SELECT d.key, (a.earned_at AT TIME ZONE 'Europe/Oslo')::text AS earned_at "
            "FROM badge_awards a JOIN badge_definitions d ON d.id = a.badge_definition_id "
            "WHERE a.peer_mentor_id = $1 AND a.revoked_at IS NULL",
            mentor,
        )
        return {row["key"]: row["earned_at"].removesuffix(" 00:00:00") for row in rows}


def test_rows_become_the_awards_that_the_contract_says(raised: LocalStack) -> None:
    asyncio.run(story(raised))


async def story(stack: LocalStack) -> None:
    settings = stack.settings
    connection = await asyncpg.connect(settings["BADGES_DATABASE_URL"])
    world = World(connection)
    await world.create()
    await until(lambda: rules_apply(world), "versions that apply")
    mentors = {name: await world.mentor() for name in EARNED}
    steady, late, edited, deleted, moved, paused = mentors.values()

    await world.visits(steady, ["2026-01-05", "2026-01-06", "2026-01-07"])
    await world.trains(steady, "ethics", "2026-01-20")
    await world.trains(steady, "basic", "2026-01-02")
    await world.visits(late, ["2026-02-16", "2026-02-03"])
    *_, third = await world.visits(edited, ["2026-03-02", "2026-03-03", "2026-03-09"], 50)
    gone = await world.visits(deleted, ["2026-04-06", "2026-04-07", "2026-04-08"], 60)
    travelling = await world.visits(moved, ["2026-05-04", "2026-05-05"])
    await world.visits(paused, ["2026-06-01", "2026-06-02", "2026-06-05"])
    await until(lambda: holds(world, steady, "both"), "the badge")

    await asyncio.to_thread(stack.kill_worker)
    await world.visits(late, ["2026-01-26"])
    await connection.execute(
        "UPDATE activities SET activity_date = '2026-03-20', duration_minutes = 10 WHERE id = $1",
        third,
    )
    await connection.execute("DELETE FROM activities WHERE id = $1", gone[0])
    await connection.execute(
        "UPDATE activities SET peer_mentor_id = $2 WHERE id = $1", travelling[1], late
    )
    await connection.execute(
        "INSERT INTO mentor_pauses (id, peer_mentor_id, starts_on, ends_on) "
        "VALUES (gen_random_uuid(), $1, '2026-06-03', '2026-06-04')",
        paused,
    )
    await connection.copy_records_to_table(
        "activities",
        records=[
            (uuid4(), moved, "phone", date(2026, 5, 6) + timedelta(days=day), None)
            for day in range(2)
        ],
        columns=["id", "peer_mentor_id", "activity_type", "activity_date", "duration_minutes"],
    )
    await until(lambda: holds(world, moved, "three"), "the badge")
    await until(lambda: holds(world, paused, "days"), "the badge")

    verified = await verify(
        connection, KafkaAccess(settings["BADGES_KAFKA_BOOTSTRAP"]), limit=LIMIT_S
    )
    assert verified.mismatches == []
    assert {name: await world.earned(mentor) for name, mentor in mentors.items()} == EARNED
    assert {name: await world.tier(mentor) for name, mentor in mentors.items()} == dict.fromkeys(
        mentors, "silver"
    )
    stats = await connection.fetchrow(
        "SELECT * FROM peer_mentor_stats WHERE peer_mentor_id = $1", late
    )
    assert stats is not None
    assert (stats["activity_count"], stats["minutes_total"], stats["active_days"]) == (4, 120, 4)
    assert stats["first_activity_on"] == date(2026, 1, 26)
    assert stats["last_activity_on"] == date(2026, 5, 5)
    assert (stats["week_streak_longest"], stats["week_streak_length"]) == (2, 1)
    await connection.close()


async def rules_apply(world: World) -> bool:
    """Whether every partition has applied every badge: what comes now meets all of them."""
    return bool(
        await world.connection.fetchval(
            "SELECT count(*) = (SELECT sum(partitions) FROM badge_logs WHERE state = 'live') * $2 "
            "FROM badge_rule_positions WHERE id = ANY ($1)",
            list(world.badges.values()),
            len(world.badges),
        )
    )


async def holds(world: World, mentor: UUID, key: str) -> bool:
    return key in await world.earned(mentor)
