"""A transaction that somebody leaves open keeps nothing but what it has locked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias, get_args

import pytest

from sinks.base import MentorDeleted, Outcome, Position
from tables.decisions import Decision
from tests.contract.builders import Log, grant, promote, revoke, stats_of
from tests.contract.worlds import PostgresWorld

pytestmark = pytest.mark.anyio

Open: TypeAlias = Literal["DELETE FROM peer_mentors", "DELETE FROM badge_definitions"]
OPEN = pytest.mark.parametrize("open_", get_args(Open))


@pytest.fixture
def world(postgres_world: PostgresWorld) -> PostgresWorld:
    return postgres_world


@asynccontextmanager
async def left_open(
    world: PostgresWorld, statement: str, *values: object, commits: bool = False
) -> AsyncIterator[None]:
    """Within, a statement is done in a transaction of the application that does not end."""
    async with world.owner.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(statement, *values)
            yield
        finally:
            await (transaction.commit() if commits else transaction.rollback())


async def refused_grant(world: PostgresWorld, log: Log) -> tuple[str, Decision]:
    """A mentor of whom a grant and statistics wait, because a trigger refuses them."""
    mentor, definition = await world.mentor(), await world.definition()
    await world.refuse("award", definition)
    await world.refuse("stats", mentor)
    decision = grant(log.cause(), mentor, definition, tier="bronze")
    outcome = await world.sink.write(log.turn(decision, stats=[stats_of(mentor, 1)]))
    assert (len(outcome.written), outcome.refused) == (0, 2)
    return mentor, decision


async def accept(world: PostgresWorld, mentor: str, decision: Decision) -> None:
    """Let the triggers accept everything about a mentor."""
    await world.accept("award", decision.after.badge_definition_id)
    await world.accept("stats", mentor)


async def others_go_on(world: PostgresWorld, log: Log, *about: Decision, of: str) -> Outcome:
    """Write a turn about somebody else as well, all of whose part must be there at once."""
    other, another = await world.mentor(), await world.definition()
    free = grant(log.cause(), other, another)
    outcome = await world.sink.write(
        log.turn(*about, free, stats=[stats_of(of, 2), stats_of(other)])
    )
    assert await world.rows(other) == [free.after]
    assert await world.stats(other) == stats_of(other)
    assert await world.sink.position(log.log_id, 0) == Position(log.next_offset, log.number)
    return outcome


async def retry(world: PostgresWorld, log: Log) -> bool:
    position = Position(log.next_offset, log.number)
    return (await world.sink.retry(log.log_id, 0, position)).waits


def name_of(open_: Open, mentor: str, decision: Decision) -> str:
    return mentor if open_.endswith("mentors") else decision.after.badge_definition_id


@OPEN
async def test_a_delete_that_is_open_keeps_what_it_takes_along_and_no_more(
    world: PostgresWorld, open_: Open
) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log)
    someone, theirs = await refused_grant(world, log)
    await accept(world, mentor, granted)
    await accept(world, someone, theirs)
    promoted = promote(log.cause(), granted.after, "silver")
    async with left_open(world, f"{open_} WHERE id = $1", name_of(open_, mentor, granted)):
        assert await retry(world, log)
        assert await world.rows(someone) == [theirs.after]  # written without waiting for the other
        outcome = await others_go_on(world, log, promoted, of=mentor)
        assert (len(outcome.written), outcome.waits) == (1, True)
        revoked = revoke(log.cause(), promoted.after)
        await others_go_on(world, log, revoked, of=mentor)
        assert await retry(world, log)
        assert await world.rows(mentor) == []
    while await retry(world, log):
        pass
    assert await world.rows(mentor) == [revoked.after]
    kinds = [event.kind for event in await world.events(mentor)]
    assert kinds == ["granted", "promoted", "revoked"]
    assert await world.stats(mentor) == stats_of(mentor, 2)
    assert await world.waiting(mentor) == []


@OPEN
async def test_a_delete_that_is_done_at_last_takes_along_what_waited(
    world: PostgresWorld, open_: Open
) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log)
    await accept(world, mentor, granted)
    promoted = promote(log.cause(), granted.after, "silver")
    name = name_of(open_, mentor, granted)
    async with left_open(world, f"{open_} WHERE id = $1", name, commits=True):
        await others_go_on(world, log, promoted, of=mentor)
    assert not await retry(world, log)
    assert (await world.rows(mentor), await world.events(mentor)) == ([], [])
    assert await world.waiting(mentor) == []


async def test_what_waits_and_is_locked_alone_is_passed_over_in_order(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log)
    await accept(world, mentor, granted)
    locks = "SELECT FROM badge_refused_writes WHERE peer_mentor_id = $1 FOR UPDATE"
    promoted = promote(log.cause(), granted.after, "silver")
    async with left_open(world, locks, mentor):
        for _ in range(3):
            await others_go_on(world, log, of=mentor)
        await others_go_on(world, log, promoted, of=mentor)
        assert await world.stats(mentor) is None
        kinds = [kind for kind, _ in await world.waiting(mentor)]
        assert kinds == ["granted", "stats", "promoted", "stats"]
    while await retry(world, log):
        pass
    assert await world.rows(mentor) == [promoted.after]
    assert [event.kind for event in await world.events(mentor)] == ["granted", "promoted"]
    assert await world.stats(mentor) == stats_of(mentor, 2)


async def test_a_mentors_delete_waits_for_what_it_makes_void(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, granted = await refused_grant(world, log)
    definition = granted.after.badge_definition_id
    await accept(world, mentor, granted)
    locks = "SELECT FROM badge_refused_writes WHERE peer_mentor_id = $1 FOR UPDATE"
    async with left_open(world, locks, mentor):
        first = grant(log.cause(2), mentor, definition)
        leave = [MentorDeleted(mentor, log.cause(1))]
        await world.sink.write(log.turn(first, mentors_deleted=leave, stats=[stats_of(mentor, 3)]))
        reasons = {each.subject: each.count for each in await world.sink.waiting()}
        assert reasons["a lock on badge_refused_writes"] == 1
        assert await retry(world, log)
        again = grant(log.cause(2), mentor, definition)
        leave = [MentorDeleted(mentor, log.cause(1))]
        outcome = await world.sink.write(
            log.turn(again, mentors_deleted=leave, stats=[stats_of(mentor, 4)])
        )
        assert len(outcome.written) == 0
        assert await world.sink.awards(log.log_id, 0, [mentor]) == [again.after]
        assert (await world.rows(mentor), await world.stats(mentor)) == ([], None)
    while await retry(world, log):
        pass
    assert await world.rows(mentor) == [again.after]
    assert [event.badge_award_id for event in await world.events(mentor)] == [again.after.id]
    assert await world.stats(mentor) == stats_of(mentor, 4)
