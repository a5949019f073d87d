"""Postgres killed and started again under a writer: every turn is written once, none is lost."""

import asyncio
from collections.abc import Sequence

import pytest

from sinks.base import Outcome, Position, Turn
from sinks.errors import Unavailable
from tests.contract.builders import grant, stats_of
from tests.contract.worlds import PostgresWorld
from tests.stack import LIMIT_S, Stack

pytestmark = pytest.mark.anyio

TURNS = 60


async def write_at_last(world: PostgresWorld, turn: Turn) -> Outcome:
    """Write as a worker does, again and again while Postgres is away; never Fenced."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                return await world.sink.write(turn)
            except Unavailable:
                await asyncio.sleep(0.02)


async def write_all(
    world: PostgresWorld, turns: Sequence[Turn], reached: dict[int, asyncio.Event]
) -> None:
    for number, turn in enumerate(turns):
        if number in reached:
            reached[number].set()
        await write_at_last(world, turn)


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_postgres_dies_under_a_writer(
    postgres: Stack, postgres_world: PostgresWorld, how: str
) -> None:
    world = postgres_world
    log = await world.live_log()
    definition = await world.definition()
    mentors = [await world.mentor() for _ in range(TURNS)]
    turns = [
        log.turn(
            *([grant(log.cause(), mentor, definition)] if number % 2 else []),
            stats=[stats_of(mentor, number)],
            records=1,
        )
        for number, mentor in enumerate(mentors)
    ]
    reached = {number: asyncio.Event() for number in (15, 40)}
    writing = asyncio.create_task(write_all(world, turns, reached))
    for moment in reached.values():
        async with asyncio.timeout(LIMIT_S):
            await moment.wait()
        await asyncio.to_thread(getattr(postgres, how), "postgres")
        await asyncio.to_thread(postgres.start, "postgres")
    await writing
    assert await world.sink.position(log.log_id, 0) == Position(TURNS, TURNS)
    held = await world.sink.awards(log.log_id, 0, mentors)
    assert {award.peer_mentor_id for award in held} == set(mentors[1::2])
    for number, mentor in enumerate(mentors):
        assert await world.stats(mentor) == stats_of(mentor, number)
        assert len(await world.events(mentor)) == number % 2
