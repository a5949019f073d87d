"""A worker stands still where the source changes, says so, and decides nothing wrongly by it."""

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from streams.errors import Failure
from streams.filling import provisioning
from streams.log import generations
from tests.integration.alerts import OF_WAITING, only, open_kinds, told
from tests.integration.breaks import publish_again
from tests.integration.pipeline import Pipeline, Rig, count_of

RENAMED = [
    ("activities", "duration_minutes"),
    ("activities", "peer_mentor_id"),
    ("mentor_pauses", "ends_on"),
    ("peer_mentors", "active"),
    ("peer_mentors", "id"),
]


async def quiet(p: Pipeline) -> bool:
    return await open_kinds(p, but=OF_WAITING) == []


async def positions(p: Pipeline) -> list[Any]:
    rows = await p.pool.fetch(
        "SELECT partition, next_offset, turn FROM badge_log_positions ORDER BY 1"
    )
    return [tuple(row) for row in rows]


class Mentor:
    """A mentor who holds a badge of each kind that a wrong reading would take away."""

    def __init__(self, p: Pipeline, organization: UUID, id_: UUID) -> None:
        self.p, self.organization, self.id = p, organization, id_
        self.badges: list[UUID] = []
        self.activities: list[UUID] = []
        self.pause = uuid4()

    async def begin(self) -> None:
        p, streak = self.p, {"type": "streak", "period": "day", "length": 2}
        minutes = {"type": "threshold", "metric": "minutes", "at_least": 60}
        for criteria in (minutes, streak, count_of(2)):
            self.badges.append(await p.badge(self.organization, criteria, revocable=True))
        for day in ("2026-01-10", "2026-01-14"):
            self.activities.append(await p.activity(self.id, day, minutes=30))
        await p.pool.execute(
            "INSERT INTO mentor_pauses VALUES ($1, $2, '2026-01-11', '2026-01-13')",
            self.pause,
            self.id,
        )

    async def held(self) -> list[UUID]:
        rows = [await self.p.award(self.id, badge) for badge in self.badges]
        return [row["badge_definition_id"] for row in rows if row and row["revoked_at"] is None]

    async def touch(self, table: str, key: str = "id") -> None:
        """Change something of the row that the renamed column is of, as an application would."""
        keys = {
            "activities": ("activity_type = 'phone'", self.activities[1]),
            "mentor_pauses": ("starts_on = '2026-01-10'", self.pause),
            "peer_mentors": ("organization_id = organization_id", self.id),
        }
        change, id_ = keys[table]
        await self.p.pool.execute(f"UPDATE {table} SET {change} WHERE {key} = $1", id_)


async def begun(p: Pipeline) -> Mentor:
    mentor = Mentor(p, *await p.newcomer())
    await mentor.begin()
    p.ensure_a_worker()
    await p.come_to_rest()
    assert await mentor.held() == mentor.badges
    return mentor


async def rename(p: Pipeline, table: str, column: str, to: str) -> None:
    await p.pool.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO {to}")


@pytest.mark.parametrize(("table", "column"), RENAMED)
def test_a_column_renamed_and_named_back_only_delays(own: Rig, table: str, column: str) -> None:
    async def test(p: Pipeline) -> None:
        mentor = await begun(p)
        for _ in range(2):
            await rename(p, table, column, "renamed")
            message = await only(p, "column_renamed")
            assert f"column {column} of public.{table} is called renamed now" in message
            assert f'ALTER TABLE public.{table} RENAME COLUMN "renamed" TO "{column}";' in message

            before, size = await positions(p), await p.log_size()
            await p.pool.execute(
                "INSERT INTO training_completions VALUES ($1, $2, 'basic', '2026-01-10')",
                uuid4(),
                mentor.id,
            )
            await p.until(partial(grown, p, size), what="the row in the log")
            assert await positions(p) == before

            await rename(p, table, "renamed", column)
            await p.until(partial(quiet, p), what="the end of the alert")
            await p.settle()
        stats = await p.stats(mentor.id)
        assert stats is not None
        assert stats["training_count"] == 2
        assert await mentor.held() == mentor.badges
        await p.verify()

    own.run(test)


async def grown(p: Pipeline, size: int) -> bool:
    return await p.log_size() > size


async def is_known(p: Pipeline, size: int) -> bool:
    """Whether a worker misses a column in a row, or has the row before it and waits for a name."""
    kinds = await open_kinds(p, but=OF_WAITING)
    return kinds == ["column_missing"] or (kinds == ["column_renamed"] and await grown(p, size))


@pytest.mark.parametrize(("table", "column"), RENAMED)
def test_a_row_without_its_column_is_a_break_that_naming_back_does_not_heal(
    own: Rig, table: str, column: str
) -> None:
    async def test(p: Pipeline) -> None:
        mentor = await begun(p)
        before, size = await p.stats(mentor.id), await p.log_size()
        await rename(p, table, column, "renamed")
        await mentor.touch(table, "renamed" if column == "id" else "id")

        # A worker that sees the rename before the row waits for the name, and finds the row then.
        await p.until(partial(is_known, p, size), what="the row, or that it is missed")
        waited = await open_kinds(p, but=OF_WAITING) == ["column_renamed"]
        if waited:
            await rename(p, table, "renamed", column)
        message = await only(p, "column_missing")
        assert f"a row of {table} without its column {column}," in message
        if waited:
            await rename(p, table, column, "renamed")
        await rename(p, table, "renamed", column)

        noted = await generations.find(p.site.connection, p.log.log_id)
        assert noted is not None
        assert (noted.state, noted.reason) == ("broken", message)
        with pytest.raises(Failure, match=f"a row of {table} without its column"):
            await provisioning.provision(p.site)
        assert await mentor.held() == mentor.badges
        assert await p.stats(mentor.id) == before
        assert await only(p, "column_missing") == message

    own.run(test)


def test_a_second_rename_is_told_as_well(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await begun(p)
        await rename(p, "activities", "duration_minutes", "minutes")
        first = (await only(p, "column_renamed")).partition(" now")[0]
        await rename(p, "mentor_pauses", "ends_on", "until")

        async def both_are_told() -> bool:
            message = (await told(p, "column_renamed"))["message"]
            return first in message and "ends_on of public.mentor_pauses" in message

        await p.until(both_are_told, what="the second rename")
        await rename(p, "activities", "minutes", "duration_minutes")
        message = await only(p, "column_renamed")
        await rename(p, "mentor_pauses", "until", "ends_on")
        await p.until(partial(quiet, p), what="the end of the alert")
        assert "ends_on of public.mentor_pauses" in message
        await p.verify()

    own.run(test)


def test_what_nobody_has_recorded_is_recorded_by_the_worker_that_starts(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.pool.execute("UPDATE badge_logs SET fingerprint = NULL")
        worker = p.worker()
        await p.at_work(worker)

        async def is_recorded() -> bool:
            return bool(await p.pool.fetchval("SELECT fingerprint IS NOT NULL FROM badge_logs"))

        await p.until(is_recorded, what="the fingerprint")
        assert any("without `badges migrate`" in str(line) for line in worker.lines())
        await publish_again(p.site, p.log)
        assert "public.activities was taken out" in await only(p, "source_changed")

    own.run(test)
