"""Every sink: what the store refuses to write waits, in order, and stops nothing else."""

import pytest

from sinks.base import MentorDeleted, Position
from sinks.errors import Fenced
from tables.decisions import Decision
from tests.contract.builders import CAUSED, Log, grant, promote, restore, revoke, stats_of, withdraw
from tests.contract.worlds import LET_GO, World

pytestmark = pytest.mark.anyio


async def retry(world: World, log: Log) -> bool:
    """Try again what waits, as an idle worker does."""
    position = Position(log.next_offset, log.number)
    return (await world.sink.retry(log.log_id, 0, position)).waits


async def refused_grant(world: World, log: Log, sqlstate: str = "P0001") -> tuple[str, Decision]:
    """A mentor whose award was refused, and its grant."""
    mentor, definition = await world.mentor(), await world.definition()
    await world.refuse("award", definition, sqlstate)
    decision = grant(log.cause(), mentor, definition, tier="bronze")
    outcome = await world.sink.write(log.turn(decision))
    assert (len(outcome.written), outcome.refused, outcome.waits) == (0, 1, True)
    return mentor, decision


@pytest.mark.parametrize("sqlstate", ["P0001", "23514", "42501", "42883", "55P03", "XX000", LET_GO])
async def test_a_refused_award_waits_and_is_written_once(world: World, sqlstate: str) -> None:
    log = await world.live_log()
    mentors = [await world.mentor() for _ in range(5)]
    refused, other = await world.definition(), await world.definition()
    await world.refuse("award", refused, sqlstate)
    bad = grant(log.cause(2), mentors[2], refused, caused_at=CAUSED)
    decisions = [grant(log.cause(place), m, other) for place, m in enumerate(mentors)]
    outcome = await world.sink.write(
        log.turn(*decisions[:3], bad, *decisions[3:], stats=[stats_of(m) for m in mentors])
    )
    assert (len(outcome.written), outcome.overtaken, outcome.refused) == (5, 0, 1)
    assert await world.sink.position(log.log_id, 0) == Position(10, 1)
    assert await world.rows(mentors[2]) == [decisions[2].after]
    assert await world.stats(mentors[2]) == stats_of(mentors[2])
    assert await world.waiting(mentors[2]) == [("granted", sqlstate)]
    (waiting,) = await world.sink.waiting()
    assert (waiting.sqlstate, waiting.count) == (sqlstate, 1)
    assert waiting.badge_definition_id == refused

    assert await retry(world, log)
    assert await world.waiting(mentors[2]) == [("granted", sqlstate)]
    await world.accept("award", refused)
    assert not await retry(world, log)

    held = await world.rows(mentors[2])
    assert {award.id: award for award in held}[bad.after.id] == bad.after
    assert await world.evidence(bad.after.id) == bad.evidence
    events = [e for e in await world.events(mentors[2]) if e.badge_award_id == bad.after.id]
    assert [(event.kind, event.caused_at) for event in events] == [("granted", CAUSED)]
    assert await world.waiting(mentors[2]) == []
    assert await world.sink.waiting() == []
    assert not await retry(world, log)


async def test_many_refusals_of_one_cause_are_one_subject(world: World) -> None:
    log = await world.live_log()
    mentors = [await world.mentor() for _ in range(40)]
    badges = [await world.definition() for _ in range(2)]
    for badge in badges:
        await world.refuse("award", badge)
    for mentor in mentors:
        await world.refuse("stats", mentor)
    decisions = [grant(log.cause(), mentor, badge) for mentor in mentors for badge in badges]
    outcome = await world.sink.write(log.turn(*decisions, stats=[stats_of(m) for m in mentors]))
    assert outcome.refused == 120
    found = await world.sink.waiting()
    assert sum(each.count for each in found) == 120
    assert len(found) <= 2
    assert {each.badge_definition_id for each in found} == {None}


async def test_what_waits_is_tried_again_with_every_turn(world: World) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log)
    assert (await world.sink.write(log.turn())).waits
    await world.accept("award", granted.after.badge_definition_id)
    outcome = await world.sink.write(log.turn(stats=[stats_of(mentor)]))
    assert (len(outcome.written), len(outcome.accepted), outcome.waits) == (0, 1, False)
    assert await world.rows(mentor) == [granted.after]
    assert await world.stats(mentor) == stats_of(mentor)


async def test_later_changes_of_a_refused_award_wait_behind_it(world: World) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log)
    beside = grant(log.cause(), mentor, await world.definition())
    promoted = promote(log.cause(1), granted.after, "silver")
    first = await world.sink.write(log.turn(promoted, beside))
    assert (len(first.written), first.refused) == (1, 1)
    revoked = revoke(log.cause(), promoted.after)
    restored = restore(log.cause(1), revoked.after)
    await world.sink.write(log.turn(revoked, restored, revoke(log.cause(2), restored.after)))
    kinds = ["granted", "promoted", "revoked", "restored", "revoked"]
    assert [kind for kind, _ in await world.waiting(mentor)] == kinds
    assert await world.rows(mentor) == [beside.after]
    once_written = revoke(log.cause(), promoted.after).after
    awards = await world.sink.awards(log.log_id, 0, [mentor])
    assert sorted(awards, key=lambda a: a.id) == sorted(
        [beside.after, once_written], key=lambda a: a.id
    )

    await world.accept("award", granted.after.badge_definition_id)
    assert not await retry(world, log)

    row = {award.id: award for award in await world.rows(mentor)}[granted.after.id]
    assert row == once_written
    assert (row.earned_at, row.tier, row.revoked_by) == (granted.after.earned_at, "silver", "rule")
    events = [e for e in await world.events(mentor) if e.badge_award_id == granted.after.id]
    assert [event.kind for event in events] == kinds


@pytest.mark.parametrize("sqlstate", ["P0001", LET_GO])
async def test_a_change_alone_may_be_refused(world: World, sqlstate: str) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(granted))
    await world.refuse("award", definition, sqlstate)
    revoked = revoke(log.cause(), granted.after)
    assert (await world.sink.write(log.turn(revoked))).refused == 1
    assert await world.rows(mentor) == [granted.after]
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [revoked.after]
    await world.accept("award", definition)
    assert not await retry(world, log)
    assert await world.rows(mentor) == [revoked.after]
    assert [event.kind for event in await world.events(mentor)] == ["granted", "revoked"]


async def test_an_event_that_is_refused_keeps_its_award_waiting(world: World) -> None:
    log = await world.live_log()
    mentor, other = await world.mentor(), await world.mentor()
    definition = await world.definition()
    await world.refuse("event", definition, LET_GO)
    granted = grant(log.cause(), mentor, definition)
    beside = grant(log.cause(1), other, await world.definition())
    outcome = await world.sink.write(log.turn(granted, beside))
    assert (len(outcome.written), outcome.overtaken, outcome.refused) == (1, 0, 1)
    assert await world.waiting(mentor) == [("granted", LET_GO)]
    assert (await world.rows(mentor), await world.events(mentor)) == ([], [])
    await world.accept("event", definition)
    assert not await retry(world, log)
    assert await world.rows(mentor) == [granted.after]
    assert [event.kind for event in await world.events(mentor)] == ["granted"]


async def test_a_withdrawal_that_is_let_go_waits(world: World) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(granted))
    await world.refuse("delete", mentor, LET_GO)
    assert (await world.sink.write(log.turn(withdraw(log.cause(), granted.after)))).refused == 1
    assert await world.waiting(mentor) == [("withdrawn", LET_GO)]
    await world.accept("delete", mentor)
    assert not await retry(world, log)
    assert await world.rows(mentor) == []


@pytest.mark.parametrize("sqlstate", ["P0001", LET_GO])
async def test_a_person_who_gives_the_badge_meanwhile_wins(world: World, sqlstate: str) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log, sqlstate)
    definition = granted.after.badge_definition_id
    await world.sink.write(log.turn(promote(log.cause(), granted.after, "silver")))
    by_hand = await world.award_by_hand(mentor, definition)
    assert not await retry(world, log)  # still refused, but nothing is to be written any more
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [by_hand]
    assert await world.rows(mentor) == [by_hand]
    assert await world.events(mentor) == []
    taken_back = withdraw(log.cause(), granted.after)
    assert (await world.sink.write(log.turn(taken_back))).overtaken == 1
    assert await world.rows(mentor) == [by_hand]


async def test_granted_again_behind_what_was_withdrawn(world: World) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log)
    definition = granted.after.badge_definition_id
    again = grant(log.cause(2), mentor, definition)
    await world.sink.write(log.turn(withdraw(log.cause(1), granted.after), again))
    assert len(await world.waiting(mentor)) == 3
    await world.accept("award", definition)
    await retry(world, log)
    assert await world.rows(mentor) == [again.after]


async def test_who_is_deleted_takes_along_what_waits(world: World) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log)
    other, theirs = await refused_grant(world, log)
    await world.delete_mentor(mentor)
    await world.delete_definition(theirs.after.badge_definition_id)
    assert (await world.waiting(mentor), await world.waiting(other)) == ([], [])
    await world.mentor(mentor)
    await world.accept("award", granted.after.badge_definition_id)
    await world.accept("award", theirs.after.badge_definition_id)
    assert not await retry(world, log)
    assert (await world.rows(mentor), await world.rows(other)) == ([], [])


async def test_a_mentors_delete_ends_what_waits_of_the_life_before(world: World) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log)
    definition = granted.after.badge_definition_id
    again = grant(log.cause(3), mentor, definition)
    await world.sink.write(log.turn(again, mentors_deleted=[MentorDeleted(mentor, log.cause(2))]))
    assert await world.waiting(mentor) == [("granted", "P0001")]
    await world.accept("award", definition)
    assert not await retry(world, log)
    assert await world.rows(mentor) == [again.after]


@pytest.mark.parametrize("sqlstate", ["P0001", LET_GO])
async def test_a_mentors_delete_that_is_refused_waits_and_all_else_of_the_mentor_behind_it(
    world: World, sqlstate: str
) -> None:
    log = await world.live_log()
    mentor, other, definition = await world.mentor(), await world.mentor(), await world.definition()
    old = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(old, stats=[stats_of(mentor, 9)]))
    await world.refuse("delete", mentor, sqlstate)
    new = grant(log.cause(2), mentor, definition)
    theirs = grant(log.cause(3), other, definition)
    outcome = await world.sink.write(
        log.turn(
            new,
            theirs,
            mentors_deleted=[MentorDeleted(mentor, log.cause(1))],
            stats=[stats_of(mentor, 1), stats_of(other)],
        )
    )
    assert (len(outcome.written), outcome.refused) == (1, 3)
    assert [kind for kind, _ in await world.waiting(mentor)] == ["departed", "granted", "stats"]
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [new.after]
    assert await world.rows(mentor) == [old.after]
    assert await world.rows(other) == [theirs.after]
    await world.accept("delete", mentor)
    assert not await retry(world, log)
    assert await world.rows(mentor) == [new.after]
    assert await world.stats(mentor) == stats_of(mentor, 1)
    assert [event.badge_award_id for event in await world.events(mentor)] == [new.after.id]


@pytest.mark.parametrize("sqlstate", ["23514", LET_GO])
async def test_refused_stats_wait_and_newer_ones_take_their_place(
    world: World, sqlstate: str
) -> None:
    log = await world.live_log()
    mentor, other = await world.mentor(), await world.mentor()
    await world.refuse("stats", mentor, sqlstate)
    await world.sink.write(log.turn(stats=[stats_of(other), stats_of(mentor, 1)]))
    assert await world.stats(mentor) is None
    assert await world.stats(other) == stats_of(other)
    await world.sink.write(log.turn(stats=[stats_of(other, 2), stats_of(mentor, 2)]))
    assert await world.waiting(mentor) == [("stats", sqlstate)]
    assert await world.stats(other) == stats_of(other, 2)
    await world.accept("stats", mentor)
    assert not await retry(world, log)
    assert await world.stats(mentor) == stats_of(mentor, 2)


async def test_newer_stats_that_are_accepted_replace_those_that_wait(world: World) -> None:
    log = await world.live_log()
    mentor = await world.mentor()
    await world.refuse("stats", mentor)
    await world.sink.write(log.turn(stats=[stats_of(mentor, 1)]))
    await world.accept("stats", mentor)
    assert not (await world.sink.write(log.turn(stats=[stats_of(mentor, 2)]))).waits
    assert await world.stats(mentor) == stats_of(mentor, 2)


async def test_what_no_database_can_hold_waits_for_ever_and_stops_nothing(world: World) -> None:
    log = await world.live_log()
    mentor, other, definition = await world.mentor(), await world.mentor(), await world.definition()
    bad = grant(log.cause(0), mentor, definition, tier="silver\x00")
    bad_stats = stats_of(mentor, 1, kind="visit\x00")
    good = grant(log.cause(1), other, definition)
    outcome = await world.sink.write(
        log.turn(bad, revoke(log.cause(1), bad.after), good, stats=[bad_stats, stats_of(other)])
    )
    assert (len(outcome.written), outcome.refused) == (1, 3)
    assert [kind for kind, _ in await world.waiting(mentor)] == ["granted", "revoked", "stats"]
    assert await retry(world, log)
    assert await world.stats(other) == stats_of(other)
    await world.delete_mentor(mentor)
    assert not await retry(world, log)


async def test_a_retry_is_fenced_like_a_turn(world: World) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log)
    await world.accept("award", granted.after.badge_definition_id)
    for elsewhere in (
        Position(log.next_offset + 1, log.number),
        Position(log.next_offset, log.number - 1),
    ):
        with pytest.raises(Fenced):
            await world.sink.retry(log.log_id, 0, elsewhere)
    assert await world.rows(mentor) == []
    await world.close_log(log.log_id)
    with pytest.raises(Fenced):
        await retry(world, log)
    assert await world.rows(mentor) == []
    assert len(await world.waiting(mentor)) == 1
