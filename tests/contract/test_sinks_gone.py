"""Every sink: mentors and definitions that were deleted, and those that came back."""

import pytest

from sinks.base import MentorDeleted, Position
from tests.contract.builders import grant, promote, stats_of
from tests.contract.worlds import World

pytestmark = pytest.mark.anyio


async def test_decisions_about_who_is_gone_are_dropped(world: World) -> None:
    log = await world.live_log()
    mentor, gone = await world.mentor(), await world.mentor()
    definition, withdrawn = await world.definition(), await world.definition()
    await world.delete_mentor(gone)
    await world.delete_definition(withdrawn)
    kept = grant(log.cause(), mentor, definition)
    outcome = await world.sink.write(
        log.turn(
            grant(log.cause(), gone, definition),
            kept,
            grant(log.cause(), mentor, withdrawn),
            stats=[stats_of(gone), stats_of(mentor)],
        )
    )
    assert (len(outcome.written), outcome.overtaken, outcome.gone) == (1, 0, 2)
    assert await world.sink.awards(log.log_id, 0, [mentor, gone]) == [kept.after]
    assert await world.stats(gone) is None
    assert await world.stats(mentor) == stats_of(mentor)


async def test_stats_alone_of_who_is_gone_are_dropped(world: World) -> None:
    log = await world.live_log()
    mentor, gone = await world.mentor(), await world.mentor()
    await world.delete_mentor(gone)
    await world.sink.write(log.turn(stats=[stats_of(gone), stats_of(mentor, 4)]))
    assert await world.stats(gone) is None
    assert await world.stats(mentor) == stats_of(mentor, 4)
    assert await world.sink.position(log.log_id, 0) == Position(10, 1)


async def test_a_definition_inserted_again_forgets_its_former_self(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    await world.delete_definition(definition)
    await world.definition(definition)
    outcome = await world.sink.write(log.turn(grant(log.cause(), mentor, definition, version=1)))
    assert (len(outcome.written), outcome.gone) == (0, 1)
    new = grant(log.cause(), mentor, definition, version=3)
    assert len((await world.sink.write(log.turn(new))).written) == 1
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [new.after]


async def test_what_people_gave_of_a_definition_inserted_again_changes_all_the_same(
    world: World,
) -> None:
    """The worker holds their row by its version of before: the two would differ for good."""
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    await world.delete_definition(definition)
    await world.definition(definition)
    given = await world.award_by_hand(mentor, definition)
    promoted = promote(log.cause(), given, "silver", version=1)
    outcome = await world.sink.write(log.turn(promoted))
    assert (len(outcome.written), outcome.gone) == (1, 0)
    assert [each.tier for each in await world.rows(mentor)] == ["silver"]


async def test_a_mentor_inserted_again_starts_from_nothing(world: World) -> None:
    log = await world.live_log()
    mentor = await world.mentor()
    first, second, by_hand = [await world.definition() for _ in range(3)]
    await world.delete_mentor(mentor)
    await world.mentor(mentor)
    given = await world.award_by_hand(mentor, by_hand)
    # The worker is behind: it decides about the mentor's first life, and writes to the second.
    await world.sink.write(
        log.turn(grant(log.cause(), mentor, first), stats=[stats_of(mentor, 50)])
    )
    too_early = grant(log.cause(0), mentor, second)
    leaving = MentorDeleted(mentor, log.cause(1))
    outcome = await world.sink.write(log.turn(too_early, mentors_deleted=[leaving]))
    assert (len(outcome.written), outcome.gone) == (0, 1)
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [given]
    assert await world.events(mentor) == []
    assert await world.stats(mentor) is None


async def test_a_mentors_delete_comes_before_what_is_decided_after_it(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    await world.sink.write(log.turn(grant(log.cause(), mentor, definition)))
    before = grant(log.cause(2, by_version=True), mentor, definition)
    after = grant(log.cause(3), mentor, definition)
    outcome = await world.sink.write(
        log.turn(
            before,
            after,
            mentors_deleted=[MentorDeleted(mentor, log.cause(2))],
            stats=[stats_of(mentor, 2)],
        )
    )
    assert (len(outcome.written), outcome.gone) == (1, 1)
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [after.after]
    assert [event.badge_award_id for event in await world.events(mentor)] == [after.after.id]
    assert await world.stats(mentor) == stats_of(mentor, 2)
