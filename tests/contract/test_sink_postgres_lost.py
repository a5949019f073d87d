"""Connections that break under a writer, and rivals: what was written is written once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sinks.base import Outcome, Position
from sinks.errors import Fenced, Unavailable
from sinks.pool import Connection, Pool, create_pool
from sinks.postgres import PostgresSink
from tests.contract.builders import Log, stats_of
from tests.contract.postgres_turns import (
    KINDS,
    Build,
    assert_written_once,
    with_grant,
    with_stats_alone,
)
from tests.contract.proxy import Proxy, proxied
from tests.contract.worlds import PostgresWorld
from tests.patience import until
from tests.stack import LIMIT_S, Stack

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(patient_world: PostgresWorld) -> PostgresWorld:
    return patient_world


@pytest.fixture
async def lossy(postgres: Stack, contract_url: str) -> AsyncIterator[tuple[Proxy, PostgresSink]]:
    """A sink behind a proxy that can lose answers."""
    async with proxied(postgres.role_url("badges_worker", contract_url)) as (proxy, url):
        pool = await create_pool(url, max_size=1, application_name="test", connect_timeout=LIMIT_S)
        yield proxy, PostgresSink(pool)
        pool.terminate()


async def waiting_backend(owner: Pool, other: Connection) -> Any:
    """The id of a backend that waits for a lock of another's."""
    return await owner.fetchval(
        "SELECT pid FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))",
        other.get_server_pid(),
    )


@KINDS
async def test_a_backend_killed_in_mid_turn(world: PostgresWorld, build: Build) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    turn = build(log, mentor, definition)
    async with world.owner.acquire() as other, other.transaction():
        await other.execute("SELECT FROM peer_mentors WHERE id = $1 FOR UPDATE", mentor)
        writing = asyncio.create_task(world.sink.write(turn))
        pid = await until(lambda: waiting_backend(world.owner, other), "the worker waits")
        await world.owner.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(Unavailable):
            await writing
    assert await world.sink.position(log.log_id, 0) == Position(0, 0)
    await world.sink.write(turn)
    await assert_written_once(world, turn)


@KINDS
async def test_a_writer_that_is_cancelled_while_its_connection_breaks_ends(
    world: PostgresWorld, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the rollback fails of takes the place of the cancellation, and would be tried again."""

    async def refused(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("asyncpg.connect_utils._cancel", refused)
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    async with world.owner.acquire() as other, other.transaction():
        await other.execute("SELECT FROM peer_mentors WHERE id = $1 FOR UPDATE", mentor)
        writing = asyncio.create_task(world.sink.write(build(log, mentor, definition)))
        await until(lambda: waiting_backend(world.owner, other), "the worker waits")
        writing.cancel()
        await asyncio.wait([writing])
    assert writing.cancelled()


async def test_a_partition_taken_up_again_while_it_is_written(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    turn = with_grant(log, mentor, definition)
    async with world.owner.acquire() as other, other.transaction():
        await other.execute("SELECT FROM peer_mentors WHERE id = $1 FOR UPDATE", mentor)
        writing = asyncio.create_task(world.sink.write(turn))
        await until(lambda: waiting_backend(world.owner, other), "the worker waits")
        assert await world.sink.position(log.log_id, 0) == Position(0, 0)
    outcome = await writing
    assert len(outcome.written) == 1
    await assert_written_once(world, turn)


async def test_a_backend_killed_in_its_commit(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    turn = with_grant(log, mentor, definition)
    await world.owner.execute(
        """
        CREATE FUNCTION test_wait() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON badge_award_events
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION test_wait()
        """
    )
    try:
        async with world.owner.acquire() as other, other.transaction():
            await other.execute("SELECT pg_advisory_xact_lock(77)")
            writing = asyncio.create_task(world.sink.write(turn))
            pid = await until(lambda: waiting_backend(world.owner, other), "the worker commits")
            query = "SELECT query FROM pg_stat_activity WHERE pid = $1"
            assert await world.owner.fetchval(query, pid) == "COMMIT;"
            await world.owner.execute("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises(Unavailable):
                await writing
    finally:
        await world.owner.execute("DROP FUNCTION test_wait CASCADE")
    await world.sink.write(turn)
    await assert_written_once(world, turn)


@pytest.mark.parametrize(("build", "request_"), [(with_grant, "COMMIT;"), (with_stats_alone, None)])
async def test_a_commit_whose_answer_is_lost_is_known_again(
    world: PostgresWorld,
    lossy: tuple[Proxy, PostgresSink],
    build: Build,
    request_: str | None,
) -> None:
    proxy, sink = lossy
    mentor, definition = await world.mentor(), await world.definition()
    warm = await world.live_log()
    await sink.write(build(warm, await world.mentor(), definition))
    log = await world.live_log()
    turn = build(log, mentor, definition)
    proxy.lose_answer_to((request_ or mentor).encode())
    with pytest.raises(Unavailable):
        await sink.write(turn)
    assert proxy.lost == 1
    await assert_written_once(world, turn)
    assert await sink.write(turn) == Outcome()
    await assert_written_once(world, turn)
    await sink.write(log.turn(stats=[stats_of(mentor, 9)]))
    assert await world.stats(mentor) == stats_of(mentor, 9)


async def test_a_lost_answer_does_not_make_a_rivals_turn_ours(
    world: PostgresWorld, lossy: tuple[Proxy, PostgresSink]
) -> None:
    proxy, sink = lossy
    mentor, definition = await world.mentor(), await world.definition()
    log = await world.live_log()
    turn = with_grant(log, mentor, definition)
    proxy.lose_answer_to(b"BEGIN;")
    with pytest.raises(Unavailable):
        await sink.write(turn)
    await world.sink.write(turn)
    with pytest.raises(Fenced):
        await sink.write(turn)
    await assert_written_once(world, turn)


async def test_another_turn_after_a_lost_answer_is_fenced_off(
    world: PostgresWorld, lossy: tuple[Proxy, PostgresSink]
) -> None:
    proxy, sink = lossy
    mentor, definition = await world.mentor(), await world.definition()
    log = await world.live_log()
    turn = with_grant(log, mentor, definition)
    proxy.lose_answer_to(b"COMMIT;")
    with pytest.raises(Unavailable):
        await sink.write(turn)
    with pytest.raises(Fenced):
        await sink.write(with_stats_alone(Log(log.log_id), mentor, definition))


@KINDS
async def test_of_two_writers_of_one_turn_exactly_one_wins(
    world: PostgresWorld, build: Build
) -> None:
    rival = PostgresSink(world.worker)
    log = await world.live_log()
    for _ in range(10):
        mentor, definition = await world.mentor(), await world.definition()
        turn = build(log, mentor, definition)
        results = await asyncio.gather(
            world.sink.write(turn), rival.write(turn), return_exceptions=True
        )
        assert sorted(type(result).__name__ for result in results) == ["Fenced", "Outcome"]
        await assert_written_once(world, turn)
