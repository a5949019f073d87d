"""Every sink: what the store refuses goes to the dead letters, and stops nothing."""

import pytest

from badges.sinks.base import Position, Unavailable
from tests.contract.builders import grant, revoke, stats_of
from tests.contract.worlds import World

pytestmark = pytest.mark.anyio


async def test_a_refused_decision_goes_to_the_dead_letters(world: World) -> None:
    log = await world.live_log()
    mentors = [await world.mentor() for _ in range(5)]
    definition = await world.definition()
    decisions = [grant(log.cause(place), m, definition) for place, m in enumerate(mentors)]
    bad = grant(log.cause(2), mentors[2], definition, tier="silver\x00")
    decisions[2] = bad
    outcome = await world.sink.write(log.turn(*decisions, stats=[stats_of(m) for m in mentors]))
    assert (outcome.written, outcome.overtaken) == (4, 0)
    (rejected,) = outcome.rejected
    assert rejected.decision == bad
    assert rejected.reason
    (letter,) = world.letters.letters.values()
    assert (letter.log_id, letter.partition, letter.offset) == (log.log_id, 0, 2)
    assert letter.badge_definition_id == definition
    assert letter.key == mentors[2].encode()
    held = await world.sink.awards(log.log_id, 0, mentors)
    assert {award.peer_mentor_id for award in held} == set(mentors) - {mentors[2]}
    assert await world.stats(mentors[2]) == stats_of(mentors[2])
    assert await world.sink.position(log.log_id, 0) == Position(10, 1)


async def test_without_dead_letters_nothing_is_written(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    good = grant(log.cause(0), mentor, definition)
    bad = grant(log.cause(1), await world.mentor(), definition, tier="silver\x00")
    turn = log.turn(good, bad, stats=[stats_of(mentor)])
    world.letters.away = True
    with pytest.raises(Unavailable):
        await world.sink.write(turn)
    assert await world.sink.position(log.log_id, 0) == Position(0, 0)
    assert await world.sink.awards(log.log_id, 0, [mentor]) == []
    assert await world.stats(mentor) is None
    world.letters.away = False
    assert (await world.sink.write(turn)).written == 1
    assert len(world.letters.letters) == 1


async def test_what_follows_a_refused_decision_is_refused_too(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    bad = grant(log.cause(0), mentor, definition, tier="silver\x00")
    outcome = await world.sink.write(log.turn(bad, revoke(log.cause(1), bad.after)))
    assert (outcome.written, len(outcome.rejected)) == (0, 2)


async def test_refused_stats_do_not_stop_the_turn(world: World) -> None:
    log = await world.live_log()
    mentor, other = await world.mentor(), await world.mentor()
    bad = stats_of(mentor, 1, kind="visit\x00")
    await world.sink.write(log.turn(stats=[stats_of(other), bad]))
    assert await world.stats(mentor) is None
    assert await world.stats(other) == stats_of(other)
    assert await world.sink.position(log.log_id, 0) == Position(10, 1)
