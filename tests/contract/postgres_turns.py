"""Turns that a Postgres sink writes, of both kinds, and how to see that one was written once."""

from collections.abc import Callable

import pytest

from sinks.base import Position, Turn
from tests.contract.builders import Log, grant, stats_of
from tests.contract.worlds import PostgresWorld

Build = Callable[[Log, str, str], Turn]


def with_grant(log: Log, mentor: str, definition: str) -> Turn:
    return log.turn(grant(log.cause(), mentor, definition), stats=[stats_of(mentor)])


def with_stats_alone(log: Log, mentor: str, _: str) -> Turn:
    return log.turn(stats=[stats_of(mentor)])


KINDS = pytest.mark.parametrize("build", [with_grant, with_stats_alone])


async def assert_written_once(world: PostgresWorld, turn: Turn) -> None:
    (stats,) = turn.stats
    assert await world.stats(stats.peer_mentor_id) == stats
    assert len(await world.events(stats.peer_mentor_id)) == len(turn.decisions)
    held = await world.sink.awards(turn.log_id, 0, [stats.peer_mentor_id])
    assert held == [decision.after for decision in turn.decisions]
    position = await world.sink.position(turn.log_id, 0)
    assert position == Position(turn.end, turn.number + 1)
