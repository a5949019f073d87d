"""What the worker calls: lock, grant, depart."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from sinks.pool import Connection
from tests.integration.schema.people import People, settle, somebody_waits

pytestmark = pytest.mark.anyio

EARNED = datetime(2026, 3, 1, tzinfo=UTC)
GRANT = "SELECT * FROM badges_private.grant_awards($1, $2, $3, $4, $5, $6, $7, $8::jsonb[], 'rule')"


@pytest.fixture
async def worker(url: str) -> AsyncIterator[Connection]:
    """A connection that acts as the worker."""
    connection = await asyncpg.connect(url)
    await connection.execute("SET ROLE badges_worker")
    yield connection
    await connection.close()


async def grant(worker: Connection, mentor: UUID, *definitions: UUID) -> list[UUID]:
    count = len(definitions)
    rows = await worker.fetch(
        GRANT,
        [uuid4() for _ in definitions],
        [mentor] * count,
        list(definitions),
        [EARNED] * count,
        [1] * count,
        [None] * count,
        [None] * count,
        ["{}"] * count,
    )
    return [row[0] for row in rows]


async def locked(
    worker: Connection, people: People, *more: UUID
) -> list[tuple[str, UUID, int | None]]:
    rows = await worker.fetch(
        "SELECT * FROM badges_private.lock_for_awards($1, $2)",
        [people.mentor, *more],
        [people.definition, people.everywhere, *more],
    )
    return [(row["kind"], row["id"], row["deleted_version"]) for row in rows]


async def test_grants_are_the_rules_and_leave_the_events_to_the_worker(
    db: Connection, worker: Connection
) -> None:
    people = await settle(db)
    granted = await grant(worker, people.mentor, people.definition, people.everywhere)
    rows = await db.fetch("SELECT id, awarded_by, changed_by FROM badge_awards")
    assert {row["id"] for row in rows} == set(granted)
    assert {(row["awarded_by"], row["changed_by"]) for row in rows} == {("rule", "rule")}
    assert await db.fetchval("SELECT count(*) FROM badge_award_events") == 0


async def test_a_pair_that_has_an_award_keeps_it(db: Connection, worker: Connection) -> None:
    people = await settle(db)
    await db.execute("SELECT award_badge($1, $2, now(), '{}')", people.mentor, people.definition)
    assert len(await grant(worker, people.mentor, people.definition, people.everywhere)) == 1
    assert await grant(worker, people.mentor, people.definition) == []


async def test_only_what_exists_is_locked_with_the_latest_deletion(
    db: Connection, worker: Connection
) -> None:
    people = await settle(db)
    await db.execute("DELETE FROM badge_definitions WHERE id = $1", people.definition)
    await db.execute(
        "INSERT INTO badge_definitions (id, key, criteria) VALUES ($1, 'again', '{}')",
        people.definition,
    )
    found = await locked(worker, people, uuid4())
    definitions = sorted([(people.definition, 2), (people.everywhere, None)])
    assert found == [
        ("mentor", people.mentor, None),
        *(("definition", *each) for each in definitions),
    ]


async def test_a_lock_waits_for_a_deletion_and_then_finds_nobody(
    db: Connection, worker: Connection
) -> None:
    people = await settle(db)
    deletion = db.transaction()
    await deletion.start()
    await db.execute("DELETE FROM peer_mentors")
    waiting = asyncio.ensure_future(locked(worker, people))
    await somebody_waits(db)
    await deletion.commit()
    assert [kind for kind, _, _ in await waiting] == ["definition", "definition"]


async def test_a_mentors_delete_takes_what_the_rule_wrote(
    db: Connection, worker: Connection
) -> None:
    people = await settle(db)
    kept = await db.fetchval(
        "SELECT (award_badge($1, $2, now(), '{}')).id", people.mentor, people.everywhere
    )
    (gone,) = await grant(worker, people.mentor, people.definition)
    for award, definition in ((gone, people.definition), (uuid4(), people.definition)):
        await worker.execute(
            "INSERT INTO badge_award_events (badge_award_id, peer_mentor_id, badge_definition_id, "
            "kind, source) VALUES ($1, $2, $3, 'granted', 'stream')",
            award,
            people.mentor,
            definition,
        )
    await worker.execute(
        "INSERT INTO peer_mentor_stats (peer_mentor_id) VALUES ($1)", people.mentor
    )
    assert await worker.fetchval("SELECT badges_private.depart_mentors($1)", [people.mentor]) == 1
    assert [row[0] for row in await db.fetch("SELECT id FROM badge_awards")] == [kept]
    assert [row[0] for row in await db.fetch("SELECT source FROM badge_award_events")] == ["admin"]
    assert await db.fetchval("SELECT count(*) FROM peer_mentor_stats") == 0


async def test_the_worker_may_award_as_the_rule(db: Connection, worker: Connection) -> None:
    people = await settle(db)
    row = await worker.fetchrow(
        "SELECT * FROM award_badge($1, $2, $3, '{}', 'rule')",
        people.mentor,
        people.definition,
        EARNED,
    )
    assert row is not None
    assert (row["awarded_by"], row["changed_by"]) == ("rule", "rule")
    event = await db.fetchrow("SELECT kind, source, actor FROM badge_award_events")
    assert event is not None
    assert tuple(event) == ("granted", "replay", None)


async def test_the_rule_never_gives_back_what_a_person_took(
    db: Connection, worker: Connection
) -> None:
    people = await settle(db)
    await grant(worker, people.mentor, people.definition)
    await db.execute("UPDATE badge_awards SET revoked_at = now()")
    row = await worker.fetchrow(
        "SELECT * FROM award_badge($1, $2, now(), '{}', 'rule')", people.mentor, people.definition
    )
    assert row is not None
    assert row["revoked_by"] == "postgres"


WITHDRAW = "SELECT * FROM badges_private.withdraw_awards($1)"


async def test_what_the_rule_gave_is_withdrawn_unless_another_row_is_beside_it(
    db: Connection, worker: Connection
) -> None:
    people = await settle(db)
    (given,) = await grant(worker, people.mentor, people.definition)
    name = await db.fetchval(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'badge_awards'::regclass "
        "AND contype = 'u'"
    )
    await db.execute(f"ALTER TABLE badge_awards DROP CONSTRAINT {name}")
    other = uuid4()
    await db.execute(
        "INSERT INTO badge_awards (id, peer_mentor_id, badge_definition_id, earned_at, awarded_by) "
        "VALUES ($1, $2, $3, $4, 'rule')",
        other,
        people.mentor,
        people.definition,
        EARNED,
    )
    assert await worker.fetch(WITHDRAW, [given, other]) == []
    await db.execute("DELETE FROM badge_awards WHERE id = $1", other)
    await db.execute(
        f"ALTER TABLE badge_awards ADD CONSTRAINT {name} "
        "UNIQUE (peer_mentor_id, badge_definition_id)"
    )

    assert [row[0] for row in await worker.fetch(WITHDRAW, [given])] == [given]
