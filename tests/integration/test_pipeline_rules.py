"""Definitions and time zones reach every mentor at recorded positions, without a restart."""

import time
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.pipeline import (
    Pipeline,
    Rig,
    count_of,
    criteria_text,
    oslo,
    partition_of,
)


async def crowd(p: Pipeline, organization: UUID) -> list[UUID]:
    """A mentor in each partition, each with two visits in January that are decided already."""
    mentors: dict[int, UUID] = {}
    while len(mentors) < p.log.partitions:
        mentor = uuid4()
        mentors.setdefault(partition_of(mentor, p.log.partitions), mentor)
    await p.pool.executemany(
        "INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ($1, $2, 'Nobody')",
        [(mentor, organization) for mentor in mentors.values()],
    )
    await p.pool.executemany(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
        "VALUES (gen_random_uuid(), $1, 'visit', $2)",
        [(mentor, date(2026, 1, day)) for mentor in mentors.values() for day in (10, 11)],
    )
    await p.settle()
    return list(mentors.values())


async def awarded(p: Pipeline, badge: UUID, *, revoked: bool = False) -> set[UUID]:
    """Who holds a badge, or once held it."""
    rows = await p.pool.fetch(
        "SELECT peer_mentor_id FROM badge_awards "
        "WHERE badge_definition_id = $1 AND (revoked_at IS NOT NULL) = $2",
        badge,
        revoked,
    )
    return {row["peer_mentor_id"] for row in rows}


async def within_moments(
    p: Pipeline, badge: UUID, mentors: list[UUID], *, revoked: bool = False
) -> None:
    """Wait until exactly these mentors hold a badge; print how long it took."""
    began = time.monotonic()

    async def reached() -> bool:
        return await awarded(p, badge, revoked=revoked) == set(mentors)

    await p.until(reached, what="that the version reaches everybody")
    print(f"a version reached everybody after {1000 * (time.monotonic() - began):.0f} ms")


async def set_criteria(p: Pipeline, badge: UUID, criteria: dict[str, Any] | str) -> None:
    await p.pool.execute(
        "UPDATE badge_definitions SET criteria = $2 WHERE id = $1", badge, criteria_text(criteria)
    )


def test_a_definition_lives_from_draft_to_retired_and_back(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        mentors = await crowd(p, organization)
        badge = await p.badge(organization, count_of(2), status="draft", revocable=True)
        await p.settle()
        assert await awarded(p, badge) == set()

        await p.pool.execute("UPDATE badge_definitions SET status = 'active' WHERE id = $1", badge)
        await within_moments(p, badge, mentors)
        await set_criteria(p, badge, count_of(3))
        await within_moments(p, badge, mentors, revoked=True)
        await p.pool.execute("UPDATE badge_definitions SET status = 'retired' WHERE id = $1", badge)
        await set_criteria(p, badge, count_of(1))
        await p.settle()
        assert await awarded(p, badge) == set()
        await p.pool.execute("UPDATE badge_definitions SET status = 'active' WHERE id = $1", badge)
        await within_moments(p, badge, mentors)

        for mentor in mentors:
            assert await p.events(mentor, badge) == ["granted", "revoked", "restored"]
            award = await p.award(mentor, badge)
            assert award is not None
            assert award["earned_at"] == oslo(2026, 1, 11)
            assert award["definition_version"] == 2

    working.run(test)


def test_every_partition_records_where_a_version_took_effect(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        mentors = await crowd(p, organization)
        badge = await p.badge(organization, count_of(2))
        await within_moments(p, badge, mentors)
        rows = await p.pool.fetch(
            'SELECT partition, version, turn, "offset" FROM badge_rule_positions '
            "WHERE id = $1 AND kind = 'definition' ORDER BY partition",
            badge,
        )
        assert [(row["partition"], row["version"]) for row in rows] == [
            (partition, 1) for partition in range(p.log.partitions)
        ]
        positions = {
            row["partition"]: (row["turn"], row["next_offset"])
            for row in await p.pool.fetch(
                "SELECT * FROM badge_log_positions WHERE log_id = $1", p.log.log_id
            )
        }
        for row in rows:
            turn, next_offset = positions[row["partition"]]
            assert row["turn"] < turn
            assert row["offset"] <= next_offset
        sources = await p.pool.fetch(
            "SELECT DISTINCT source FROM badge_award_events WHERE badge_definition_id = $1", badge
        )
        assert [row["source"] for row in sources] == ["replay"]

    working.run(test)


def test_permanent_awards_stay_through_an_edit_and_keep_their_version(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        mentors = await crowd(p, organization)
        badge = await p.badge(organization, count_of(2))
        await within_moments(p, badge, mentors)
        await set_criteria(p, badge, count_of(5))
        await p.settle()
        newcomer = await p.mentor(organization)
        for on in ("2026-01-10", "2026-01-11"):
            await p.activity(newcomer, on)
        await p.settle()
        assert await awarded(p, badge) == set(mentors)
        versions = await p.pool.fetch(
            "SELECT DISTINCT definition_version FROM badge_awards WHERE badge_definition_id = $1",
            badge,
        )
        assert [row["definition_version"] for row in versions] == [1]

    working.run(test)


def test_a_deleted_definition_takes_its_awards_along_and_starts_from_nothing(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        mentors = await crowd(p, organization)
        badge = await p.badge(organization, count_of(2), key="comes-back")
        await within_moments(p, badge, mentors)

        await p.pool.execute("DELETE FROM badge_definitions WHERE id = $1", badge)
        await p.settle()
        assert await awarded(p, badge) == set()
        await p.pool.execute(
            """
            INSERT INTO badge_definitions (id, organization_id, key, name, criteria, status)
            VALUES ($1, $2, 'comes-back', 'Back', $3, 'active')
            """,
            badge,
            organization,
            criteria_text(count_of(1)),
        )
        await within_moments(p, badge, mentors)

        award = await p.award(mentors[0], badge)
        assert award is not None
        assert (award["definition_version"], award["earned_at"]) == (3, oslo(2026, 1, 10))

    working.run(test)


def test_deleted_and_inserted_again_in_one_transaction(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        mentors = await crowd(p, organization)
        badge = await p.badge(organization, count_of(2))
        await within_moments(p, badge, mentors)
        async with p.pool.acquire() as connection, connection.transaction():
            await connection.execute("DELETE FROM badge_definitions WHERE id = $1", badge)
            await connection.execute(
                """
                INSERT INTO badge_definitions (id, organization_id, key, name, criteria, status)
                VALUES ($1, $2, $1::uuid::text, 'Back', $3, 'active')
                """,
                badge,
                organization,
                criteria_text(count_of(1)),
            )
        await p.settle()
        awards = [await p.award(mentor, badge) for mentor in mentors]
        assert {award and award["earned_at"] for award in awards} == {oslo(2026, 1, 10)}
        assert {award and award["definition_version"] for award in awards} == {3}

    working.run(test)


def test_a_time_zone_moves_what_is_earned_from_then_on(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        mentors = await crowd(p, organization)
        before = await p.badge(organization, count_of(2))
        await within_moments(p, before, mentors)
        await p.pool.execute(
            "UPDATE organizations SET timezone = 'America/Sao_Paulo' WHERE id = $1", organization
        )
        after = await p.badge(organization, count_of(2))
        await within_moments(p, after, mentors)

        old, new = [await p.award(mentors[0], each) for each in (before, after)]
        assert old is not None
        assert new is not None
        assert old["earned_at"] == oslo(2026, 1, 11)
        assert new["earned_at"] == datetime(2026, 1, 11, 3, tzinfo=UTC)
        applied = await p.pool.fetchval(
            "SELECT count(*) FROM badge_rule_positions "
            "WHERE kind = 'organization' AND id = $1 AND version = 2",
            organization,
        )
        assert applied == p.log.partitions

    working.run(test)


@pytest.mark.parametrize(
    "criteria",
    ['{"version": 1, "type": "thresh"}', "[]", "null", '{"version": 1, "type": "raw"}', "17"],
)
def test_a_definition_with_bad_criteria_stops_nothing(working: Rig, criteria: str) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        mentors = await crowd(p, organization)
        bad = await p.badge(organization, criteria)
        good = await p.badge(organization, count_of(2))
        await within_moments(p, good, mentors)
        assert await awarded(p, bad) == set()

        await set_criteria(p, bad, count_of(1))
        await within_moments(p, bad, mentors)
        await set_criteria(p, bad, criteria)
        await p.settle()
        assert await awarded(p, bad) == set(mentors)

    working.run(test)


def test_definitions_that_need_each_other_are_set_aside(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        mentors = await crowd(p, organization)

        def needs(key: str) -> dict[str, Any]:
            return {"type": "any", "of": [count_of(1), {"type": "badges", "badges": [key]}]}

        first = await p.badge(organization, needs("second"), key="first")
        await within_moments(p, first, mentors)
        second = await p.badge(organization, needs("first"), key="second")
        follows = await p.badge(organization, {"type": "badges", "badges": ["first"]})
        await within_moments(p, follows, mentors)
        assert await awarded(p, second) == set()

        await set_criteria(p, first, count_of(1))
        await within_moments(p, second, mentors)

    working.run(test)


def test_everything_of_this_file_agrees_with_the_reference(working: Rig) -> None:
    working.run(Pipeline.verify)
