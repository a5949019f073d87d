"""What the sink for Postgres says of its refusals: by which trigger, and in how many alerts."""

from collections.abc import AsyncIterator

import pytest

from sinks.base import Position
from sinks.refused_writes import tell_waiting
from tests.contract.builders import grant, promote, stats_of, withdraw
from tests.contract.worlds import LET_GO, PostgresWorld
from tests.doubles.memory_alerts import MemoryAlerts
from tests.doubles.memory_sink import What

pytestmark = pytest.mark.anyio

LOCK_FOR_AWARDS = "FUNCTION badges_private.lock_for_awards(uuid[], uuid[])"


@pytest.fixture
def world(postgres_world: PostgresWorld) -> PostgresWorld:
    return postgres_world


@pytest.mark.parametrize(
    ("what", "table"),
    [
        ("award", "badge_awards"),
        ("event", "badge_award_events"),
        ("stats", "peer_mentor_stats"),
        ("delete", "badge_awards"),
    ],
)
async def test_a_trigger_that_returns_null_is_named(
    world: PostgresWorld, what: What, table: str
) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition)
    if what == "delete":
        await world.sink.write(log.turn(granted))
        granted = withdraw(log.cause(), granted.after)
    name = definition if what in ("award", "event") else mentor
    await world.refuse(what, name, LET_GO)
    await world.sink.write(log.turn(granted, stats=[stats_of(mentor)]))
    (waiting,) = await world.sink.waiting()
    trigger = {"badge_awards": "awards", "badge_award_events": "events"}.get(table, "stats")
    assert waiting.refused_by == f"trigger test_drops_{trigger} on {table}"
    assert waiting.subject == waiting.refused_by
    assert "a trigger returned NULL" in waiting.message
    assert table in waiting.message
    assert (waiting.sqlstate, waiting.count) == (LET_GO, 1)


async def test_what_a_person_has_changed_first_is_no_trigger_s_doing(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition, tier="bronze")
    await world.sink.write(log.turn(granted))
    await world.revoke_by_hand(granted.after.id)
    again = grant(log.cause(2), mentor, definition)
    outcome = await world.sink.write(log.turn(promote(log.cause(), granted.after, "silver"), again))
    assert (len(outcome.written), outcome.overtaken, outcome.refused) == (0, 2, 0)


@pytest.fixture
async def audited(world: PostgresWorld) -> AsyncIterator[PostgresWorld]:
    """An application that has one function for the changes of a hundred tables."""
    await world.owner.execute(
        """
        CREATE FUNCTION test_audit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_ARGV[0] = 'others' OR session_user = 'badges_worker' THEN
                RAISE EXCEPTION 'no audit today';
            END IF;
            RETURN NULL;
        END $$;
        CREATE FUNCTION test_notify() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            INSERT INTO public.test_audited_1 VALUES (1);
            RETURN NULL;
        END $$;
        DO $$ BEGIN
            FOR n IN 1 .. 100 LOOP
                EXECUTE format('CREATE TABLE test_audited_%s (id int)', n);
                EXECUTE format('CREATE TRIGGER test_audit AFTER INSERT ON test_audited_%s '
                               'FOR EACH ROW EXECUTE FUNCTION test_audit(''others'')', n);
            END LOOP;
        END $$;
        """
    )
    yield world
    await world.owner.execute(
        """
        DROP FUNCTION test_audit CASCADE;
        DROP FUNCTION test_notify CASCADE;
        DO $$ BEGIN
            FOR n IN 1 .. 100 LOOP
                EXECUTE format('DROP TABLE test_audited_%s', n);
            END LOOP;
        END $$;
        """
    )


@pytest.mark.parametrize("function", ["test_audit", "test_notify"])
async def test_a_function_of_many_triggers_names_few(audited: PostgresWorld, function: str) -> None:
    log = await audited.live_log()
    await audited.owner.execute(
        f"CREATE TRIGGER test_audit AFTER INSERT ON badge_awards "
        f"FOR EACH ROW EXECUTE FUNCTION {function}()"
    )
    mentor, definition = await audited.mentor(), await audited.definition()
    await audited.sink.write(log.turn(grant(log.cause(), mentor, definition)))
    (waiting,) = await audited.sink.waiting()
    expected = {
        "test_audit": "trigger test_audit on badge_awards",
        # It is in another table that it is refused: a few of the hundred that it may be.
        "test_notify": "trigger test_audit on test_audited_1, trigger test_audit on "
        "test_audited_10, trigger test_audit on test_audited_100 and 97 more",
    }
    assert waiting.refused_by == expected[function]
    assert waiting.subject == waiting.refused_by


async def test_a_subject_is_bounded(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    await world.refuse("award", definition)
    await world.sink.write(log.turn(grant(log.cause(), mentor, definition)))
    await world.owner.execute(
        "UPDATE badge_refused_writes SET refused_by = repeat('function ', 1000)"
    )
    (waiting,) = await world.sink.waiting()
    assert waiting.subject == ("function " * 30)[:200]


async def test_many_mentors_that_are_held_locked_are_one_subject(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentors, definition = [await world.mentor() for _ in range(30)], await world.definition()
    async with world.owner.acquire() as idle, idle.transaction():
        await idle.execute(
            "SELECT FROM peer_mentors WHERE id = ANY ($1::uuid[]) FOR UPDATE", mentors[1:]
        )
        decisions = [grant(log.cause(), mentor, definition) for mentor in mentors]
        turn = log.turn(*decisions, stats=[stats_of(mentor) for mentor in mentors])
        outcome = await world.sink.write(turn)
        assert (len(outcome.written), outcome.refused) == (1, 58)
        (waiting,) = await world.sink.waiting()
        assert (waiting.subject, waiting.count) == ("a lock on peer_mentors", 58)


async def test_a_function_that_may_not_be_executed_is_told_though_all_is_written(
    world: PostgresWorld,
) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    await world.owner.execute(f"REVOKE EXECUTE ON {LOCK_FOR_AWARDS} FROM badges_worker")
    try:
        granted = grant(log.cause(), mentor, definition)
        outcome = await world.sink.write(log.turn(granted, stats=[stats_of(mentor)]))
        assert (len(outcome.written), outcome.refused, outcome.waits) == (1, 0, False)
        (waiting,) = await world.sink.waiting()
        assert waiting.subject == "function badges_private.lock_for_awards"
        assert (waiting.sqlstate, waiting.count) == ("42501", 0)
    finally:
        await world.owner.execute(f"GRANT EXECUTE ON {LOCK_FOR_AWARDS} TO badges_worker")
    assert await world.sink.waiting() == []


async def test_it_is_said_whose_mentors_wait(world: PostgresWorld, organization: str) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    await world.refuse("award", definition)
    await world.sink.write(log.turn(grant(log.cause(), mentor, definition)))
    (waiting,) = await world.sink.waiting()
    assert waiting.organizations == [organization]


async def test_another_reason_is_told_anew(world: PostgresWorld) -> None:
    log, alerts = await world.live_log(), MemoryAlerts()
    mentor, definition = await world.mentor(), await world.definition()
    await world.refuse("award", definition)
    await world.sink.write(log.turn(grant(log.cause(), mentor, definition)))

    async def told(said: str | None = None) -> list[tuple[object, object, bool]]:
        if said is not None:
            await world.owner.execute("UPDATE badge_refused_writes SET message = $1", said)
        await tell_waiting(world.sink, alerts)
        return [
            (alert.detail["sqlstate"], alert.detail["reason"], alert.resolved_at is None)
            for alert in alerts.alerts
        ]

    first = ("P0001", "the application says no")
    assert await told() == [(*first, True)]
    assert await told() == [(*first, True)]
    await world.accept("award", definition)
    await world.refuse("award", definition, "23514")
    await world.sink.retry(log.log_id, 0, Position(log.next_offset, log.number))
    second = ("23514", "the application says no")
    assert await told() == [(*first, False), (*second, True)]
    # Of the same reason only the time and the number differ.
    third = ("23514", "no answer at 12:00:01.5 to request 17")
    before = [(*first, False), (*second, False)]
    assert await told(third[1]) == [*before, (*third, True)]
    assert await told("no answer at 12:00:03.7 to request 23") == [*before, (*third, True)]
    await told("the mentor has not consented")
    assert [alert.resolved_at is None for alert in alerts.alerts] == [False, False, False, True]
