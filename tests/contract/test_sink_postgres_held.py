"""What is written at a position, and a turn that is made while nobody else may move it."""

import asyncio

import msgspec.structs
import pytest

from sinks.base import Position, Turn
from sinks.errors import Fenced
from sinks.written import Written
from tests.contract.builders import grant, stats_of
from tests.contract.worlds import PostgresWorld
from tests.patience import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(patient_world: PostgresWorld) -> PostgresWorld:
    return patient_world


async def test_a_turn_is_made_while_nobody_moves_the_position(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition)
    theirs = log.turn(stats=[stats_of(mentor, 5)])
    holds, waits = asyncio.Event(), asyncio.Event()

    async def make(written: Written) -> Turn:
        assert await written.keep_position() == Position(0, 0)
        holds.set()
        await waits.wait()
        return msgspec.structs.replace(theirs, end=0, decisions=[granted], stats=[stats_of(mentor)])

    writing = asyncio.create_task(world.postgres.write_as_of(log.log_id, 0, make))
    await holds.wait()
    worker = asyncio.create_task(world.sink.write(theirs))
    await until(lambda: waits_for_us(world), "the worker waits")
    waits.set()
    outcome = await writing
    assert outcome is not None
    assert len(outcome.written) == 1
    with pytest.raises(Fenced):
        await worker
    with pytest.raises(Fenced):
        await world.sink.write(theirs)
    assert await world.sink.position(log.log_id, 0) == Position(0, 1)
    assert await world.rows(mentor) == [granted.after]
    assert await world.stats(mentor) == stats_of(mentor)


async def waits_for_us(world: PostgresWorld) -> bool:
    """Whether a session of the database waits for a lock."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
    """
    return bool(await world.owner.fetchval(query))


async def test_a_turn_that_is_not_made_writes_nothing(world: PostgresWorld) -> None:
    log = await world.live_log()

    async def make(written: Written) -> None:
        assert await written.keep_position() == Position(0, 0)

    assert await world.postgres.write_as_of(log.log_id, 0, make) is None
    assert await world.sink.position(log.log_id, 0) == Position(0, 0)
    await world.close_log(log.log_id)

    async def closed(written: Written) -> None:
        assert await written.keep_position() is None
        assert await written.position() is None

    assert await world.postgres.write_as_of(log.log_id, 0, closed) is None


async def test_what_is_refused_waits_and_counts_as_written(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentors = [await world.mentor() for _ in range(2)]
    definition = await world.definition()
    await world.refuse("award", definition)
    await world.refuse("stats", mentors[1])
    granted = grant(log.cause(), mentors[0], definition)
    stats = [stats_of(mentor) for mentor in mentors]
    turn = log.turn(granted, records=0, stats=stats)

    async def make(written: Written) -> Turn:
        await written.keep_position()
        return turn

    outcome = await world.postgres.write_as_of(log.log_id, 0, make)
    assert outcome is not None
    assert (len(outcome.written), outcome.refused, outcome.waits) == (0, 2, True)
    assert await world.stats(mentors[1]) is None
    written = Written(world.worker, log.log_id, 0)
    assert await written.awards(mentors) == [granted.after]
    assert await written.stats(mentors) == {each.peer_mentor_id: each for each in stats}


async def test_statistics_are_read_as_they_were_written(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentors = [await world.mentor() for _ in range(3)]
    empty = msgspec.structs.replace(
        stats_of(mentors[1], 0), first_activity_on=None, day_streak_last_on=None
    )
    # Past the year 9999, where Python's dates end.
    far = msgspec.structs.replace(stats_of(mentors[0]), last_activity_on=2_933_296)
    await world.sink.write(log.turn(stats=[far, empty]))
    found = await Written(world.worker, log.log_id, 0).stats(mentors)
    assert found == {mentors[0]: far, mentors[1]: empty}
