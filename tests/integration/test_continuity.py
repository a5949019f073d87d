"""Each way in which the log breaks, done for real, is told; and nothing else is."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schema import apply
from sinks.pool import create_pool
from streams.errors import CannotTell, LogBroken
from streams.filling import provisioning
from streams.log import generations
from streams.log.connect import Connect
from streams.log.connector_monitor import outage
from streams.log.generations import Generation
from streams.log.integrity import Integrity
from streams.log.reader import KafkaLog
from streams.log.topics import LOG_SETTINGS
from streams.partition import Partition
from streams.write_guard import CHECK_SECONDS
from tests.integration.breaks import (
    Admin,
    add_partitions,
    advance_slot,
    cut,
    decide_too_far,
    delete_topic,
    drop_slot,
    lose_offsets,
    make_topic_again,
)
from tests.log_site import add_activities, add_mentor, own_site, records, verdict, written
from tests.own_site import OwnSite
from tests.stack import LIMIT_S, Stack, running_postgres

LOOK_EVERY_S = 0.5


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def _integrity(site: OwnSite, live: Generation) -> Integrity:
    return Integrity(live, site.connection, site.cluster, site.connect)


async def _break(integrity: Integrity) -> LogBroken:
    """The break that is found, looking as a worker does; fails when there is none."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        with suppress(CannotTell):
            found = await integrity.look()
            if found is not None:
                return found
        await asyncio.sleep(LOOK_EVERY_S)
    raise AssertionError(f"nothing was found within {LIMIT_S:g} s")


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("offsets_lost", lose_offsets),
        ("slot_missing", drop_slot),
        ("slot_ahead", advance_slot),
        ("topic_missing", delete_topic),
        ("topic_replaced", make_topic_again),
        ("partitions_changed", add_partitions),
        ("log_cut", cut),
        ("log_short", decide_too_far),
    ],
)
def test_a_break_is_told_and_noted_for_good(
    stack: Stack,
    database_url: str,
    kind: str,
    damage: Callable[[OwnSite, Generation], Awaitable[None]],
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            await add_mentor(site.connection, activities=3)
            live = await provisioning.provision(site)
            integrity = _integrity(site, live)
            assert await verdict(integrity) is None

            await damage(site, live)
            found = await _break(integrity)

            assert found.kind == kind
            assert "new generation" in str(found)
            noted = await generations.find(site.connection, live.log_id)
            assert noted is not None
            assert (noted.state, noted.reason) == ("broken", str(found))
            # Whoever noted it may die at once: the alert is there already.
            opened = await site.connection.fetch("SELECT kind FROM badge_alerts")
            assert [row["kind"] for row in opened] == [kind]
            assert (await _break(_integrity(site, live))).kind == "log_broken"

    run(test())


def test_a_topic_that_would_expire_is_told_and_mends(stack: Stack, database_url: str) -> None:
    async def configure(site: OwnSite, topic: str, settings: dict[str, str]) -> None:
        async with Admin(site) as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, topic, settings)
            await admin.alter_configs([resource])

    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            integrity = _integrity(site, live)

            await configure(site, live.topic, {**LOG_SETTINGS, "retention.ms": "604800000"})
            found = await _break(integrity)
            assert found.kind == "topic_settings"
            assert "retention.ms is 604800000, must be -1" in str(found)

            await configure(site, live.topic, dict(LOG_SETTINGS))
            # A broker learns of settings only after they are accepted.
            async with asyncio.timeout(LIMIT_S):
                while await verdict(integrity) is not None:  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_EVERY_S)
            assert await generations.live(site.connection) == live

    run(test())


def test_another_database_with_the_same_rows_is_told(stack: Stack, database_url: str) -> None:
    async def test(other: Stack) -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            elsewhere = await asyncpg.connect(other.database_url)
            await apply.migrate(elsewhere, prefix=site.prefix, role_passwords={})
            await generations.begin(elsewhere, live)
            await generations.go_live(elsewhere, live.log_id, 0, live.starts)

            found = await _break(Integrity(live, elsewhere, site.cluster, site.connect))

            assert found.kind == "other_database"
            await elsewhere.close()

    with running_postgres() as other:
        run(test(other))


def test_a_snapshot_that_somebody_begins_again_is_seen_by_whoever_reads_it(
    stack: Stack, database_url: str
) -> None:
    # A small one can be over between two looks at the offsets, so its rows have to tell.
    async def fold(site: OwnSite, live: Generation, number: int, end: int) -> None:
        state = Partition(live.log_id, number, live.starts[number])
        async for chunk in KafkaLog(site.access, live.topic).read(number, 0, end):
            state.fold(chunk, waiting=False)

    async def test() -> None:
        async with own_site(stack, database_url) as site:
            await add_mentor(site.connection, activities=5)
            live = await provisioning.provision(site)
            await lose_offsets(site, live)
            await site.connect.resume(live.connector)
            await written(site, live, sum(live.starts) * 2)
            ops = [json.loads(value)["__op"] for _, value in await records(site, live)]
            assert ops == ["r"] * 12

            topic = (await site.cluster.topics([live.topic]))[live.topic]
            ends = await site.cluster.ends(topic)
            (number,) = [n for n, start in enumerate(live.starts) if start > 0]
            with pytest.raises(LogBroken) as broken:
                await fold(site, live, number, ends[number])
            assert broken.value.kind == "snapshot_row"

    run(test())


@pytest.mark.parametrize("part", ["connect", "kafka", "postgres"])
def test_a_part_that_is_killed_while_rows_are_written_is_no_break(
    stack: Stack, database_url: str, part: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            mentor = await add_mentor(site.connection)
            live = await provisioning.provision(site)
            pool = await create_pool(
                stack.role_url("badges_worker", database_url),
                application_name="test",
                connect_timeout=LIMIT_S,
            )
            integrity = Integrity(live, pool, site.cluster, site.connect)
            done = asyncio.Event()
            looking = asyncio.create_task(_looks(integrity, done))

            await add_activities(site.connection, mentor, 500)
            await asyncio.to_thread(stack.kill, part)
            await asyncio.to_thread(stack.start, part)
            again = await asyncpg.connect(database_url)
            await add_activities(again, mentor, 500)
            await again.close()
            await written(site, live, 1001)
            last = await verdict(integrity)
            done.set()

            assert [last, *await looking] == [None] * (1 + len(looking.result()))
            pool.terminate()

    run(test())


async def _looks(integrity: Integrity, done: asyncio.Event) -> list[LogBroken | None]:
    """What every look found until `done`; a look that could not tell is left out."""
    verdicts = []
    while not done.is_set():
        with suppress(CannotTell):
            verdicts.append(await integrity.look())
        # As often as a worker: what three looks in a row find is believed.
        await asyncio.sleep(CHECK_SECONDS)
    return verdicts


def test_a_connector_that_does_not_run_is_an_outage_and_no_break(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            kinds = [await _outage(site, live)]
            await site.connect.stop(live.connector)
            kinds.append(await _outage(site, live))
            assert await verdict(_integrity(site, live)) is None
            await site.connect.delete(live.connector)
            kinds.append(await _outage(site, live))
            assert await verdict(_integrity(site, live)) is None

            assert kinds == [None, "connector_idle", "connector_missing"]
            nowhere = Connect("http://127.0.0.1:9")
            away = await outage(live, nowhere)
            await nowhere.close()
            assert away is not None
            assert away.kind == "connect_away"

    run(test())


async def _outage(site: OwnSite, live: Generation) -> str | None:
    found = await outage(live, site.connect)
    return found.kind if found else None
