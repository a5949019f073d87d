"""An application's trigger refuses what was decided: it waits, and nothing else does."""

import asyncio
from datetime import date
from uuid import UUID

import pytest

from streams.filling import provisioning
from tests.integration.alerts import all_closed, told
from tests.integration.pipeline import Pipeline, Rig, count_of, oslo
from tests.integration.refusing import REFUSALS, refusing, waiting


async def reach_two(p: Pipeline, mentor: UUID) -> list[UUID]:
    """Two visits, which make the second day that of a badge for two."""
    return [await p.activity(mentor, f"2026-01-0{day}") for day in (5, 6)]


async def activities(p: Pipeline, mentor: UUID) -> int:
    """How many of a mentor's activities the statistics count."""
    row = await p.stats(mentor)
    return int(row["activity_count"]) if row else 0


async def is_refused(p: Pipeline, mentor: UUID, rows: int = 1) -> None:
    """Return when so much waits about a mentor."""

    async def waits() -> bool:
        return len(await waiting(p, mentor)) == rows

    await p.until(waits, what=f"that {rows} writes wait")


async def is_held(p: Pipeline, mentor: UUID, badge: UUID) -> None:
    """Return when the badge is there."""
    await p.until(lambda: p.award(mentor, badge), what="the award")


@pytest.mark.parametrize("sqlstate", REFUSALS)
def test_a_refused_award_waits_alone(working: Rig, sqlstate: str) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        other = await p.mentor(organization)
        refused = await p.badge(organization, count_of(2), key="refused")
        beside = await p.badge(organization, count_of(2))
        resting = await p.badge(organization, {"type": "badges", "badges": ["refused"]})
        await p.settle()
        async with refusing(p, refused, sqlstate):
            await reach_two(p, mentor)
            await is_held(p, mentor, beside)
            await is_held(p, mentor, resting)
            assert await p.award(mentor, refused) is None
            (row,) = await waiting(p, mentor)
            assert (row["kind"], row["sqlstate"]) == ("granted", sqlstate)
            assert row["refused_by"] == "trigger app_notify on badge_awards"
            assert await activities(p, mentor) == 2
            detail = await told(p, "write_refused")
            assert (detail["sqlstate"], detail["waiting"]) == (sqlstate, 1)
            assert detail["refused_by"] == "trigger app_notify on badge_awards"
            assert detail["badge_definition_id"] == str(refused)
            assert row["message"] in detail["message"]
            await p.activity(other, "2026-01-09")
            await p.settle()
            await p.verify()
            assert await activities(p, other) == 1
        await is_held(p, mentor, refused)
        award = await p.award(mentor, refused)
        assert award is not None
        assert award["id"] == row["badge_award_id"]
        assert (award["earned_at"], award["earned_on"]) == (oslo(2026, 1, 6), date(2026, 1, 6))
        assert await p.events(mentor, refused) == ["granted"]
        rested = await p.award(mentor, resting)
        assert rested is not None
        assert rested["earned_on"] == date(2026, 1, 6)
        assert await waiting(p, mentor) == []
        await all_closed(p, "write_refused", "turn_stalled", "awards_differ")
        await p.verify()
        await p.retire_everything()

    working.run(test)


def test_what_waits_outlives_workers_that_end_and_are_killed(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2), revocable=True)
        async with refusing(p, badge):
            visits = await reach_two(p, mentor)
            await is_refused(p, mentor)
            (granted,) = await waiting(p, mentor)
            worker.kill()
            worker.start()
            await p.pool.execute("DELETE FROM activities WHERE id = $1", visits[0])
            await is_refused(p, mentor, rows=2)
            assert await asyncio.to_thread(worker.ask_to_end) == 0
            worker.start()
            await p.activity(mentor, "2026-01-07")
            await is_refused(p, mentor, rows=3)
            assert [row["kind"] for row in await waiting(p, mentor)] == [
                "granted",
                "revoked",
                "restored",
            ]
            await p.settle()
            await p.verify()
            worker.kill()
        worker.start()
        await is_held(p, mentor, badge)
        award = await p.award(mentor, badge)
        assert award is not None
        assert award["id"] == granted["badge_award_id"]
        assert award["earned_on"] == date(2026, 1, 6)
        assert award["revoked_at"] is None
        assert await p.events(mentor, badge) == ["granted", "revoked", "restored"]
        await all_closed(p, "write_refused", "awards_differ")
        await p.verify()
        await p.retire_everything()

    unmanned.run(test)


def test_a_rule_that_lapses_meanwhile_revokes_in_its_turn(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2), revocable=True)
        async with refusing(p, badge):
            visits = await reach_two(p, mentor)
            await is_refused(p, mentor)
            await p.pool.execute("DELETE FROM activities WHERE id = $1", visits[1])
            await is_refused(p, mentor, rows=2)
            assert await p.award(mentor, badge) is None
        await is_held(p, mentor, badge)
        award = await p.award(mentor, badge)
        assert award is not None
        assert (award["earned_on"], award["revoked_by"]) == (date(2026, 1, 6), "rule")
        assert await p.events(mentor, badge) == ["granted", "revoked"]
        await p.verify()
        await p.retire_everything()

    working.run(test)


def test_a_person_who_gives_the_badge_meanwhile_wins(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        async with refusing(p, badge):
            await reach_two(p, mentor)
            await is_refused(p, mentor)
            # At once: the worker tries again every two seconds.
            async with p.pool.acquire() as person, person.transaction():
                await person.execute("ALTER TABLE badge_awards DISABLE TRIGGER app_notify")
                given = await person.fetchval(
                    "SELECT (award_badge($1, $2, NULL, '{}', 'Anna')).id", mentor, badge
                )
                # No table is altered that deferred triggers still have to look at.
                await person.execute("SET CONSTRAINTS ALL IMMEDIATE")
                await person.execute("ALTER TABLE badge_awards ENABLE TRIGGER app_notify")
            await is_refused(p, mentor, rows=0)
        await p.settle()
        award = await p.award(mentor, badge)
        assert award is not None
        assert (award["id"], award["awarded_by"]) == (given, "Anna")
        assert await p.events(mentor, badge) == ["granted"]
        await p.verify()
        await all_closed(p, "write_refused", "awards_differ")
        await p.retire_everything()

    working.run(test)


def test_what_waits_goes_with_its_mentor_or_definition(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        other = await p.mentor(organization)
        badge = await p.badge(organization, count_of(2))
        async with refusing(p, badge):
            await reach_two(p, mentor)
            await reach_two(p, other)
            await is_refused(p, mentor)
            await is_refused(p, other)
            await p.pool.execute("DELETE FROM peer_mentors WHERE id = $1", mentor)
            assert await waiting(p, mentor) == []
            await p.pool.execute("DELETE FROM badge_definitions WHERE id = $1", badge)
            assert await waiting(p, other) == []
            await all_closed(p, "write_refused")
        await p.verify()

    working.run(test)


def test_a_mentors_delete_that_is_refused_waits(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        other = await p.mentor(organization)
        badge = await p.badge(organization, count_of(2))
        worker = p.worker()
        await p.at_work(worker)
        await p.settle()
        worker.kill()
        # The mentor leaves and comes back, and has an award of the rule's already: what a worker
        # that was behind has written to the mentor's second life.
        async with p.pool.acquire() as connection, connection.transaction():
            await connection.execute("DELETE FROM peer_mentors WHERE id = $1", mentor)
            await connection.execute(
                "INSERT INTO peer_mentors (id, organization_id) VALUES ($1, $2)",
                mentor,
                organization,
            )
            await connection.execute("SET LOCAL ROLE badges_worker")
            await connection.execute(
                "SELECT badges_private.grant_awards(ARRAY[gen_random_uuid()], ARRAY[$1::uuid], "
                "ARRAY[$2::uuid], ARRAY[timestamptz '2020-01-01'], ARRAY[1], ARRAY[NULL], "
                "ARRAY[NULL::timestamptz], ARRAY['{}'::jsonb], 'rule')",
                mentor,
                badge,
            )
        await p.pool.execute(
            """
            CREATE FUNCTION app_keep() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'awards are kept' USING ERRCODE = 'P0001'; END $$;
            CREATE TRIGGER app_keep BEFORE DELETE ON badge_awards
                FOR EACH ROW EXECUTE FUNCTION app_keep();
            """
        )
        await reach_two(p, mentor)
        await reach_two(p, other)
        worker.start()
        await is_held(p, other, badge)
        await p.until(lambda: waiting(p, mentor), what="that the delete waits")
        kinds = [row["kind"] for row in await waiting(p, mentor)]
        assert kinds[0] == "departed"
        await told(p, "write_refused")
        await p.pool.execute("DROP FUNCTION app_keep CASCADE")
        await is_refused(p, mentor, rows=0)
        await p.settle()
        award = await p.award(mentor, badge)
        assert award is not None
        assert award["earned_on"] == date(2026, 1, 6)
        assert await p.events(mentor, badge) == ["granted"]
        await all_closed(p, "write_refused", "awards_differ")
        await p.verify()
        await p.retire_everything()

    unmanned.run(test)


def test_a_definition_that_somebody_holds_locked_stops_only_itself(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        locked = await p.badge(organization, count_of(2))
        beside = await p.badge(organization, count_of(2))
        await p.settle()
        async with p.pool.acquire() as idle, idle.transaction():
            await idle.execute("SELECT FROM badge_definitions WHERE id = $1 FOR UPDATE", locked)
            await reach_two(p, mentor)
            await is_held(p, mentor, beside)
            await is_refused(p, mentor)
            (row,) = await waiting(p, mentor)
            assert row["sqlstate"] == "55P03"
            assert row["refused_by"] == "a lock on badge_definitions"
            assert str(locked) in row["message"]
            await told(p, "write_refused")
        await is_held(p, mentor, locked)
        award = await p.award(mentor, locked)
        assert award is not None
        assert award["earned_on"] == date(2026, 1, 6)
        assert await p.events(mentor, locked) == ["granted"]
        await all_closed(p, "write_refused", "turn_stalled")
        await p.verify()
        await p.retire_everything()

    working.run(test)


def test_many_mentors_that_somebody_holds_locked_are_one_alert(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, free = await p.newcomer()
        locked = [await p.mentor(organization) for _ in range(25)]
        for mentor in (free, *locked):
            await p.activity(mentor, "2026-01-05")
        await p.settle()
        await all_closed(p, "write_refused")
        before = await p.pool.fetchval("SELECT coalesce(max(id), 0) FROM badge_alerts")
        async with p.pool.acquire() as idle, idle.transaction():
            await idle.execute(
                "SELECT FROM peer_mentors WHERE id = ANY ($1::uuid[]) FOR UPDATE", locked
            )
            # No row of theirs can be written meanwhile, but all are decided by what is saved.
            badge = await p.badge(organization, count_of(1))
            for mentor in locked:
                await is_refused(p, mentor)
            await is_held(p, free, badge)
            detail = await told(p, "write_refused")
            assert detail["subject"] == "a lock on peer_mentors"
        for mentor in locked:
            await is_held(p, mentor, badge)
        await all_closed(p, "write_refused", "turn_stalled")
        number = "SELECT count(*) FROM badge_alerts WHERE id > $1 AND kind = 'write_refused'"
        assert await p.pool.fetchval(number, before) == 1
        await p.verify()
        await p.retire_everything()

    working.run(test)


@pytest.mark.parametrize("table", ["peer_mentors", "badge_definitions"])
def test_a_delete_that_is_left_open_stops_only_what_it_takes_along(
    working: Rig, table: str
) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        other = await p.mentor(organization)
        badge = await p.badge(organization, count_of(2))
        beside = await p.badge(organization, count_of(2))
        await p.settle()
        async with refusing(p, badge):
            await reach_two(p, mentor)
            await is_refused(p, mentor)
            async with p.pool.acquire() as idle:
                transaction = idle.transaction()
                await transaction.start()
                name = mentor if table == "peer_mentors" else badge
                await idle.execute(f"DELETE FROM {table} WHERE id = $1", name)
                await reach_two(p, other)
                await is_held(p, other, beside)
                await p.settle()
                assert await activities(p, other) == 2
                await transaction.rollback()
        for each in (mentor, other):
            await is_held(p, each, badge)
            assert await p.events(each, badge) == ["granted"]
            award = await p.award(each, badge)
            assert award is not None
            assert award["earned_on"] == date(2026, 1, 6)
            await is_refused(p, each, rows=0)
        await all_closed(p, "write_refused", "turn_stalled")
        await p.verify()
        await p.retire_everything()

    working.run(test)


def test_what_waits_goes_over_to_the_next_generation(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        refused = await p.badge(organization, count_of(2), key="carried")
        lapsing = await p.badge(organization, count_of(2), revocable=True)
        worker = p.worker()
        await p.at_work(worker)
        await p.settle()
        async with refusing(p, refused):
            visits = await reach_two(p, mentor)
            await is_held(p, mentor, lapsing)
            await is_refused(p, mentor)
            (before,) = await waiting(p, mentor)
            # The next generation's snapshot cannot tell that it was earned.
            await p.pool.execute("DELETE FROM activities WHERE id = $1", visits[0])
            await p.settle()
            old, p.log = p.log, await provisioning.fill(p.site)
            assert p.log.number == old.number + 1
            resting = await p.badge(organization, {"type": "badges", "badges": ["carried"]})
            await p.until(lambda: p.award(mentor, resting), what="what rests on it")
            (row,) = await waiting(p, mentor)
            assert (row["id"], row["log_id"]) == (before["id"], p.log.log_id)
            await p.settle()
            await p.verify()
            worker.kill()
            worker.start()
            await p.settle()
            await p.verify()
        await is_held(p, mentor, refused)
        award = await p.award(mentor, refused)
        assert award is not None
        assert (award["id"], award["earned_on"]) == (before["badge_award_id"], date(2026, 1, 6))
        assert await p.events(mentor, refused) == ["granted"]
        await p.verify()
        await all_closed(p, "write_refused", "awards_differ")

    own.run(test)
