"""As a user: whatever happened, replay and audit find nothing; what somebody spoils they mend.

The file comes after those that read the whole log by brute force: its last test makes that long.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import islice
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import msgspec

from sinks.polling import poll
from sinks.pool import Connection
from tests.acceptance.local_stack import LocalStack
from tests.builders import PlainTeller
from tests.integration.operations import Operations
from tests.stack import LIMIT_S

MENTORS = 250
SPOILED = 100
TRANSACTIONS = 300
KILLS = (80, 170)
"""Before which of the transactions the worker is killed."""
EVENTS = 200_000

RULES: Mapping[str, dict[str, Any]] = {
    "once": {"type": "threshold", "metric": "count", "at_least": 1},
    "thrice": {"type": "threshold", "metric": "count", "at_least": 3, "activity_types": ["visit"]},
    "weeks": {"type": "streak", "period": "week", "length": 3},
    "hours": {
        "type": "tier",
        "metric": "minutes",
        "tiers": [{"name": "bronze", "at_least": 60}, {"name": "silver", "at_least": 150}],
    },
    "both": {"type": "badges", "badges": ["thrice", "weeks"]},
}

_WRITERS = ("changed_by", "changed_xid", "dated_by")
"""What an award says of who wrote it last."""

_Rows: TypeAlias = Mapping[str, dict[str, Any]]
"""Rows of a table by the id of each."""

_MENTORS = """
    INSERT INTO peer_mentors (id, organization_id, display_name)
    SELECT gen_random_uuid(), $1, n::text FROM generate_series(0, $2 - 1) AS n
"""
# Each mentor has other rows than the next, so that each rule holds for some and not for others.
_ACTIVITIES = """
    INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
    SELECT gen_random_uuid(), m.id, (ARRAY['visit', 'phone'])[1 + (n + place) % 2],
           date '2026-01-05' + place * (1 + n % 9), 20 + 10 * (place % 3)
    FROM peer_mentors m, LATERAL (SELECT m.display_name::int) AS numbered (n),
         generate_series(0, n % 9) AS place
    WHERE m.organization_id = $1
"""
_DECIDED = """
    SELECT sum(s.activity_count) = (SELECT count(*) FROM activities a
                                    JOIN peer_mentors m ON m.id = a.peer_mentor_id
                                    WHERE m.organization_id = $1)
    FROM peer_mentor_stats s JOIN peer_mentors m ON m.id = s.peer_mentor_id
    WHERE m.organization_id = $1
"""
_TAKEN_UP = """
    SELECT count(*) = $2 * (SELECT partitions FROM badge_logs WHERE state = 'live')
    FROM badge_rule_positions p JOIN badge_definitions d USING (id)
    WHERE d.organization_id = $1
"""
_RULE_GIVEN = """
    SELECT a.id FROM badge_awards a JOIN peer_mentors m ON m.id = a.peer_mentor_id
    WHERE m.organization_id = $1 AND a.awarded_by = 'rule' AND a.revoked_by IS NULL
    ORDER BY md5(a.id::text) LIMIT $2
"""
_SPOIL_STATS = """
    UPDATE peer_mentor_stats SET
        activity_count = activity_count + CASE WHEN place % 3 = 0 THEN 7 ELSE 0 END,
        minutes_total = CASE WHEN place % 3 = 1 THEN 12345 ELSE minutes_total END,
        last_activity_on = CASE WHEN place % 3 = 2 THEN '2020-02-02' ELSE last_activity_on END
    FROM (SELECT id, row_number() OVER () AS place FROM peer_mentors
          WHERE organization_id = $1 ORDER BY md5(id::text) LIMIT $2) AS chosen
    WHERE peer_mentor_id = chosen.id
    RETURNING peer_mentor_id
"""
_HELD = "SELECT count(*) = $2 FROM badge_awards WHERE id = ANY ($1)"
_GRANTED = """
    SELECT peer_mentor_id, count(*) AS times FROM badge_award_events
    WHERE badge_definition_id = $1 AND kind = 'granted' GROUP BY 1
"""


def test_after_random_operations_with_kills_there_is_nothing_to_mend(raised: LocalStack) -> None:
    asyncio.run(_random_operations(raised))


async def _random_operations(stack: LocalStack) -> None:
    async with _owner(stack) as owner:
        operations = Operations(71, teller=PlainTeller)
        for sql, values in operations.setup():
            await owner.execute(sql, *values)
        for number, transaction in enumerate(islice(operations.transactions(), TRANSACTIONS)):
            if number in KILLS:
                await asyncio.to_thread(stack.kill_worker)
            await _commit(owner, transaction)
        await _nothing_to_mend(stack)
        # They were for everybody, also for those whom the tests that follow are about.
        await owner.execute("DELETE FROM badge_definitions WHERE organization_id IS NULL")
        await _nothing_to_mend(stack)


async def _commit(owner: Connection, transaction: Sequence[tuple[str, Sequence[Any]]]) -> None:
    """Do as applications do where Postgres ends them in favour of somebody they wait for."""
    for _ in range(10):
        with suppress(asyncpg.TransactionRollbackError):
            async with owner.transaction():
                for sql, values in transaction:
                    await owner.execute(sql, *values)
            return
    raise AssertionError("ten deadlocks, one after the other")


def test_audit_names_and_mends_what_was_spoiled_and_nothing_else(raised: LocalStack) -> None:
    asyncio.run(_spoiled(raised))


async def _spoiled(stack: LocalStack) -> None:
    async with _owner(stack) as owner:
        organization = await _lived(owner)
        deleted = await _chosen(owner, organization)
        before = await _awards(owner)
        await owner.execute("DELETE FROM badge_awards WHERE id = ANY ($1)", deleted)
        await poll(partial(_back, owner, before), within=LIMIT_S)
        await _nothing_to_mend(stack)

        awards, stats = await _awards(owner), await _stats(owner)
        shifted = await _chosen(owner, organization)
        async with owner.transaction():
            await owner.execute("SET LOCAL session_replication_role = replica")
            await owner.execute(
                "UPDATE badge_awards SET earned_at = earned_at - interval '3 days' "
                "WHERE id = ANY ($1)",
                shifted,
            )
            wrong = await owner.fetch(_SPOIL_STATS, organization, SPOILED)
        spoiled = {("stats", str(row["peer_mentor_id"]), None) for row in wrong} | {
            ("date", awards[str(id_)]["peer_mentor_id"], awards[str(id_)]["badge_definition_id"])
            for id_ in shifted
        }
        assert len(spoiled) == 2 * SPOILED
        assert await _found(stack) == spoiled
        assert await _found(stack, "--repair") == spoiled

        mended = await _awards(owner)
        assert {id_ for id_, row in mended.items() if row["changed_by"] == "audit"} == {
            str(id_) for id_ in shifted
        }
        assert _but_for(_WRITERS, mended) == _but_for(_WRITERS, awards)
        assert _but_for(["updated_at"], await _stats(owner)) == _but_for(["updated_at"], stats)
        await _nothing_to_mend(stack)


def test_a_new_badge_reaches_everybody_who_qualifies_once(raised: LocalStack) -> None:
    asyncio.run(_backfilled(raised))


async def _backfilled(stack: LocalStack) -> None:
    async with _owner(stack) as owner:
        organization = await _organization(owner)
        # From 100 to 300 rows a mentor.
        mentors = EVENTS // 200
        await owner.execute(_MENTORS, organization, mentors)
        await owner.execute(
            """
            INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date)
            SELECT gen_random_uuid(), m.id, 'visit', date '2024-01-01' + place
            FROM peer_mentors m, generate_series(1, 100 + m.display_name::int % 201) AS place
            WHERE m.organization_id = $1
            """,
            organization,
        )
        # So many rows take a slow machine their time, and it counts them all at each look.
        decided = partial(owner.fetchval, _DECIDED, organization)
        await poll(decided, within=2 * LIMIT_S, every=2)
        due = {
            row["id"]
            for row in await owner.fetch(
                "SELECT m.id FROM peer_mentors m JOIN activities a ON a.peer_mentor_id = m.id "
                "WHERE m.organization_id = $1 GROUP BY m.id HAVING count(*) >= 200",
                organization,
            )
        }
        assert 0 < len(due) < mentors

        began = time.monotonic()
        badge = await _badge(
            owner, organization, "many", {"type": "threshold", "metric": "count", "at_least": 200}
        )
        await poll(partial(_reached, owner, badge, len(due)), within=LIMIT_S)
        print(f"{len(due)} of {mentors} mentors got it within {time.monotonic() - began:.1f} s")
        await _nothing_to_mend(stack)
        granted = {
            row["peer_mentor_id"]: row["times"] for row in await owner.fetch(_GRANTED, badge)
        }
        assert granted == dict.fromkeys(due, 1)


@asynccontextmanager
async def _owner(stack: LocalStack) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(stack.settings["BADGES_DATABASE_URL"])
    try:
        yield connection
    finally:
        await connection.close()


async def _lived(owner: Connection) -> UUID:
    """An organization whose mentors have done something under all RULES, and were decided."""
    organization = await _organization(owner)
    for key, criteria in RULES.items():
        await _badge(owner, organization, key, criteria)
    await poll(partial(owner.fetchval, _TAKEN_UP, organization, len(RULES)), within=LIMIT_S)
    await owner.execute(_MENTORS, organization, MENTORS)
    await owner.execute(_ACTIVITIES, organization)
    await poll(partial(owner.fetchval, _DECIDED, organization), within=LIMIT_S)
    return organization


async def _organization(owner: Connection) -> UUID:
    new = uuid4()
    await owner.execute(
        "INSERT INTO organizations (id, slug, name) VALUES ($1, $1::uuid::text, 'Right')", new
    )
    return new


async def _badge(
    owner: Connection, organization: UUID, key: str, criteria: Mapping[str, Any]
) -> UUID:
    new = uuid4()
    await owner.execute(
        "INSERT INTO badge_definitions (id, organization_id, key, name, criteria, status) "
        "VALUES ($1, $2, $3, $3, $4, 'active')",
        new,
        organization,
        key,
        msgspec.json.encode({"version": 1, **criteria}).decode(),
    )
    return new


async def _chosen(owner: Connection, organization: UUID) -> list[UUID]:
    """Some of the awards that the rule gave."""
    found = [row["id"] for row in await owner.fetch(_RULE_GIVEN, organization, SPOILED)]
    assert len(found) == SPOILED
    return found


async def _awards(owner: Connection) -> _Rows:
    return await _all(owner, "badge_awards", "id")


async def _stats(owner: Connection) -> _Rows:
    return await _all(owner, "peer_mentor_stats", "peer_mentor_id")


async def _all(owner: Connection, table: str, key: str) -> _Rows:
    rows = await owner.fetch(f"SELECT to_jsonb(t)::text AS row FROM {table} t")
    found = [msgspec.json.decode(row["row"]) for row in rows]
    return {row[key]: row for row in found}


def _but_for(columns: Collection[str], rows: _Rows) -> _Rows:
    return {
        id_: {name: value for name, value in row.items() if name not in columns}
        for id_, row in rows.items()
    }


async def _back(owner: Connection, before: _Rows) -> bool:
    """Whether each of these mentors holds each of these badges again, with the same dates."""
    return _dates(before) == _dates(await _awards(owner))


def _dates(awards: _Rows) -> Mapping[tuple[str, ...], Collection[Any]]:
    return {
        (row["peer_mentor_id"], row["badge_definition_id"]): (
            row["earned_at"],
            row["tier"],
            row["tier_earned_at"],
        )
        for row in awards.values()
    }


async def _reached(owner: Connection, badge: UUID, mentors: int) -> bool:
    held = await owner.fetchval(
        "SELECT count(*) FROM badge_awards WHERE badge_definition_id = $1", badge
    )
    return bool(held == mentors)


async def _nothing_to_mend(stack: LocalStack) -> None:
    """Fail unless audit finds nothing and replay would change nothing."""
    assert await _found(stack) == set()
    replay = partial(stack.badges, "replay", "--json", **stack.settings)
    replayed = msgspec.json.decode(await asyncio.to_thread(replay))
    assert replayed["items"] == []
    assert replayed["nothing_to_do"]


async def _found(stack: LocalStack, *options: str) -> set[tuple[str, str, str | None]]:
    """What an audit finds: the kind, whose, and of which badge."""
    limit = f"--limit={LIMIT_S:g}"
    code, out = await asyncio.to_thread(
        partial(stack.run, "audit", "--json", limit, *options, **stack.settings)
    )
    assert code in (0, 1), out
    audit = msgspec.json.decode(out)
    assert code == (1 if audit["findings"] else 0)
    assert audit["ok"] is not bool(audit["findings"])
    found = [
        (each["kind"], each["peer_mentor_id"], each["badge_definition_id"])
        for each in audit["findings"]
    ]
    assert len(set(found)) == len(found)
    return set(found)
