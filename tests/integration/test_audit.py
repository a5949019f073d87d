"""`badges audit` on a live system: what it finds, what it waits for, and what it mends."""

import json
from datetime import date
from typing import Any
from uuid import UUID

from tests.integration.commands import Command
from tests.integration.pipeline import Pipeline, Rig


async def audit(p: Pipeline, *options: str, code: int) -> Any:
    """What an audit prints, which has to end with this exit code."""
    command = await Command(p, "audit", "--json", *options).start()
    ended, out, err = await command.end()
    assert ended == code, out + err
    return json.loads(out)


async def mentors_with_visits(p: Pipeline, number: int) -> tuple[UUID, list[UUID]]:
    """An organization and so many of its mentors, with two visits each."""
    organization = await p.organization()
    mentors = [await p.mentor(organization) for _ in range(number)]
    await p.pool.executemany(
        "INSERT INTO activities (peer_mentor_id, activity_type, activity_date, duration_minutes) "
        "VALUES ($1, 'visit', $2, 30)",
        [(each, date(2026, 3, day)) for each in mentors for day in (2, 3)],
    )
    return organization, mentors


async def silently(p: Pipeline, sql: str, *values: Any) -> None:
    """Write as somebody for whom no trigger fires."""
    async with p.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(sql, *values)


def test_wrong_statistics_are_found_and_mended(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentors = await mentors_with_visits(p, 12)
        await p.settle()
        scope = ("--organization", str(organization))
        assert (await audit(p, *scope, code=0))["findings"] == []
        broken = mentors[:5]
        before = await p.pool.fetch("SELECT * FROM peer_mentor_stats ORDER BY 1")
        await silently(
            p,
            "UPDATE peer_mentor_stats SET activity_count = 7, week_streak_longest = 3 "
            "WHERE peer_mentor_id = ANY ($1)",
            broken,
        )
        found = await audit(p, *scope, code=1)
        assert {UUID(each["peer_mentor_id"]) for each in found["findings"]} == set(broken)
        mended = await audit(p, *scope, "--repair", code=1)
        assert mended["repaired"] == found["findings"]
        assert (await audit(p, *scope, code=0))["findings"] == []
        after = await p.pool.fetch("SELECT * FROM peer_mentor_stats ORDER BY 1")
        assert [{**row, "updated_at": 0} for row in after] == [
            {**row, "updated_at": 0} for row in before
        ]

    working.run(test)
