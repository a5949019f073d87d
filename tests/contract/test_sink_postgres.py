"""What only the sink for Postgres can be asked: locks, visibility, refusals, rights and limits."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from sinks import duplicates
from sinks.base import Outcome, Position
from sinks.errors import Fenced, Unavailable
from sinks.pool import SERVER_SETTINGS, Pool, create_pool
from sinks.postgres import PostgresSink
from tests.contract.builders import grant, promote, restore, revoke, stats_of
from tests.contract.postgres_turns import KINDS, Build, assert_written_once, with_grant
from tests.contract.worlds import PostgresWorld
from tests.patience import until
from tests.stack import LIMIT_S, Stack

pytestmark = pytest.mark.anyio

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.fixture
def world(postgres_world: PostgresWorld) -> PostgresWorld:
    return postgres_world


async def has_looked(world: PostgresWorld, xid: int) -> bool:
    """Whether the worker has asked what is unfinished since the transaction `xid` began."""
    return bool(
        await world.owner.fetchval(
            """
            SELECT EXISTS (
                SELECT FROM pg_stat_activity worker, pg_stat_activity other
                WHERE worker.usename = 'badges_worker' AND other.backend_xid = $1::text::xid
                    AND worker.query LIKE '%pg_visible_in_snapshot%'
                    AND worker.query_start > other.xact_start)
            """,
            str(xid % 2**32),
        )
    )


@KINDS
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
async def test_who_is_not_visible_yet_is_not_gone(
    world: PostgresWorld, build: Build, end: str
) -> None:
    log = await world.live_log()
    mentor, definition = str(uuid4()), await world.definition()
    async with world.owner.acquire() as other:
        await other.execute("BEGIN")
        xid = int(await other.fetchval("SELECT pg_current_xact_id()::text"))
        await other.execute(
            "INSERT INTO peer_mentors (id, organization_id) SELECT $1, id FROM organizations",
            mentor,
        )
        turn = build(log, mentor, definition)
        turn = msgspec.structs.replace(turn, xids=[xid % 2**32])
        writing = asyncio.create_task(world.sink.write(turn))
        await until(lambda: has_looked(world, xid), "the sink waits")
        assert not writing.done()
        await other.execute(end)
    outcome = await writing
    if end == "COMMIT":
        await assert_written_once(world, turn)
    else:
        assert outcome.gone == len(turn.decisions)
        assert await world.sink.position(log.log_id, 0) == Position(turn.end, 1)


async def test_an_award_by_hand_that_is_not_visible_yet_is_not_overtaken(
    world: PostgresWorld,
) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    async with world.owner.acquire() as other:
        await other.execute("BEGIN")
        await other.execute("SELECT award_badge($1, $2, now(), '{}')", mentor, definition)
        xid = int(await other.fetchval("SELECT pg_current_xact_id()::text"))
        award_id = await other.fetchval(
            "SELECT id::text FROM badge_awards WHERE peer_mentor_id = $1", mentor
        )
        believed = grant(log.cause(), mentor, definition).after
        believed.id, believed.changed_by = award_id, "postgres"
        turn = log.turn(promote(log.cause(xid=xid), believed, "silver"))
        writing = asyncio.create_task(world.sink.write(turn))
        await until(lambda: has_looked(world, xid), "the sink waits")
        await other.execute("COMMIT")
    assert len((await writing).written) == 1


async def test_a_transaction_that_never_ends_is_unavailable(world: PostgresWorld) -> None:
    impatient = PostgresSink(world.worker, patience=0.05)
    log = await world.live_log()
    definition = await world.definition()
    async with world.owner.acquire() as other, other.transaction():
        xid = int(await other.fetchval("SELECT pg_current_xact_id()::text"))
        turn = log.turn(grant(log.cause(xid=xid), str(uuid4()), definition))
        with pytest.raises(Unavailable, match=str(xid)):
            await impatient.write(turn)
    assert await world.sink.position(log.log_id, 0) == Position(0, 0)
    assert (await impatient.write(turn)).gone == 1


@KINDS
async def test_a_mentor_being_deleted_makes_the_worker_wait_and_give_way(
    world: PostgresWorld, build: Build
) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    turn = build(log, mentor, definition)
    sink = PostgresSink(world.worker, refusal_patience=60)
    async with world.owner.acquire() as other, other.transaction():
        await other.execute("DELETE FROM peer_mentors WHERE id = $1", mentor)
        with pytest.raises(Unavailable, match="lock timeout"):
            await sink.write(turn)
    assert (await sink.write(turn)).gone == len(turn.decisions)
    assert await world.stats(mentor) is None


async def test_a_tier_is_given_by_the_version_that_decided_it(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition, tier="bronze")
    await world.sink.write(log.turn(granted))
    # Saved, but not in effect yet where it is decided: the next promotion is by version 1 too.
    await world.owner.execute(
        "UPDATE badge_definitions SET revocable = true WHERE id = $1", definition
    )
    promoted = promote(log.cause(), granted.after, "silver", version=1)
    await world.sink.write(log.turn(promoted))
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [promoted.after]
    again = promote(log.cause(), promoted.after, "gold", version=2)
    await world.sink.write(log.turn(again))
    revoked = revoke(log.cause(), again.after, version=3)
    await world.sink.write(log.turn(revoked))
    assert await world.sink.awards(log.log_id, 0, [mentor]) == [revoked.after]
    assert revoked.after.tier_version == 2


@pytest.mark.parametrize("chunk", [1, 3, 100])
async def test_a_large_turn_is_written_in_parts(
    world: PostgresWorld, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("sinks.waiting.CHUNK", chunk)
    monkeypatch.setattr("sinks.postgres.CHUNK", chunk)
    log = await world.live_log()
    mentors = [await world.mentor() for _ in range(7)]
    definition = await world.definition()
    granted = [grant(log.cause(), mentor, definition, tier="a") for mentor in mentors]
    promoted = [promote(log.cause(), decision.after, "b") for decision in granted]
    stats = [stats_of(mentor) for mentor in mentors]
    outcome = await world.sink.write(log.turn(*granted, *promoted, stats=stats))
    assert len(outcome.written) == 14
    await world.sink.write(log.turn(stats=[stats_of(mentor, 5) for mentor in mentors]))
    held = await world.sink.awards(log.log_id, 0, mentors)
    assert [award.tier for award in held] == ["b"] * 7
    for mentor in mentors:
        assert await world.stats(mentor) == stats_of(mentor, 5)


async def test_what_a_row_says_besides(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(granted))

    async def award() -> asyncpg.Record:
        query = "SELECT * FROM badge_awards WHERE id = $1"
        (row,) = await world.owner.fetch(query, granted.after.id)
        return row

    row = await award()
    assert (row["changed_by"], row["awarded_by"]) == ("rule", "rule")
    assert row["awarded_at"] is not None
    revoked = revoke(log.cause(), granted.after)
    await world.sink.write(log.turn(revoked))
    row = await award()
    assert row["revoked_at"] >= row["awarded_at"]
    await world.sink.write(log.turn(restore(log.cause(), revoked.after)))
    row = await award()
    assert (row["revoked_at"], row["changed_by"]) == (None, "rule")
    events = await world.owner.fetch(
        "SELECT xid::text::bigint AS xid, actor, reason FROM badge_award_events "
        "WHERE badge_award_id = $1 ORDER BY id",
        granted.after.id,
    )
    assert len({event["xid"] for event in events}) == 3
    assert sorted(events, key=lambda event: event["xid"]) == events
    assert {(event["actor"], event["reason"]) for event in events} == {(None, None)}


async def test_what_a_deferred_check_refuses_is_found_too(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentors = [await world.mentor() for _ in range(4)]
    definition = await world.definition()
    await world.owner.execute(
        """
        CREATE FUNCTION test_refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.tier = 'bad' THEN RAISE 'no such tier'; END IF; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER refuses AFTER INSERT ON badge_awards
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION test_refuse()
        """
    )
    tiers = ["good", "bad", "good", "good"]
    decisions = [
        grant(log.cause(), mentor, definition, tier=tier)
        for mentor, tier in zip(mentors, tiers, strict=True)
    ]
    try:
        outcome = await world.sink.write(log.turn(*decisions))
        (waiting,) = await world.sink.waiting()
    finally:
        await world.owner.execute("DROP FUNCTION test_refuse CASCADE")
    assert (len(outcome.written), outcome.refused) == (3, 1)
    assert await world.waiting(mentors[1]) == [("granted", "P0001")]
    assert waiting.message == "no such tier"
    assert waiting.refused_by == "trigger refuses on badge_awards"
    assert waiting.subject == waiting.refused_by
    assert not (await world.sink.retry(log.log_id, 0, Position(log.next_offset, log.number))).waits
    assert await world.rows(mentors[1]) == [decisions[1].after]


async def test_a_missing_right_loses_nothing(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    turn = with_grant(log, mentor, definition)
    await world.owner.execute("REVOKE INSERT ON badge_award_events FROM badges_worker")
    try:
        with pytest.raises(Unavailable, match="permission denied") as stalled:
            await world.sink.write(turn)
    finally:
        await world.owner.execute("GRANT INSERT ON badge_award_events TO badges_worker")
    assert stalled.value.sqlstate == "42501"
    assert await world.waiting(mentor) == []
    await world.sink.write(turn)
    await assert_written_once(world, turn)


async def test_many_that_are_refused_are_not_tried_one_by_one(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentors = [await world.mentor() for _ in range(100)]
    refused, other = await world.definition(), await world.definition()
    await world.refuse("award", refused)
    decisions = [grant(log.cause(), m, d) for m in mentors for d in (refused, other)]
    outcome = await world.sink.write(log.turn(*decisions))
    assert (len(outcome.written), outcome.refused) == (100, 100)
    (waiting,) = await world.sink.waiting()
    assert waiting.count == 100
    await world.accept("award", refused)
    position = Position(log.next_offset, log.number)
    assert not (await world.sink.retry(log.log_id, 0, position)).waits
    assert all([len(await world.rows(mentor)) == 2 for mentor in mentors])


@pytest.mark.parametrize("what", ["badge_definitions", "peer_mentors"])
async def test_what_somebody_holds_locked_waits_and_the_rest_is_written(
    world: PostgresWorld, what: str
) -> None:
    log = await world.live_log()
    mentor, other = await world.mentor(), await world.mentor()
    definition, another = await world.definition(), await world.definition()
    locked = grant(log.cause(), mentor, definition)
    free = grant(log.cause(), other, another)
    async with world.owner.acquire() as idle, idle.transaction():
        name = definition if what == "badge_definitions" else mentor
        await idle.execute(f"SELECT FROM {what} WHERE id = $1 FOR UPDATE", name)
        turn = log.turn(locked, free, stats=[stats_of(mentor), stats_of(other)])
        outcome = await world.sink.write(turn)
        assert len(outcome.written) == 1
        assert await world.rows(other) == [free.after]
        assert await world.stats(other) == stats_of(other)
        assert ("granted", "55P03") in await world.waiting(mentor)
        (waiting,) = await world.sink.waiting()
        assert waiting.subject == f"a lock on {what}"
        assert name in waiting.message
        assert (await world.sink.write(log.turn())).waits
    position = Position(log.next_offset, log.number)
    assert not (await world.sink.retry(log.log_id, 0, position)).waits
    assert await world.rows(mentor) == [locked.after]
    assert await world.stats(mentor) == stats_of(mentor)


async def test_a_refused_turn_is_tried_whole_for_a_while(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    sink = PostgresSink(world.worker, refusal_patience=0.2)
    await world.refuse("award", definition)
    turn = with_grant(log, mentor, definition)
    with pytest.raises(Unavailable) as refused:
        await sink.write(turn)
    assert refused.value.sqlstate == "P0001"
    assert await world.waiting(mentor) == []

    async def written() -> Outcome | None:
        with suppress(Unavailable):
            return await sink.write(turn)
        return None

    outcome = await until(written, "the rest is written")
    assert outcome.refused == 1
    second = grant(log.cause(), await world.mentor(), definition)
    assert (await sink.write(log.turn(second))).refused == 1  # known by now: at once
    await world.accept("award", definition)
    assert len((await sink.write(log.turn())).accepted) == 2


async def test_what_is_refused_and_accepted_within_a_while_never_waits(
    world: PostgresWorld,
) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    sink = PostgresSink(world.worker, refusal_patience=60)
    await world.refuse("award", definition)
    turn = with_grant(log, mentor, definition)
    with pytest.raises(Unavailable, match="the application says no"):
        await sink.write(turn)
    await world.accept("award", definition)
    assert not (await sink.write(turn)).waits
    await assert_written_once(world, turn)


async def test_another_sink_knows_what_waits(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    await world.refuse("award", definition)
    granted = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(granted))
    successor = PostgresSink(world.worker)
    outcome = await successor.write(log.turn(stats=[stats_of(mentor)]))
    assert outcome.waits
    assert await successor.awards(log.log_id, 0, [mentor]) == [granted.after]
    revoked = revoke(log.cause(), granted.after)
    assert (await successor.write(log.turn(revoked))).refused == 1
    await world.accept("award", definition)
    assert not (await successor.retry(log.log_id, 0, Position(log.next_offset, log.number))).waits
    assert await world.rows(mentor) == [revoked.after]
    assert not (await world.sink.retry(log.log_id, 0, Position(log.next_offset, log.number))).waits


async def test_the_message_names_what_is_no_trigger_too(world: PostgresWorld) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    check = "CONSTRAINT test_check CHECK (activity_count < 5) NOT VALID"
    await world.owner.execute(f"ALTER TABLE peer_mentor_stats ADD {check}")
    try:
        turn = log.turn(grant(log.cause(), mentor, definition), stats=[stats_of(mentor, 7)])
        outcome = await world.sink.write(turn)
        (waiting,) = await world.sink.waiting()
    finally:
        await world.owner.execute("ALTER TABLE peer_mentor_stats DROP CONSTRAINT test_check")
    assert (len(outcome.written), outcome.refused) == (1, 1)
    assert waiting.subject == "constraint test_check on peer_mentor_stats"
    assert waiting.sqlstate == "23514"
    assert not (await world.sink.retry(log.log_id, 0, Position(log.next_offset, log.number))).waits
    assert await world.stats(mentor) == stats_of(mentor, 7)


async def test_too_many_connections_are_unavailable(
    world: PostgresWorld, postgres: Stack, contract_url: str
) -> None:
    log = await world.live_log()
    url = postgres.role_url("badges_worker", contract_url)
    async with await create_pool(url, application_name="test", connect_timeout=LIMIT_S) as pool:
        sink = PostgresSink(pool)
        await world.owner.execute("ALTER ROLE badges_worker CONNECTION LIMIT 0")
        try:
            for call in (sink.position(log.log_id, 0), sink.awards(log.log_id, 0, [])):
                with pytest.raises(Unavailable, match="too many connections"):
                    await call
            with pytest.raises(Unavailable, match="too many connections"):
                await sink.write(log.turn())
        finally:
            await world.owner.execute("ALTER ROLE badges_worker CONNECTION LIMIT -1")
        assert await sink.position(log.log_id, 0) == Position(0, 0)


async def test_nobody_listening_is_unavailable(world: PostgresWorld) -> None:
    log = await world.live_log()
    async with await create_pool(
        "postgresql://badges_worker@127.0.0.1:1/badges", application_name="test"
    ) as pool:
        with pytest.raises(Unavailable):
            await PostgresSink(pool).write(log.turn())
    assert await world.sink.position(log.log_id, 0) == Position(0, 0)


async def test_a_connection_waits_shortly_and_reads_json(
    postgres: Stack, contract_url: str
) -> None:
    url = postgres.role_url("badges_worker", contract_url)
    async with await create_pool(url, application_name="test", connect_timeout=LIMIT_S) as worker:
        for name, value in SERVER_SETTINGS.items():
            if not name.startswith("tcp_"):
                assert str(await worker.fetchval("SELECT current_setting($1)", name)) == value
        assert await worker.fetchval("SELECT $1::jsonb", {"a": [1, None]}) == {"a": [1, None]}


async def test_two_acts_that_leave_a_row_as_it_was_overtake_all_the_same(
    world: PostgresWorld, owner: Pool
) -> None:
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    granted = grant(log.cause(), mentor, definition)
    await world.sink.write(log.turn(granted))

    async def act(change: str) -> int:
        return int(
            await owner.fetchval(
                f"UPDATE badge_awards SET {change} WHERE id = $1"
                " RETURNING changed_xid::text::bigint & 4294967295",
                granted.after.id,
            )
        )

    await act("revoked_by = 'anna'")
    first = await act("revoked_by = NULL")
    by_hand = {"changed_by": "postgres", "changed_in": first}
    read = msgspec.structs.replace(granted.after, **by_hand)
    await act("revoked_by = 'anna'")
    last = await act("revoked_by = NULL")
    stale = await world.sink.write(log.turn(revoke(log.cause(), read)))
    assert (len(stale.written), stale.overtaken) == (0, 1)
    read = msgspec.structs.replace(read, changed_in=last)
    fresh = await world.sink.write(log.turn(revoke(log.cause(), read)))
    assert (len(fresh.written), fresh.overtaken) == (1, 0)


async def test_of_two_turns_at_once_one_is_never_taken_for_the_other(
    patient_world: PostgresWorld,
) -> None:
    world = patient_world
    log = await world.live_log()
    mentor, definition = await world.mentor(), await world.definition()
    turn = log.turn(grant(log.cause(), mentor, definition))
    other = msgspec.structs.replace(turn, decisions=[], stats=[stats_of(mentor)])
    outcomes = await asyncio.gather(
        world.sink.write(turn), world.sink.write(other), return_exceptions=True
    )
    assert [isinstance(each, Fenced) for each in outcomes].count(True) == 1


@pytest.mark.parametrize(
    ("far", "read"),
    [
        ("20000-01-01", LATEST),
        ("infinity", LATEST),
        ("0044-03-15 BC", EARLIEST),
        ("-infinity", EARLIEST),
    ],
)
async def test_an_instant_that_python_has_not_is_the_nearest_one(
    world: PostgresWorld, far: str, read: datetime
) -> None:
    mentor, definition = await world.mentor(), await world.definition()
    award = await world.award_by_hand(mentor, definition)
    await world.owner.execute(
        f"UPDATE badge_awards SET earned_at = '{far}', tier = 'x', tier_earned_at = '{far}' "
        f"WHERE id = '{award.id}'"
    )
    (found,) = await world.sink.awards("", 0, [mentor])
    assert (found.earned_at, found.tier_earned_at) == (read, read)

    async with world.owner.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "ALTER TABLE badge_awards "
            "DROP CONSTRAINT badge_awards_peer_mentor_id_badge_definition_id_key; "
            "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at) "
            f"VALUES ('{mentor}', '{definition}', '{far}')"
        )
        assert read in [each.earned_at for each in await duplicates.find(connection)]
        await transaction.rollback()
