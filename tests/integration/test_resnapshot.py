"""`badges resnapshot`: a new generation takes over, whatever became of the one before."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from uuid import UUID

import pytest

from schema.check import require_a_source
from streams.errors import Failure
from streams.filling import next_generation, provisioning
from streams.filling.provisioning import resnapshot
from streams.log import generations
from streams.log.generations import Generation
from streams.log.wal import read_slot
from tests.integration import commands
from tests.integration.alerts import all_closed, told
from tests.integration.breaks import (
    add_partitions,
    advance_slot,
    cut,
    delete_topic,
    drop_slot,
    lose_offsets,
    make_topic_again,
    note_another_identity,
    publish_again,
)
from tests.integration.load import load
from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.integration.workers import Worker
from tests.log_site import own_site
from tests.own_site import OwnSite
from tests.stack import Stack

SESSION = 600
"""Seconds for which a member that is gone without a word would hold its partitions: for longer
than any test waits."""


async def begins_again(worker: Worker) -> bool:
    """Whether a worker has left a generation that is closed."""
    return bool(worker.said("beginning again with the live generation"))


async def is_closed(p: Pipeline) -> bool:
    """Whether the generation that was live is closed, and another one may be live."""
    live = await generations.live(p.pool)
    return live is None or live.log_id != p.log.log_id


async def is_begun(p: Pipeline) -> bool:
    """Whether the next generation is being filled, or was whole before anybody looked."""
    return await generations.filling(p.pool) is not None or await is_closed(p)


async def at_work(p: Pipeline, number: int = 2) -> list[Worker]:
    """Workers whose sessions would last for long."""
    workers = [p.worker(BADGES_SESSION_TIMEOUT=str(SESSION)) for _ in range(number)]
    await p.at_work(*workers)
    return workers


async def is_gone(p: Pipeline, old: Generation) -> None:
    """Fail unless nothing of a generation is left, and its workers can write nothing."""
    names = generations.names(p.site.prefix, old.number)

    async def without_topics() -> bool:
        return await p.site.cluster.topics([names.topic, names.heartbeat_topic]) == {}

    # A broker answers the delete before it has forgotten them itself.
    await p.until(without_topics, what="the end of the topics")
    assert await p.site.connect.status(names.connector) is None
    assert await read_slot(p.pool, names.slot) is None
    assert await generations.next_offsets(p.pool, old.log_id) == {}
    row = await generations.find(p.pool, old.log_id)
    assert row is not None
    assert row.state == "closed"


async def granted(p: Pipeline) -> dict[UUID, int]:
    """How often each award was granted."""
    rows = await p.pool.fetch(
        "SELECT badge_award_id AS id, count(*) AS times FROM badge_award_events "
        "WHERE kind = 'granted' GROUP BY 1"
    )
    return {row["id"]: row["times"] for row in rows}


async def is_told_apart(p: Pipeline, old: Generation, new: Generation) -> None:
    """Fail unless `badges lag` tells of one that is being filled beside the live one."""
    told = await commands.lag(p)
    assert told["generation"] == {"number": old.number, "state": "live"}
    assert told["filling"]["number"] == new.number
    assert told["filling"]["rows"] > 0
    assert told["behind_seconds"] is not None


def test_a_whole_log_is_replaced_under_load(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(1), revocable=True)
        await p.activity(mentor, "2026-01-10")
        workers = await at_work(p)
        await p.settle()
        await p.pool.execute(
            "UPDATE badge_awards SET revoked_at = now(), revoked_by = 'Anna' "
            "WHERE peer_mentor_id = $1",
            mentor,
        )
        async with load(p, 31) as going:
            await going.more(40)
            await p.verify()
            old = p.log
            begun = await next_generation.begin(p.site)
            await next_generation.snapshot_ended(p.site, begun)
            await p.verify()
            await is_told_apart(p, old, begun)
            before = await granted(p)

            p.log = await resnapshot(p.site)

            # With their old names in the group, nobody would get a partition for SESSION seconds.
            print(f"the next award came after {await p.next_decision():.1f} s")
            assert p.log.log_id == begun.log_id
            after = await granted(p)
            assert {id_: after.get(id_, 1) for id_ in before} == before
            await going.more(40)
        for worker in workers:
            assert worker.runs
            await p.until(partial(begins_again, worker), what="each worker's new beginning")
            assert len(worker.said("beginning again with the live generation")) == 1
        await is_gone(p, old)
        await all_closed(p)
        held = await p.award(mentor, badge)
        assert held is not None
        assert held["revoked_by"] == "Anna"
        assert set((await granted(p)).values()) == {1}

    own.run(test)


BREAKS: dict[str, Callable[[OwnSite, Generation], Awaitable[None]]] = {
    "slot_missing": drop_slot,
    "slot_ahead": advance_slot,
    "offsets_lost": lose_offsets,
    "topic_missing": delete_topic,
    "topic_replaced": make_topic_again,
    "partitions_changed": add_partitions,
    "log_cut": cut,
    "other_database": note_another_identity,
    "source_changed": publish_again,
}


async def break_log(p: Pipeline, kind: str, workers: list[Worker]) -> None:
    """Break the live generation, so that the workers find a break of that kind."""
    # Who looks between the old topic and the new one finds none.
    paused = workers if kind == "topic_replaced" else []
    for worker in paused:
        worker.pause()
    await BREAKS[kind](p.site, p.log)
    for worker in paused:
        worker.resume()
    if kind == "other_database":  # those that run know what was noted before
        for worker in workers:
            worker.kill()
            worker.start()


@pytest.mark.parametrize("kinds", [list(BREAKS)[::3], list(BREAKS)[1::3], list(BREAKS)[2::3]])
def test_each_break_is_mended_by_one_command(own: Rig, kinds: list[str]) -> None:
    async def test(p: Pipeline) -> None:
        workers = await at_work(p)
        organization, mentor = await p.newcomer()
        for number, kind in enumerate(kinds, start=1):
            badge = await p.badge(organization, count_of(number))
            await p.settle()
            old = p.log
            await break_log(p, kind, workers)
            await told(p, kind)
            with pytest.raises(Failure, match="`badges resnapshot`") as broken:
                await provisioning.provision(p.site)
            assert broken.value.code == 1
            await p.activity(mentor, f"2026-01-{number:02}")

            p.log = await resnapshot(p.site)

            await p.settle()
            assert await p.award(mentor, badge) is not None
            await p.verify()
            await is_gone(p, old)
            await all_closed(p)
            assert await provisioning.provision(p.site) == p.log
        assert all(worker.runs for worker in workers)
        assert set((await granted(p)).values()) == {1}

    own.run(test)


def test_another_number_of_partitions(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        await p.activity(mentor, "2026-01-10")
        worker, *_ = await at_work(p, 1)
        await p.settle()
        # Alerts about partitions that there are no more have nobody who could close them.
        await p.pool.execute(
            "INSERT INTO badge_alerts (kind, detail) "
            """SELECT kind, jsonb_build_object('message', '', 'subject', subject) FROM (VALUES """
            "('awards_differ', '3'), ('partition_failed', '3'), ('turn_stalled', '3'), "
            "('dead_letters', 'partition 3')) AS told (kind, subject)"
        )
        half = await next_generation.begin(p.site)

        for partitions, number in ((3, 3), (7, 4)):
            result = await commands.answer(p, "resnapshot", "--partitions", str(partitions))

            assert (result["generation"], len(result["starts"])) == (number, partitions)
            live = await generations.live(p.pool)
            assert live is not None
            p.log = live
            await p.activity(mentor, f"2026-01-{10 + number}")
            await p.activity(mentor, f"2026-01-{10 + number}")
            p.forget_markers()
            await p.settle()
            await p.verify()
            await all_closed(p)
        assert await p.award(mentor, badge) is not None
        thrown_away = await generations.find(p.pool, half.log_id)
        assert thrown_away is not None
        assert thrown_away.state == "broken"
        assert "has 4 partitions, not 3" in str(thrown_away.reason)
        assert await p.has_partitions(worker, 7)

    own.run(test)


def test_a_command_that_is_killed_is_run_again(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await at_work(p)
        first = p.log
        async with load(p, 32) as going:
            await going.more(30)
            for moment in (is_begun, is_begun, is_closed):
                command = await commands.Command(p, "resnapshot").start()
                await p.until(partial(moment, p), what=moment.__name__)
                await command.kill()
                await going.more(10)
            result = await commands.answer(p, "resnapshot")
            live = await generations.live(p.pool)
            assert live is not None
            p.log = live
            assert result["log_id"] == live.log_id
            await p.next_decision()
            await going.more(20)
        await is_gone(p, first)
        over = await generations.over(p.pool, p.log.number)
        assert len(over) < p.log.number
        assert set((await granted(p)).values()) == {1}

    own.run(test)


def test_what_was_killed_between_the_closing_and_the_start_is_gone_on_with_by_either_command(
    own: Rig,
) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        await at_work(p, 1)
        for number, command in enumerate(("resnapshot", "provision"), start=1):
            badge = await p.badge(organization, count_of(number))
            await p.settle()
            old = p.log
            half = await next_generation.begin(p.site)
            await next_generation.snapshot_ended(p.site, half)
            await generations.close_older(p.site.connection, half.number)
            await p.activity(mentor, f"2026-01-{number:02}")

            result = await commands.answer(p, command)

            assert result["log_id"] == half.log_id
            live = await generations.live(p.pool)
            assert live is not None
            p.log = live
            await p.settle()
            assert await p.award(mentor, badge) is not None
            await p.verify()
            if command == "provision":
                await commands.answer(p, command)
            await is_gone(p, old)

    own.run(test)


@pytest.mark.parametrize("part", ["connect", "postgres", "kafka"])
def test_a_server_that_is_killed_meanwhile_only_makes_it_begin_again(own: Rig, part: str) -> None:
    async def test(p: Pipeline) -> None:
        await at_work(p, 1)
        first = p.log
        async with load(p, 33) as going:
            await going.more(30)
            command = await commands.Command(p, "resnapshot").start()
            await p.until(partial(is_begun, p), what="the new generation")
            await asyncio.to_thread(p.stack.kill, part)
            await asyncio.to_thread(p.stack.start, part)
            code, _, err = await command.end()
            assert code in (0, 2)
            if code == 2:
                assert err.startswith("badges: ") or "\nbadges: " in err
                await commands.answer(p, "resnapshot")
            live = await generations.live(p.pool)
            assert live is not None
            p.log = live
            await p.next_decision()
            await going.more(20)
        await is_gone(p, first)

    own.run(test)


def test_two_at_once_make_one_generation(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await at_work(p, 1)
        await p.settle()
        first, other = await p.connect(), await p.connect()
        said: list[str] = []
        sites = [p.site, replace(p.site, connection=other)]

        async def both_wait() -> bool:
            return len(said) == 2

        # One that began after the other's end would replace what that has made.
        await first.execute(f"SELECT pg_advisory_lock({provisioning._LOCK})")
        both = asyncio.gather(*(resnapshot(replace(site, say=said.append)) for site in sites))
        await p.until(both_wait, what="two that wait")
        assert all("waiting for its end" in line for line in said)
        await first.close()
        one, two = await both

        await other.close()
        assert one == two
        assert one.number == 2
        p.log = one
        await p.settle()
        await p.verify()

    own.run(test)


def test_a_straggler_of_the_closed_generation_writes_nothing(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        await p.activity(mentor, "2026-01-10")
        straggler, *_ = await at_work(p, 1)
        await p.settle()

        straggler.pause()
        await p.activity(mentor, "2026-01-11")

        p.log = await resnapshot(p.site)
        other = p.worker()
        other.start()
        straggler.resume()

        await p.settle()
        await p.until(partial(begins_again, straggler), what="the straggler's new beginning")
        assert await p.award(mentor, badge) is not None
        await p.verify()
        assert set((await granted(p)).values()) == {1}

    own.run(test)


def test_what_is_kept_stays_until_somebody_does_not_want_it_kept(own: Rig) -> None:
    async def exists(p: Pipeline, old: Generation) -> tuple[bool, bool, bool]:
        return (
            bool(await p.site.cluster.topics([old.topic])),
            await p.site.connect.status(old.connector) is not None,
            await read_slot(p.pool, old.slot) is not None,
        )

    async def test(p: Pipeline) -> None:
        first = p.log
        await drop_slot(p.site, first)
        second = await commands.answer(p, "resnapshot", "--keep")
        assert second["generation"] == 2
        await provisioning.provision(p.site)
        assert await exists(p, first) == (True, True, False)

        p.log = await resnapshot(p.site)

        assert p.log.number == 3
        await is_gone(p, first)
        assert await exists(p, p.log) == (True, True, True)
        assert [each.state for each in await generations.over(p.pool, 3)] == ["closed"] * 2

    own.run(test)


def test_without_a_log_it_says_what_makes_one(stack: Stack, database_url: str) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            with pytest.raises(Failure, match="Run `badges provision`") as refused:
                await resnapshot(site)
            assert refused.value.code == 2
            assert await generations.newest(site.connection) is None

    asyncio.run(test())


TRUNCATING = "TRIGGER badges_delete_before_truncate"
SPOILING = {
    "activity_date may be null": "ALTER TABLE activities ALTER activity_date DROP NOT NULL",
    "ends_on is missing": "ALTER TABLE mentor_pauses DROP COLUMN ends_on CASCADE",
    "duration_minutes is called minutes": "ALTER TABLE activities RENAME duration_minutes "
    "TO minutes",
    "replica identity is the full row": "ALTER TABLE activities REPLICA IDENTITY FULL",
    "has other tables": "ALTER PUBLICATION {prefix}_mentor_log DROP TABLE activities",
    f"{TRUNCATING[8:]} on public.activities does not always fire": "ALTER TABLE activities "
    f"DISABLE {TRUNCATING}",
    "zz_badges_send_whole on public.activities does not always fire": "ALTER TABLE activities "
    "ENABLE TRIGGER zz_badges_send_whole",
    "send_whole is another version": "CREATE OR REPLACE FUNCTION badges_private.send_whole() "
    "RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "lacks SELECT on public.activities": "REVOKE SELECT (id) ON activities FROM badges_connect",
    "policy badges_connect_all on public.activities": "DROP POLICY badges_connect_all "
    "ON activities",
}
"""What a new log would lack rows or columns by, and the words in which it is told."""


def test_a_database_that_would_spoil_the_new_log_is_told_before_anything_begins(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            for told, damage in SPOILING.items():
                # Only its own session sees the damage, and nothing is left of it.
                undone = site.connection.transaction()
                await undone.start()
                await site.connection.execute(damage.format(prefix=site.prefix))

                with pytest.raises(Failure, match=f"{told}.*`badges migrate") as refused:
                    await require_a_source(site.connection, prefix=site.prefix, say=site.say)

                await undone.rollback()
                assert refused.value.code == 2
            assert await generations.newest(site.connection) == live

    asyncio.run(test())


HARMLESS = {
    "index activities_mentor_date_type_idx": "DROP INDEX activities_mentor_date_type_idx",
    "badge_awards lacks a constraint": "ALTER TABLE badge_awards "
    "DROP CONSTRAINT badge_awards_tier_check",
    "has no UNIQUE (slug)": "ALTER TABLE organizations DROP CONSTRAINT organizations_slug_key",
    "has no foreign key": "ALTER TABLE mentor_pauses "
    "DROP CONSTRAINT mentor_pauses_peer_mentor_id_fkey",
    "is open to PUBLIC": "GRANT SELECT ON badge_alerts TO PUBLIC",
    "lacks SELECT on public.organizations": "REVOKE SELECT ON organizations FROM badges_worker",
}
"""What is as wrong as before once a new log is there."""


def test_what_leaves_the_new_log_whole_is_told_and_refuses_nothing(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as opened:
            said: list[str] = []
            site = replace(opened, say=said.append)
            live = await provisioning.provision(site)
            for damage in HARMLESS.values():
                await site.connection.execute(damage)

            await require_a_source(site.connection, prefix=site.prefix, say=site.say)
            new = await resnapshot(site)

            assert (live.number, new.number) == (1, 2)
            warned = [line for line in said if line.startswith("Warning: ")]
            for told in HARMLESS:
                assert [line for line in warned if told in line], told
            assert all("see `badges migrate --check`" in line for line in warned)

    asyncio.run(test())


def test_a_half_filled_generation_of_a_database_that_was_put_back_is_thrown_away(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            half = await next_generation.begin(site)
            await next_generation.snapshot_ended(site, half)
            await note_another_identity(site, half)

            new = await resnapshot(site)

            assert (live.number, half.number, new.number) == (1, 2, 3)
            thrown_away = await generations.find(site.connection, half.log_id)
            assert thrown_away is not None
            assert thrown_away.state == "broken"
            assert "the database is another one" in str(thrown_away.reason)
            assert await read_slot(site.connection, half.slot) is None
            assert await read_slot(site.connection, live.slot) is None

    asyncio.run(test())
