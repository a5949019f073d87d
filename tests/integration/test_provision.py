"""Filling a generation of the log on the real stack, and what happens when that is disturbed."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from badges import settings
from badges.cli import provision as command
from badges.cli.commands import app
from schema import apply
from streams.errors import Failure
from streams.filling import next_generation, provisioning
from streams.filling.provisioning import resnapshot
from streams.filling.site import Site
from streams.log import generations, observation, topics
from streams.log.wal import read_slot
from tests.integration.breaks import delete_topic, forget_topic
from tests.log_site import add_activities, add_mentor, own_site, records, written
from tests.own_site import OwnSite
from tests.stack import LIMIT_S, Stack


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def _positions(site: Site, log_id: str) -> list[tuple[int, int, int]]:
    rows = await site.connection.fetch(
        "SELECT partition, next_offset, turn FROM badge_log_positions WHERE log_id = $1 ORDER BY 1",
        log_id,
    )
    return [(row["partition"], row["next_offset"], row["turn"]) for row in rows]


def test_an_empty_database_gets_generation_1_and_running_again_changes_nothing(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            first = await provisioning.provision(site)
            config = await site.connect.config(first.connector)
            again = await provisioning.provision(site)

            assert first.number == 1
            assert first.state == "live"
            assert first.starts == (0, 0, 0)
            assert await _positions(site, first.log_id) == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]
            assert again == first
            assert await site.connect.config(first.connector) == config
            assert await provisioning.plan(site) == []
            assert await provisioning.notes(site, first) == [provisioning.ONE_REPLICA]

    run(test())


def test_rows_that_are_there_come_as_a_snapshot_and_later_ones_after_the_start(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            mentor = await add_mentor(site.connection, activities=40)
            live = await provisioning.provision(site)
            assert sum(live.starts) == 41
            await add_activities(site.connection, mentor, 2)
            await written(site, live, 43)
            found = await records(site, live)

            assert {key for key, _ in found} == {str(mentor)}
            ops = [json.loads(value)["__op"] for _, value in found]
            assert ops == ["r"] * 41 + ["c"] * 2
            assert not any(b"Secret" in value for _, value in found)

    run(test())


def test_every_kind_of_change_arrives_under_the_key_of_its_mentor(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            here, there = [await add_mentor(site.connection) for _ in range(2)]
            live = await provisioning.provision(site)
            await site.connection.execute(
                "INSERT INTO activities VALUES (gen_random_uuid(), $1, 'visit', '2026-01-01')", here
            )
            await site.connection.execute("UPDATE activities SET activity_type = 'phone'")
            await site.connection.execute("UPDATE activities SET peer_mentor_id = $1", there)
            await site.connection.execute("TRUNCATE activities")
            await site.connection.execute("DELETE FROM peer_mentors WHERE id = $1", here)
            await written(site, live, 8)
            found = [(key, json.loads(value)) for key, value in await records(site, live)]

            seen = {
                str(mentor): [
                    (row["__table"], row["__op"]) for key, row in found if key == str(mentor)
                ]
                for mentor in (here, there)
            }
            assert seen[str(here)] == [
                ("peer_mentors", "r"),
                ("activities", "c"),
                ("activities", "u"),
                ("activities", "d"),
                ("peer_mentors", "d"),
            ]
            assert seen[str(there)] == [
                ("peer_mentors", "r"),
                ("activities", "c"),
                ("activities", "d"),
            ]

    run(test())


IN_SMALL_STEPS = {"max.batch.size": "20", "max.queue.size": "40"}
"""Settings of a connector, so that its snapshot is not over before it is broken off."""


@pytest.mark.parametrize("how", ["connect killed", "connector deleted", "connector stopped"])
def test_a_snapshot_that_breaks_off_is_thrown_away_and_begun_again_as_the_next_number(
    stack: Stack, database_url: str, how: str
) -> None:
    async def disturb(site: OwnSite, begun: asyncio.Event) -> None:
        await begun.wait()
        generation = await _filling_with_rows(site)
        if how == "connect killed":
            await asyncio.to_thread(stack.kill, "connect")
            await asyncio.to_thread(stack.start, "connect")
        elif how == "connector deleted":
            await site.connect.delete(generation.connector)
        else:
            await site.connect.stop(generation.connector)

    async def test() -> None:
        async with own_site(stack, database_url) as quiet_site:
            begun = asyncio.Event()
            site = replace(quiet_site, say=lambda _: begun.set(), more=IN_SMALL_STEPS)
            await add_mentor(site.connection, activities=60_000)
            other = await asyncpg.connect(database_url)
            live, _ = await asyncio.gather(
                provisioning.provision(site), disturb(_with_connection(site, other), begun)
            )
            await other.close()
            found = await records(site, live)

            assert live.number == 2
            assert sum(live.starts) == len(found) == 60_001
            first = await site.connection.fetchrow(
                "SELECT state, reason, live_at FROM badge_logs WHERE generation = 1"
            )
            assert first is not None
            assert (first["state"], first["live_at"]) == ("broken", None)
            assert first["reason"]
            gone = generations.names(site.prefix, 1)
            assert await read_slot(site.connection, gone.slot) is None
            assert await site.connect.status(gone.connector) is None
            assert await site.cluster.topics([gone.topic, gone.heartbeat_topic]) == {}

    run(test())


async def _filling_with_rows(site: Site) -> generations.Generation:
    """The generation being filled, once some of its rows are in the topic."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            generation = await generations.filling(site.connection)
            if generation is not None:
                topics = await site.cluster.topics([generation.topic])
                if topics and sum(await site.cluster.ends(topics[generation.topic])) > 0:
                    return generation
            await asyncio.sleep(0.02)


def _with_connection(site: OwnSite, connection: Any) -> OwnSite:
    return OwnSite(**{**vars(site), "connection": connection})


def test_a_provision_that_was_killed_is_gone_on_with(stack: Stack, database_url: str) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            await add_mentor(site.connection, activities=100)
            begun = await next_generation.begin(site)
            await next_generation.snapshot_ended(site, begun)

            live = await provisioning.provision(site)

            assert live.log_id == begun.log_id
            assert sum(live.starts) == 101

    run(test())


def test_two_at_once_fill_one_generation(stack: Stack, database_url: str) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            other = await asyncpg.connect(database_url)
            one, two = await asyncio.gather(
                provisioning.provision(site), provisioning.provision(_with_connection(site, other))
            )
            await other.close()

            assert one == two
            assert await site.connection.fetchval("SELECT count(*) FROM badge_logs") == 1

    run(test())


def test_a_new_generation_closes_the_old_one_before_it_starts(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            await add_mentor(site.connection, activities=10)
            old = await provisioning.provision(site)
            new = await provisioning.fill(site)

            assert (old.number, new.number) == (1, 2)
            closed = await generations.find(site.connection, old.log_id)
            assert closed is not None
            assert closed.state == "closed"
            assert await _positions(site, old.log_id) == []
            assert len(await _positions(site, new.log_id)) == 3
            assert await generations.live(site.connection) == new
            assert Counter(key for key, _ in await records(site, new)).total() == 11

    run(test())


def test_a_missing_connector_comes_back_where_it_was(stack: Stack, database_url: str) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            await site.connect.delete(live.connector)
            mentor = await add_mentor(site.connection)
            assert await provisioning.plan(site) == [
                f"create the missing connector {live.connector} again"
            ]

            assert await provisioning.provision(site) == live

            await written(site, live, 1)
            ((key, value),) = await records(site, live)
            assert (key, json.loads(value)["__op"]) == (str(mentor), "c")

    run(test())


def test_a_stopped_connector_and_a_changed_configuration_are_put_right(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            wanted = await site.connect.config(live.connector)
            assert wanted is not None
            await site.connect.configure(live.connector, {**wanted, "poll.interval.ms": "77"})
            await site.connect.stop(live.connector)

            await provisioning.provision(site)

            assert await site.connect.config(live.connector) == wanted
            await add_mentor(site.connection)
            await written(site, live, 1)

    run(test())


@pytest.mark.parametrize("at_once", [3.0, 0.0], ids=["in time", "late"])
def test_a_connector_whose_offsets_are_gone_is_not_started_again(
    stack: Stack, database_url: str, monkeypatch: pytest.MonkeyPatch, at_once: float
) -> None:
    monkeypatch.setattr(observation, "CONNECT_TIMEOUT_S", at_once)

    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            await site.connect.stop(live.connector)
            await site.connect.delete_offsets(live.connector)
            await site.connect.delete(live.connector)

            for _ in range(2):
                with pytest.raises(Failure, match=r"offsets .* `badges resnapshot`") as caught:
                    await provisioning.provision(site)
                assert caught.value.code == 1

            status = await site.connect.status(live.connector)
            assert status is not None
            assert status.state == "STOPPED"

    run(test())


def test_whoever_looks_into_another_kafka_ends_no_log_and_makes_no_topic_there(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            letters = topics.dead_letters(site.prefix).name
            # So a Kafka looks that has nothing to do with this log.
            await delete_topic(site, live)
            await forget_topic(site, letters)

            for act in (provisioning.provision, provisioning.plan):
                with pytest.raises(Failure, match=f"the topic {live.topic} is gone") as caught:
                    await act(site)
                assert caught.value.code == 1
                assert "Make sure first that BADGES_KAFKA_BOOTSTRAP" in str(caught.value)

            assert await generations.live(site.connection) == live
            assert await site.connection.fetch("SELECT FROM badge_alerts") == []
            assert letters not in await site.cluster.topics([letters])

    run(test())


@pytest.mark.parametrize("state", ["live", "filling"])
def test_a_log_of_another_prefix_is_left_alone(stack: Stack, database_url: str, state: str) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            before = await site.connect.config(live.connector)
            await site.connection.execute("UPDATE badge_logs SET state = $1", state)
            other = replace(site, prefix=f"{site.prefix}_other")

            for prepared in (False, True):
                if prepared:
                    await apply.migrate(site.connection, prefix=other.prefix, role_passwords={})
                for act in (provisioning.provision, provisioning.plan, resnapshot):
                    with pytest.raises(Failure) as caught:
                        await act(other)
                    assert caught.value.code == 2
                    assert f"was made with the prefix '{site.prefix}'" in str(caught.value)
                    assert f"BADGES_PREFIX is '{other.prefix}'" in str(caught.value)

            assert await site.connect.config(live.connector) == before
            await site.connection.execute("UPDATE badge_logs SET state = 'live'")
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "badges.cli.main", "worker"),
                env={
                    **os.environ,
                    **stack.environment(database_url),
                    "BADGES_DATABASE_URL": stack.role_url("badges_worker", database_url),
                    "BADGES_PREFIX": other.prefix,
                },
                stderr=asyncio.subprocess.PIPE,
            )
            async with asyncio.timeout(LIMIT_S):
                _, errors = await worker.communicate()
            assert worker.returncode == 2
            line = errors.decode().splitlines()[-1]
            assert line.startswith("badges: generation 1 of this database's log was made with")

    run(test())


def test_a_database_without_migrations_is_told_what_to_do(stack: Stack, database_url: str) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            await site.connection.execute(f"DROP PUBLICATION {site.prefix}_mentor_log")

            with pytest.raises(Failure, match="run `badges migrate` first"):
                await provisioning.provision(site)

    run(test())


@pytest.fixture
def fresh_settings() -> Iterator[None]:
    """Settings are read anew in the test, and by whoever comes after it."""
    yield
    settings.load.cache_clear()


@pytest.mark.usefixtures("fresh_settings")
def test_the_command_prints_a_plan_then_its_result(
    stack: Stack, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def badges(*arguments: str) -> Any:
        settings.load.cache_clear()
        result = CliRunner().invoke(app, ["provision", *arguments, "--json"])
        assert result.exception is None, result.exception
        return json.loads(result.stdout)

    async def test() -> None:
        async with own_site(stack, database_url) as site:
            environment = {**stack.environment(database_url), "BADGES_PREFIX": site.prefix}
            for name, value in {**environment, "BADGES_PARTITIONS": "3"}.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setattr(command, "Site", partial(OwnSite, database=site.database))

            plan = await asyncio.to_thread(badges, "--dry-run")
            assert plan == {
                "would": [
                    "begin a new generation of the log: topics, slot, connector and first snapshot"
                ],
                "notes": [],
            }
            assert await generations.newest(site.connection) is None
            result = await asyncio.to_thread(badges)

            live = await generations.live(site.connection)
            assert live is not None
            assert result["log_id"] == live.log_id
            assert result["starts"] == [0, 0, 0]
            assert result["notes"] == [provisioning.ONE_REPLICA]

    run(test())
