"""Several processes write a partition in turn, each with a sink of its own."""

import pytest

from sinks.base import Position
from sinks.postgres import PostgresSink
from tables.decisions import Decision
from tests.contract.builders import Log, grant, revoke, stats_of
from tests.contract.worlds import PostgresWorld

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(postgres_world: PostgresWorld) -> PostgresWorld:
    return postgres_world


def process(world: PostgresWorld) -> PostgresSink:
    return PostgresSink(world.worker, refusal_patience=0)


async def refused_elsewhere(
    world: PostgresWorld, first: PostgresSink
) -> tuple[Log, str, Decision, Position]:
    """A partition that comes back to a process: log, mentor, what another was refused, position.

    What was refused waits, and would be accepted by now.
    """
    log, mentor, definition = await world.live_log(), await world.mentor(), await world.definition()
    await first.write(log.turn(stats=[stats_of(mentor)]))
    await world.refuse("award", definition)
    granted = grant(log.cause(), mentor, definition)
    assert (await process(world).write(log.turn(granted))).waits
    await world.accept("award", definition)
    position = await first.position(log.log_id, 0)
    assert position is not None
    return log, mentor, granted, position


async def test_a_partition_that_comes_back_brings_along_what_waits_by_now(
    world: PostgresWorld,
) -> None:
    first = process(world)
    log, mentor, granted, _ = await refused_elsewhere(world, first)

    outcome = await first.write(log.turn(revoke(log.cause(), granted.after)))

    assert (len(outcome.accepted), len(outcome.written)) == (1, 1)
    assert (outcome.overtaken, outcome.waits) == (0, False)
    (row,) = await world.rows(mentor)
    assert row.revoked_by == "rule"
    assert [event.kind for event in await world.events(mentor)] == ["granted", "revoked"]


async def test_what_waits_is_tried_again_by_a_process_that_had_the_partition_before(
    world: PostgresWorld,
) -> None:
    first = process(world)
    log, mentor, _, position = await refused_elsewhere(world, first)

    waits = (await first.retry(log.log_id, 0, position)).waits

    assert not waits
    assert [row.revoked_by for row in await world.rows(mentor)] == [None]
