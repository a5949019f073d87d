"""Every sink: what a replay writes back, of rows that were lost."""

import msgspec.structs
import pytest

from tables.decisions import Decision
from tests.contract.builders import grant, promote, revoke
from tests.contract.worlds import World

pytestmark = pytest.mark.anyio


async def test_a_row_that_was_lost_is_granted_once(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(granted))
    await world.delete_award(granted.after.id)
    outcome = await world.sink.write(log.turn(granted))
    assert len(outcome.written) == 1
    assert await world.rows(mentor) == [granted.after]
    assert [event.kind for event in await world.events(mentor)] == ["granted", "restored"]


async def test_what_a_person_gave_is_written_back_and_the_rule_goes_on(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    given = await world.award_by_hand(mentor, definition)
    believed = msgspec.structs.replace(given)
    await world.delete_award(given.id)
    cause = log.cause(by_version=True)
    outcome = await world.sink.write(log.turn(Decision("granted", cause, None, given, 1)))
    assert len(outcome.written) == 1
    (row,) = await world.rows(mentor)
    assert (row.id, row.awarded_by, row.changed_by) == (given.id, "postgres", "rule")

    outcome = await world.sink.write(log.turn(promote(log.cause(), believed, "silver")))
    assert (len(outcome.written), outcome.overtaken) == (1, 0)
    (row,) = await world.rows(mentor)
    assert (row.tier, row.awarded_by) == ("silver", "postgres")


async def test_a_revocation_that_was_lost_is_one_more_event(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition)
    revoked = revoke(log.cause(1), granted.after)
    await world.sink.write(log.turn(granted, revoked))
    await world.delete_award(granted.after.id)
    await world.sink.write(log.turn(granted, revoked))
    (row,) = await world.rows(mentor)
    assert row.revoked_by == "rule"
    kinds = [event.kind for event in await world.events(mentor)]
    assert kinds == ["granted", "revoked", "restored", "revoked"]
