"""Rows of the application's tables become awards and stats, on the real stack."""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec

from tests.integration import found
from tests.integration.pipeline import Pipeline, Rig, count_of, oslo


def test_rows_that_were_there_before_the_start_are_decided_once_as_if_lived(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.settle()
        award = await p.award(found.MENTOR, found.BADGE)
        assert award is not None
        assert award["earned_at"] == oslo(2026, 3, 3)
        assert award["changed_by"] == "rule"
        tiered = await p.award(found.MENTOR, found.TIERED_BADGE)
        assert tiered is not None
        assert (tiered["tier"], tiered["earned_at"]) == ("silver", oslo(2026, 3, 2))
        assert tiered["tier_earned_at"] == oslo(2026, 3, 4)
        assert await p.events(found.MENTOR, found.TIERED_BADGE) == ["granted"]
        source = await p.pool.fetchval(
            "SELECT source FROM badge_award_events WHERE badge_award_id = $1", tiered["id"]
        )
        assert source == "replay"
        stats = await p.stats(found.MENTOR)
        assert stats is not None
        assert (stats["activity_count"], stats["day_streak_longest"]) == (5, 5)
        lonely = await p.stats(found.LONELY_MENTOR)
        assert lonely is not None
        assert (lonely["activity_count"], lonely["first_activity_on"]) == (0, None)

    working.run(test)


def test_an_award_that_was_there_before_the_start_is_held_as_found(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.settle()
        award = await p.award(found.MENTOR, found.GIVEN_BADGE)
        assert award is not None
        assert (award["awarded_by"], award["earned_at"]) == (
            "Anna",
            datetime(2025, 5, 5, 10, tzinfo=UTC),
        )
        assert await p.events(found.MENTOR, found.GIVEN_BADGE) == ["granted"]

    working.run(test)


def test_an_insert_becomes_an_award(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(3, "visit"))
        await p.activity(mentor, "2026-01-10")
        await p.activity(mentor, "2026-01-11", "phone")
        await p.activity(mentor, "2026-01-12")
        await p.settle()
        assert await p.award(mentor, badge) is None

        reached = await p.activity(mentor, "2026-01-20")
        began = time.monotonic()
        await p.until(lambda: p.award(mentor, badge), what="the award")
        print(f"commit to award: {1000 * (time.monotonic() - began):.0f} ms")

        award = await p.award(mentor, badge)
        assert award is not None
        assert award["earned_at"] == oslo(2026, 1, 20)
        assert (award["awarded_by"], award["changed_by"], award["tier"]) == ("rule", "rule", None)
        evidence = msgspec.json.decode(award["evidence"])
        assert str(reached) in str(evidence)
        assert await p.events(mentor, badge) == ["granted"]
        stats = await p.stats(mentor)
        assert stats is not None
        assert (stats["activity_count"], stats["minutes_total"]) == (4, 120)
        assert msgspec.json.decode(stats["counts_by_type"]) == {"visit": 3, "phone": 1}

    working.run(test)


def test_updates_and_deletes_follow_a_revocable_rule_both_ways(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        lost = await p.badge(organization, count_of(2, "visit"), revocable=True)
        kept = await p.badge(organization, count_of(2, "visit"))
        first, second = [await p.activity(mentor, f"2026-02-0{day}") for day in (1, 2)]
        await p.until(lambda: p.award(mentor, lost))
        await p.until(lambda: p.award(mentor, kept))

        await p.pool.execute("UPDATE activities SET activity_type = 'phone' WHERE id = $1", first)
        await p.settle()
        award = await p.award(mentor, lost)
        assert award is not None
        assert (award["revoked_by"], award["revoked_at"] is None) == ("rule", False)
        await p.pool.execute(
            "UPDATE activities SET activity_type = 'visit', activity_date = '2026-02-20' "
            "WHERE id = $1",
            first,
        )
        await p.settle()
        award = await p.award(mentor, lost)
        assert award is not None
        assert (award["revoked_by"], award["revoked_at"]) == (None, None)
        assert award["earned_at"] == oslo(2026, 2, 2)
        await p.pool.execute("DELETE FROM activities WHERE id = $1", second)
        await p.settle()

        assert await p.events(mentor, lost) == ["granted", "revoked", "restored", "revoked"]
        assert await p.events(mentor, kept) == ["granted"]
        stats = await p.stats(mentor)
        assert stats is not None
        assert (stats["activity_count"], stats["first_activity_on"]) == (1, date(2026, 2, 20))

    working.run(test)


def test_an_activity_that_moves_is_one_event_for_each_mentor(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, giver = await p.newcomer()
        badge = await p.badge(organization, count_of(2), revocable=True)
        takers = [await p.mentor(organization) for _ in range(4)]
        moved = await p.activity(giver, "2026-04-01")
        for mentor in (giver, *takers):
            await p.activity(mentor, "2026-04-02")
        await p.until(lambda: p.award(giver, badge))

        for taker in takers:
            await p.pool.execute(
                "UPDATE activities SET peer_mentor_id = $2 WHERE id = $1", moved, taker
            )
        await p.settle()

        assert await p.events(giver, badge) == ["granted", "revoked"]
        for taker in takers[:-1]:
            assert await p.events(taker, badge) == ["granted", "revoked"]
        assert await p.events(takers[-1], badge) == ["granted"]
        counts = await p.pool.fetch(
            "SELECT activity_count FROM peer_mentor_stats WHERE peer_mentor_id = ANY ($1)",
            [giver, *takers],
        )
        assert sorted(row["activity_count"] for row in counts) == [1, 1, 1, 1, 2]

    working.run(test)


def test_a_copy_counts_every_row_once(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, _ = await p.newcomer()
        mentors = [await p.mentor(organization) for _ in range(20)]
        reached = await p.badge(organization, count_of(50))
        one_short = await p.badge(organization, count_of(51))
        rows = [
            (uuid4(), mentor, "visit", date(2025, 1, 1) + timedelta(days=day), None)
            for day in range(50)
            for mentor in mentors
        ]
        async with p.pool.acquire() as connection:
            await connection.copy_records_to_table(
                "activities",
                records=rows,
                columns=[
                    "id",
                    "peer_mentor_id",
                    "activity_type",
                    "activity_date",
                    "duration_minutes",
                ],
            )
        await p.settle()

        earned = await p.pool.fetch(
            "SELECT badge_definition_id, earned_at FROM badge_awards "
            "WHERE peer_mentor_id = ANY ($1)",
            mentors,
        )
        assert [row["badge_definition_id"] for row in earned] == [reached] * len(mentors)
        assert one_short not in [row["badge_definition_id"] for row in earned]
        assert {row["earned_at"] for row in earned} == {oslo(2025, 2, 19)}
        counts = await p.pool.fetch(
            "SELECT activity_count FROM peer_mentor_stats WHERE peer_mentor_id = ANY ($1)", mentors
        )
        assert [row["activity_count"] for row in counts] == [50] * len(mentors)

    working.run(test)


def test_late_and_future_rows_count_at_once(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        weeks = await p.badge(organization, {"type": "streak", "period": "week", "length": 3})
        await p.activity(mentor, "2026-03-10")
        await p.activity(mentor, "2099-12-01")
        await p.until(lambda: p.award(mentor, badge))
        await p.activity(mentor, "2026-02-24")
        await p.settle()
        assert await p.award(mentor, weeks) is None

        await p.activity(mentor, "2026-03-03")
        await p.until(lambda: p.award(mentor, weeks))

        early, late = [await p.award(mentor, each) for each in (badge, weeks)]
        assert early is not None
        assert late is not None
        assert early["earned_at"] == oslo(2099, 12, 1)
        assert late["earned_at"] == oslo(2026, 3, 10)
        stats = await p.stats(mentor)
        assert stats is not None
        assert (stats["last_activity_on"], stats["week_streak_longest"]) == (date(2099, 12, 1), 3)

    working.run(test)


def test_trainings_pauses_and_tiers_come_through_the_log(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        trained = await p.badge(organization, {"type": "training", "courses": ["basic", "ethics"]})
        days = await p.badge(organization, {"type": "streak", "period": "day", "length": 3})
        tiers: list[dict[str, Any]] = [
            {"name": "bronze", "at_least": 1},
            {"name": "silver", "at_least": 3},
        ]
        tiered = await p.badge(organization, {"type": "tier", "metric": "count", "tiers": tiers})
        for course, on in (("basic", date(2026, 1, 5)), ("ethics", date(2026, 1, 3))):
            await p.pool.execute(
                "INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on) "
                "VALUES (gen_random_uuid(), $1, $2, $3)",
                mentor,
                course,
                on,
            )
        for visited in ("2026-01-10", "2026-01-11", "2026-01-15"):
            await p.activity(mentor, visited)
        await p.settle()
        assert await p.award(mentor, days) is None
        await p.pool.execute(
            "INSERT INTO mentor_pauses (id, peer_mentor_id, starts_on, ends_on) "
            "VALUES (gen_random_uuid(), $1, '2026-01-12', '2026-01-14')",
            mentor,
        )
        await p.settle()

        awards = {each: await p.award(mentor, each) for each in (trained, days, tiered)}
        assert {each: award and award["earned_at"] for each, award in awards.items()} == {
            trained: oslo(2026, 1, 5),
            days: oslo(2026, 1, 15),
            tiered: oslo(2026, 1, 10),
        }
        promoted = await p.award(mentor, tiered)
        assert promoted is not None
        assert (promoted["tier"], promoted["tier_earned_at"]) == ("silver", oslo(2026, 1, 15))
        assert (await p.events(mentor, tiered))[0] == "granted"
        stats = await p.stats(mentor)
        assert stats is not None
        assert (stats["training_count"], stats["day_streak_longest"]) == (2, 3)

    working.run(test)


def test_a_view_tells_the_streak_as_of_today(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        idle = await p.mentor(organization)
        today = await p.pool.fetchval("SELECT (now() AT TIME ZONE 'Europe/Oslo')::date")
        for back in (0, 1, 2):  # midnight may pass meanwhile
            await p.activity(mentor, str(today - timedelta(days=back)))
        await p.activity(idle, str(today - timedelta(days=40)))
        await p.settle()

        rows = await p.pool.fetch(
            "SELECT peer_mentor_id, day_streak_current, day_streak_longest "
            "FROM peer_mentor_stats_current WHERE peer_mentor_id = ANY ($1)",
            [mentor, idle],
        )
        found = {row[0]: (row[1], row[2]) for row in rows}
        assert found == {mentor: (3, 3), idle: (0, 1)}

    working.run(test)


def test_a_truncate_takes_every_row_away(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        kept = await p.badge(organization, count_of(2))
        lost = await p.badge(organization, count_of(2), revocable=True)
        for on in ("2026-01-10", "2026-01-11"):
            await p.activity(mentor, on)
        await p.until(lambda: p.award(mentor, lost))
        await p.until(lambda: p.award(mentor, kept))

        await p.pool.execute("TRUNCATE activities")
        await p.settle()

        assert await p.events(mentor, kept) == ["granted"]
        assert await p.events(mentor, lost) == ["granted", "revoked"]
        stats = await p.stats(mentor)
        assert stats is not None
        assert (stats["activity_count"], stats["last_activity_on"]) == (0, None)

    working.run(test)


def test_a_truncate_of_the_mentors_leaves_nothing_behind(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2), revocable=True)
        for on in ("2026-01-10", "2026-01-11"):
            await p.activity(mentor, on)
        await p.until(lambda: p.award(mentor, badge))

        await p.pool.execute("TRUNCATE peer_mentors CASCADE")
        await p.pool.execute(
            "INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ($1, $2, 'Back')",
            mentor,
            organization,
        )
        await p.activity(mentor, "2026-01-12")
        await p.settle()

        assert await p.award(mentor, badge) is None
        assert await p.events(mentor, badge) == []
        stats = await p.stats(mentor)
        assert stats is not None
        assert stats["activity_count"] == 1
        assert await p.pool.fetchval("SELECT count(*) FROM badge_awards") == 0

    working.run(test)


def test_everything_of_this_file_agrees_with_the_reference(working: Rig) -> None:
    working.run(Pipeline.verify)
