"""A text of more than a megabyte holds nobody up, and what does is told by its cause."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any
from uuid import uuid4

import pytest

from sinks.pool import Pool
from streams.errors import Failure
from streams.filling import connector_startup, provisioning
from streams.log import generations
from streams.log.wal import read_slot
from tests.integration.alerts import OF_WAITING
from tests.integration.found import complete, somebody
from tests.integration.pipeline import Pipeline, Rig, count_of, pipeline
from tests.log_site import add_mentor, own_site, records, written
from tests.own_site import OwnSite
from tests.stack import LIMIT_S, Stack

LONG = 1_200_000
CUT = 1000
"""UTF-16 units, of which an emoji has two."""


class Uncut(OwnSite):
    """A site whose connector publishes texts whole, so that a long one ends it."""

    def configuration(self, number: int, /, *stand_in: str) -> dict[str, str]:
        whole = super().configuration(number, *stand_in)
        return {name: value for name, value in whole.items() if "truncate" not in name}


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def long_texts() -> list[str]:
    """Texts whose cut falls before, between and after the halves of a pair, and a plain one."""
    emoji = "😀" * (LONG // 2)
    return ["x" * LONG, emoji, "a" + emoji, "\\" + emoji, "æ" + emoji]


FOUND_MENTOR, FOUND_ORGANIZATION = uuid4(), uuid4()


async def before(pool: Pool) -> None:
    """A mentor with long courses before the log begins."""
    await somebody(pool, FOUND_ORGANIZATION, FOUND_MENTOR, long_texts())


@pytest.fixture
def rig(stack: Stack) -> Iterator[Rig]:
    with pipeline(stack, before) as own:
        yield own


def test_long_texts_in_the_snapshot_and_live_hold_nobody_up(rig: Rig) -> None:
    async def test(p: Pipeline) -> None:
        p.ensure_a_worker()
        badge = await p.badge(FOUND_ORGANIZATION, count_of(1))
        mentor = await p.mentor(FOUND_ORGANIZATION)
        for text in long_texts():
            await complete(p.pool, mentor, text)
        await p.activity(mentor, "2026-02-02")
        await p.activity(FOUND_MENTOR, "2026-02-02")
        await p.settle()

        for who in (FOUND_MENTOR, mentor):
            stats = await p.stats(who)
            assert stats is not None
            assert stats["training_count"] == len(long_texts())
            assert await p.award(who, badge) is not None
        assert "dead_letters" not in {
            row["kind"] for row in await p.pool.fetch("SELECT kind FROM badge_alerts")
        }
        status = await p.site.connect.status(p.log.connector)
        assert status is not None
        assert status.running
        await p.verify()

    rig.run(test)


def test_names_of_people_beyond_the_cut_are_no_difference_between_log_and_table(rig: Rig) -> None:
    async def test(p: Pipeline) -> None:
        p.ensure_a_worker()
        who = "😀" * LONG
        badge = await p.badge(
            FOUND_ORGANIZATION,
            {
                "type": "tier",
                "metric": "count",
                "tiers": [{"name": "bronze", "at_least": 1}, {"name": "silver", "at_least": 2}],
            },
        )
        mentor = await p.mentor(FOUND_ORGANIZATION)
        await p.pool.execute(
            "SELECT award_badge($1, $2, '2026-01-01', '{}', $3, tier => 'bronze', "
            "tier_earned_at => '2026-01-01')",
            mentor,
            badge,
            who,
        )
        await p.activity(mentor, "2026-02-02")
        await p.activity(mentor, "2026-02-03")
        await p.settle()
        held = await p.award(mentor, badge)
        assert held is not None
        assert (held["awarded_by"], held["tier"]) == (who, "silver")

        await p.pool.execute(
            "UPDATE badge_awards SET revoked_at = now(), revoked_by = $2 WHERE id = $1",
            held["id"],
            "a" + who,
        )
        await p.settle()
        p.end_workers()
        worker = p.worker()
        await p.at_work(worker)
        await p.settle()
        await p.verify()
        assert not await p.pool.fetch(
            "SELECT kind, detail FROM badge_alerts WHERE kind <> ALL ($1)", OF_WAITING
        )
        after = await p.award(mentor, badge)
        assert after is not None
        assert after["revoked_by"] == "a" + who

    rig.run(test)


def test_a_snapshot_that_cannot_be_sent_is_told_by_its_cause_and_tried_once(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            mentor = await add_mentor(site.connection)
            await complete(site.connection, mentor, "x" * LONG)

            with pytest.raises(Failure, match="RecordTooLargeException") as told:
                await provisioning.provision(Uncut(**vars(site)))

            assert told.value.code == 1
            assert "\n" not in str(told.value)
            tries = await site.connection.fetch(
                "SELECT generation, state, reason FROM badge_logs ORDER BY generation"
            )
            assert {row["state"] for row in tries} == {"broken"}
            # One that broke off of something else is begun again.
            *others, of_it = ["RecordTooLargeException" in row["reason"] for row in tries]
            assert (of_it, any(others)) == (True, False)
            last = tries[-1]["generation"]
            slot = f"{site.prefix}_mentor_log_{last}"
            assert await read_slot(site.connection, slot) is None
            live = await provisioning.provision(site)
            assert live.number > last
            assert sum(live.starts) == 2

    run(test())


def test_a_connector_that_fails_again_is_not_called_whole(
    stack: Stack, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long it takes to meet the long text again is the machine's affair.
    monkeypatch.setattr(connector_startup, "_STEADY_S", LIMIT_S)

    async def test() -> None:
        async with own_site(stack, database_url) as site:
            mentor = await add_mentor(site.connection)
            uncut = Uncut(**vars(site))
            live = await provisioning.provision(uncut)
            await complete(site.connection, mentor, "x" * LONG)
            await complete(site.connection, mentor, "basic")
            await _failed(site, live)

            for _ in range(2):
                with pytest.raises(Failure, match=r"will again: .*RecordTooLarge") as told:
                    await provisioning.provision(uncut)
                assert told.value.code == 1
            assert await provisioning.provision(site) == live

            await written(site, live, 3)
            values = [value for _, value in await records(site, live)]
            assert [len(value) < 2000 for value in values] == [True] * 3
            assert b'"course_code":"' + b"x" * CUT + b'"' in values[1]
            assert await generations.live(site.connection) == live

    run(test())


async def _failed(site: OwnSite, live: generations.Generation) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            status = await site.connect.status(live.connector)
            if status is not None and status.failed:
                return
            await asyncio.sleep(0.1)
