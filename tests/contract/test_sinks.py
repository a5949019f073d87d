"""What every sink must do: one suite for all of them."""

import msgspec
import pytest

from sinks.base import Position
from sinks.errors import Fenced
from tables.types import AppliedVersion
from tests.contract.builders import CAUSED, grant, promote, restore, revoke, stats_of, withdraw
from tests.contract.worlds import World

pytestmark = pytest.mark.anyio


async def test_a_turn_moves_the_position(world: World) -> None:
    log = await world.live_log(next_offset=40, number=3)
    assert await world.sink.position(log.log_id, 0) == Position(40, 3)
    outcome = await world.sink.write(log.turn(records=5))
    assert (len(outcome.written), outcome.overtaken, outcome.gone) == (0, 0, 0)
    assert await world.sink.position(log.log_id, 0) == Position(45, 4)


async def test_a_turn_without_records_counts_as_a_turn(world: World) -> None:
    log = await world.live_log(next_offset=40)
    await world.sink.write(log.turn(records=0))
    assert await world.sink.position(log.log_id, 0) == Position(40, 1)


async def test_a_turn_says_what_decided_it(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    assert await world.sink.evaluator(log.log_id, 0) is None
    with_stats_alone = log.turn(stats=[stats_of(mentor)])
    await world.sink.write(msgspec.structs.replace(with_stats_alone, evaluator="first"))
    assert await world.sink.evaluator(log.log_id, 0) == "first"
    await world.sink.write(log.turn())
    assert await world.sink.evaluator(log.log_id, 0) == "first"
    with_grant = log.turn(grant(log.cause(), mentor, definition))
    await world.sink.write(msgspec.structs.replace(with_grant, evaluator="second"))
    assert await world.sink.evaluator(log.log_id, 0) == "second"
    assert await world.sink.evaluator(log.log_id, 1) is None


async def test_a_log_that_is_not_live_has_no_position(world: World) -> None:
    log = await world.live_log()
    await world.close_log(log.log_id)
    assert await world.sink.position(log.log_id, 0) is None
    assert await world.sink.position(log.log_id, 1) is None


async def test_a_closed_log_fences_off(world: World) -> None:
    log = await world.live_log()
    mentor = await world.mentor()
    await world.close_log(log.log_id)
    with pytest.raises(Fenced):
        await world.sink.write(log.turn(stats=[stats_of(mentor)]))
    assert await world.stats(mentor) is None


@pytest.mark.parametrize(("offset", "number"), [(1, 0), (0, 1), (10, 1)])
async def test_a_position_that_moved_fences_off(world: World, offset: int, number: int) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    elsewhere = await world.live_log(offset, number)
    log.log_id = elsewhere.log_id
    turn = log.turn(
        grant(log.cause(), mentor, definition),
        stats=[stats_of(mentor)],
        applied=[("definition", definition, 1)],
    )
    with pytest.raises(Fenced):
        await world.sink.write(turn)
    assert await world.sink.awards(log.log_id, 0, [mentor]) == []
    assert await world.stats(mentor) is None
    assert await world.sink.applied(log.log_id, 0, number + 1) == []
    assert await world.sink.position(log.log_id, 0) == Position(offset, number)


async def test_the_same_turn_twice_is_fenced_off(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    turn = log.turn(grant(log.cause(), mentor, definition))
    assert len((await world.sink.write(turn)).written) == 1
    with pytest.raises(Fenced):
        await world.sink.write(turn)
    assert len(await world.events(mentor)) == 1


async def test_a_grant_writes_a_row_and_an_event(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    decision = grant(log.cause(3), mentor, definition, tier="bronze")
    outcome = await world.sink.write(log.turn(decision))
    assert len(outcome.written) == 1
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [decision.after]
    assert await world.evidence(decision.after.id) == decision.evidence
    (event,) = await world.events(mentor)
    assert event.badge_award_id == decision.after.id
    assert (event.kind, event.tier, event.source) == ("granted", "bronze", "stream")
    assert event.definition_version == 1


async def test_an_event_says_when_the_row_that_caused_it_was_committed(world: World) -> None:
    log = await world.live_log()
    mentor, definition, other = (
        await world.mentor(),
        await world.definition(),
        await world.definition(),
    )
    by_row = grant(log.cause(3), mentor, definition, caused_at=CAUSED)
    by_version = grant(log.cause(by_version=True), mentor, other)
    await world.sink.write(log.turn(by_row, by_version))
    caused_at = {e.badge_award_id: e.caused_at for e in await world.events(mentor)}
    assert caused_at == {by_row.after.id: CAUSED, by_version.after.id: None}


async def test_versions_are_recorded_and_their_events_say_replay(world: World) -> None:
    log = await world.live_log(next_offset=7, number=2)
    mentor, definition = await world.mentor(), await world.definition()
    decision = grant(log.cause(by_version=True), mentor, definition)
    await world.sink.write(log.turn(decision, records=0, applied=[("definition", definition, 1)]))
    recorded = [AppliedVersion(0, 2, 7, "definition", definition, 1)]
    assert await world.sink.applied(log.log_id, 0, before_turn=3) == recorded
    assert await world.sink.applied(log.log_id, 0, before_turn=2) == []
    assert await world.sink.applied(log.log_id, 1, before_turn=3) == []
    assert [event.source for event in await world.events(mentor)] == ["replay"]


async def test_a_second_grant_is_overtaken(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    first = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(first))
    outcome = await world.sink.write(log.turn(grant(log.cause(), mentor, definition)))
    assert (len(outcome.written), outcome.overtaken) == (0, 1)
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [first.after]
    assert len(await world.events(mentor)) == 1


async def test_a_grant_is_overtaken_by_a_person(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    by_hand = await world.award_by_hand(mentor, definition)
    outcome = await world.sink.write(log.turn(grant(log.cause(), mentor, definition)))
    assert (len(outcome.written), outcome.overtaken) == (0, 1)
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [by_hand]
    assert await world.events(mentor) == []


async def test_an_award_by_hand_may_be_promoted(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    by_hand = await world.award_by_hand(mentor, definition)
    decision = promote(log.cause(), by_hand, "silver", version=4)
    assert len((await world.sink.write(log.turn(decision))).written) == 1
    (row,) = await world.sink.awards(log.log_id, 0, [mentor])
    assert row == decision.after
    assert (row.awarded_by, row.definition_version) == (by_hand.awarded_by, 1)
    (event,) = await world.events(mentor)
    assert (event.kind, event.tier, event.definition_version) == ("promoted", "silver", 4)


async def test_promoted_revoked_and_restored(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition, tier="bronze")
    await world.sink.write(log.turn(granted))
    promoted = promote(log.cause(), granted.after, "silver")
    await world.sink.write(log.turn(promoted))
    revoked = revoke(log.cause(), promoted.after)
    await world.sink.write(log.turn(revoked))
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [revoked.after]
    restored = restore(log.cause(), revoked.after)
    await world.sink.write(log.turn(restored))
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [restored.after]
    kinds = [event.kind for event in await world.events(mentor)]
    assert kinds == ["granted", "promoted", "revoked", "restored"]


async def test_several_decisions_on_one_award_in_one_turn(world: World) -> None:
    log = await world.live_log()
    mentor, other = await world.mentor(), await world.mentor()
    definition = await world.definition()
    granted = grant(log.cause(0), mentor, definition, tier="bronze")
    promoted = promote(log.cause(1), granted.after, "silver")
    revoked = revoke(log.cause(2), promoted.after)
    restored = restore(log.cause(3), revoked.after)
    beside = grant(log.cause(2), other, definition)
    outcome = await world.sink.write(log.turn(granted, promoted, beside, revoked, restored))
    assert (len(outcome.written), outcome.overtaken) == (5, 0)
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [restored.after]
    told = [(event.kind, event.tier) for event in await world.events(mentor)]
    assert told == [
        ("granted", "bronze"),
        ("promoted", "silver"),
        ("revoked", "silver"),
        ("restored", "silver"),
    ]
    assert [event.kind for event in await world.events(other)] == ["granted"]


async def test_what_follows_an_overtaken_grant_is_overtaken(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    by_hand = await world.award_by_hand(mentor, definition)
    granted = grant(log.cause(0), mentor, definition, tier="bronze")
    promoted = promote(log.cause(1), granted.after, "silver")
    outcome = await world.sink.write(log.turn(granted, promoted))
    assert (len(outcome.written), outcome.overtaken) == (0, 2)
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [by_hand]


async def test_a_revocation_by_hand_overtakes(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition, tier="bronze")
    await world.sink.write(log.turn(granted))
    await world.revoke_by_hand(granted.after.id)
    promoted = promote(log.cause(0), granted.after, "silver")
    outcome = await world.sink.write(log.turn(promoted, revoke(log.cause(1), promoted.after)))
    assert (len(outcome.written), outcome.overtaken) == (0, 2)
    (row,) = await world.sink.awards(log.log_id, 0, [mentor])
    assert row.tier == "bronze"
    assert row.revoked_by not in (None, "rule")
    assert [event.kind for event in await world.events(mentor)] == ["granted"]


async def test_a_deletion_by_hand_overtakes(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(granted))
    await world.delete_award(granted.after.id)
    outcome = await world.sink.write(log.turn(revoke(log.cause(), granted.after)))
    assert (len(outcome.written), outcome.overtaken) == (0, 1)
    again = grant(log.cause(), mentor, definition)
    assert len((await world.sink.write(log.turn(again))).written) == 1
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [again.after]


async def test_an_award_is_withdrawn_to_make_room_for_another(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    first = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(first))
    taken_back = withdraw(log.cause(1), first.after)
    second = grant(log.cause(2), mentor, definition, tier="a")
    outcome = await world.sink.write(log.turn(taken_back, second))
    assert (len(outcome.written), outcome.overtaken) == (2, 0)
    (row,) = await world.sink.awards(log.log_id, 0, [mentor])
    assert row == second.after
    assert [event.kind for event in await world.events(mentor)] == ["granted", "granted"]


async def test_granted_withdrawn_and_granted_again_in_one_turn(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    first, second = (grant(log.cause(place), mentor, definition) for place in (0, 2))
    outcome = await world.sink.write(log.turn(first, withdraw(log.cause(1), first.after), second))
    assert (len(outcome.written), outcome.overtaken) == (3, 0)
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [second.after]


async def test_what_a_person_wrote_is_not_withdrawn(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(granted))
    await world.revoke_by_hand(granted.after.id)
    outcome = await world.sink.write(log.turn(withdraw(log.cause(), granted.after)))
    assert (len(outcome.written), outcome.overtaken) == (0, 1)
    assert len(await world.sink.awards(log.log_id, 0, [mentor])) == 1


async def test_what_a_person_gave_is_not_withdrawn_though_the_rule_has_promoted_it(
    world: World,
) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    given = await world.award_by_hand(mentor, definition)
    promoted = promote(log.cause(), given, "silver")
    assert len((await world.sink.write(log.turn(promoted))).written) == 1
    outcome = await world.sink.write(log.turn(withdraw(log.cause(), promoted.after)))
    assert (len(outcome.written), outcome.overtaken) == (0, 1)
    assert [row.id for row in await world.rows(mentor)] == [given.id]


async def test_stats_replace_what_was_there(world: World) -> None:
    log = await world.live_log()
    mentor, other = await world.mentor(), await world.mentor()
    await world.sink.write(log.turn(stats=[stats_of(mentor, 1), stats_of(other, 7)]))
    zero = msgspec.structs.replace(
        stats_of(mentor, 0), counts_by_type={}, first_activity_on=None, last_activity_on=None
    )
    await world.sink.write(log.turn(stats=[zero]))
    assert await world.stats(mentor) == zero
    assert await world.stats(other) == stats_of(other, 7)


async def test_awards_are_those_of_the_mentors_asked_for(world: World) -> None:
    log = await world.live_log()
    mentor, other = await world.mentor(), await world.mentor()
    definitions = [await world.definition(), await world.definition()]
    mine = [grant(log.cause(), mentor, definition) for definition in definitions]
    theirs = grant(log.cause(), other, definitions[0])
    await world.sink.write(log.turn(*mine, theirs))
    held = await world.sink.awards(log.log_id, 0, [mentor])
    assert held == sorted((d.after for d in mine), key=lambda award: award.badge_definition_id)
    assert await world.sink.awards(log.log_id, 0, []) == []
