"""People act while the rule acts: awards by hand, saves of rules, mentors who go and come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from functools import partial
from random import Random
from uuid import UUID, uuid4

from tests.integration.load import Load, load
from tests.integration.pipeline import Pipeline, Rig, count_of, criteria_text, oslo


@asynccontextmanager
async def one_worker(p: Pipeline, seed: int) -> AsyncIterator[Load]:
    """A load and a worker that nobody disturbs."""
    p.ensure_a_worker()
    async with load(p, seed) as going:
        yield going


def test_acts_by_hand_race_the_rule(rig: Rig) -> None:
    async def test(p: Pipeline) -> None:
        random = Random(31)
        organization = await p.organization()
        mentors = [await p.mentor(organization) for _ in range(12)]
        badges = [
            await p.badge(organization, count_of(3), revocable=True),
            await p.badge(organization, count_of(3)),
        ]

        async def arrive(going: Load, mentor: UUID) -> None:
            for day in range(1, 7):
                activity = await p.activity(mentor, f"2026-01-0{day}")
                if random.random() < 0.5:
                    await going.execute("DELETE FROM activities WHERE id = $1", activity)

        async def act(going: Load, mentor: UUID) -> None:
            for _ in range(6):
                await going.execute(random.choice(ACTS), mentor, random.choice(badges))

        async with one_worker(p, 31) as going:
            acts = [partial(does, going, each) for does in (arrive, act, act) for each in mentors]
            await asyncio.gather(*(does() for does in acts))

    rig.run(test)


ACTS = [
    "SELECT award_badge($1, $2, NULL, '{}', 'Anna')",
    "UPDATE badge_awards SET revoked_by = 'Bo' "
    "WHERE peer_mentor_id = $1 AND badge_definition_id = $2",
    "UPDATE badge_awards SET revoked_by = NULL "
    "WHERE peer_mentor_id = $1 AND badge_definition_id = $2",
    "DELETE FROM badge_awards WHERE peer_mentor_id = $1 AND badge_definition_id = $2",
]


def test_rules_and_time_zones_are_saved_in_mid_load(rig: Rig) -> None:
    async def test(p: Pipeline) -> None:
        async with one_worker(p, 32) as going:
            for _ in range(15):
                await going.commit(going.operations.edit())
                await going.more(3)
            for zone in ("Asia/Kolkata", "America/Sao_Paulo", "Europe/Oslo"):
                await going.execute(
                    "UPDATE organizations SET timezone = $2 WHERE id = ANY ($1)",
                    going.operations.organizations,
                    zone,
                )
                await going.more(10)

    rig.run(test)


def test_one_definition_is_edited_retired_deleted_and_made_again_in_mid_load(rig: Rig) -> None:
    async def test(p: Pipeline) -> None:
        async with one_worker(p, 33) as going:
            home = going.operations.organizations[0]
            badge = await p.badge(home, count_of(2), key="restless", revocable=True)
            for at_least in (4, 1, 3):
                await going.more(10)
                await going.execute(
                    "UPDATE badge_definitions SET criteria = $2, status = 'active' WHERE id = $1",
                    badge,
                    criteria_text(count_of(at_least)),
                )
                await going.more(10)
                await going.execute(
                    "UPDATE badge_definitions SET status = 'retired' WHERE id = $1", badge
                )
                await going.more(5)
                await going.execute("DELETE FROM badge_definitions WHERE id = $1", badge)
                await going.more(5)
                await p.pool.execute(
                    "INSERT INTO badge_definitions (id, organization_id, key, name, criteria, "
                    "status, revocable) VALUES ($1, $2, 'restless', 'Back', $3, 'active', true)",
                    badge,
                    home,
                    criteria_text(count_of(at_least + 1)),
                )

    rig.run(test)


def test_a_mentor_deleted_and_inserted_again_while_the_worker_is_behind(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        badge = await p.badge(organization, count_of(2))
        tier = await p.badge(organization, count_of(1))
        mentors = [await p.mentor(organization) for _ in range(8)]
        worker = p.worker()
        await p.at_work(worker)
        for mentor in mentors:
            await p.activity(mentor, "2026-01-10")
        await p.settle()
        worker.pause()
        for number, mentor in enumerate(mentors):
            await p.activity(mentor, "2026-01-11")
            async with p.pool.acquire() as connection, connection.transaction():
                await connection.execute("DELETE FROM peer_mentors WHERE id = $1", mentor)
                await connection.execute(
                    "INSERT INTO peer_mentors (id, organization_id, display_name) "
                    "VALUES ($1, $2, 'Back')",
                    mentor,
                    organization,
                )
                for day in range(number % 4):
                    await connection.execute(
                        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
                        "VALUES ($1, $2, 'visit', $3)",
                        uuid4(),
                        mentor,
                        date(2026, 2, 1 + day),
                    )
        worker.resume()
        await p.settle()

        for number, mentor in enumerate(mentors):
            visits = number % 4
            once, twice = [await p.award(mentor, each) for each in (tier, badge)]
            assert (once and once["earned_at"]) == (oslo(2026, 2, 1) if visits else None)
            assert (twice and twice["earned_at"]) == (oslo(2026, 2, 2) if visits > 1 else None)
            assert len(await p.events(mentor, badge)) == (visits > 1)
            stats = await p.stats(mentor)
            assert stats is not None
            assert stats["activity_count"] == visits
        await p.verify()

    unmanned.run(test)
