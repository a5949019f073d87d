"""The version that gave the held tier: on every way of writing, and in a database that is older."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from schema.check import check
from sinks.pool import Connection
from tests.integration.schema.older import migrate, migrate_to_before
from tests.integration.schema.people import People, settle

pytestmark = pytest.mark.anyio

BROUGHT_BY = "20261129090100"
AT = datetime(2026, 2, 9, 23, tzinfo=UTC)
BEFORE_DATES = (
    "SELECT badges_private.grant_awards(ARRAY[gen_random_uuid()], $1, $2, $3, $4, ARRAY['bronze'], "
    "$3, ARRAY['{}']::jsonb[], 'rule')"
)
BEFORE = (
    "SELECT badges_private.grant_awards(ARRAY[gen_random_uuid()], $1, $2, $3, NULL, $4, "
    "ARRAY['bronze'], $3, NULL, ARRAY['{}']::jsonb[], 'rule')"
)


async def save(db: Connection, people: People, *names: str) -> None:
    """The next version of the definition, with these tiers."""
    tiers = [{"name": name, "at_least": place + 1} for place, name in enumerate(names)]
    await db.execute(
        "UPDATE badge_definitions SET criteria = $2 WHERE id = $1",
        people.definition,
        json.dumps({"version": 1, "type": "tier", "metric": "count", "tiers": tiers}),
    )


async def settle_with_tiers(db: Connection) -> People:
    """A definition whose versions 2 and 3 have tiers; 3 is the current one."""
    people = await settle(db)
    await save(db, people, "bronze", "silver")
    await save(db, people, "bronze", "silver", "gold")
    return people


async def insert(db: Connection, people: People, **columns: Any) -> int | None:
    """A plain INSERT of a person, and the version that gave its tier."""
    columns["tier_earned_at"] = AT if columns["tier"] else None
    places = ", ".join(f"${place}" for place in range(4, 4 + len(columns)))
    version: int | None = await db.fetchval(
        "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at, "
        f"{', '.join(columns)}) VALUES ($1, $2, $3, {places}) RETURNING tier_version",
        people.mentor,
        people.definition,
        AT,
        *columns.values(),
    )
    return version


async def update(db: Connection, assignments: str) -> int | None:
    version: int | None = await db.fetchval(
        f"UPDATE badge_awards SET {assignments} RETURNING tier_version"
    )
    return version


@pytest.fixture
async def worker(url: str) -> AsyncIterator[Connection]:
    """A connection that acts as the worker."""
    connection = await asyncpg.connect(url)
    await connection.execute("SET ROLE badges_worker")
    yield connection
    await connection.close()


@pytest.mark.parametrize(("named", "gave"), [(None, 3), (2, 2)])
async def test_an_award_by_hand_has_the_version_that_it_names(
    db: Connection, named: int | None, gave: int
) -> None:
    people = await settle_with_tiers(db)
    award = await db.fetchrow(
        "SELECT * FROM award_badge($1, $2, NULL, NULL, definition_version => $3, tier => 'silver')",
        people.mentor,
        people.definition,
        named,
    )
    assert award is not None
    assert (award["definition_version"], award["tier_version"]) == (gave, gave)
    await update(db, "revoked_at = now()")
    await db.fetchrow("SELECT award_badge($1, $2, NULL, NULL)", people.mentor, people.definition)
    assert await db.fetchval("SELECT tier_version FROM badge_awards") == gave


@pytest.mark.parametrize(
    ("columns", "gave"),
    [
        ({"tier": "silver"}, 3),
        ({"tier": "silver", "definition_version": 2}, 2),
        ({"tier": "silver", "definition_version": 3, "tier_version": 2}, 2),
        ({"tier": None}, None),
        ({"tier": None, "tier_version": 2}, None),
    ],
)
async def test_a_plain_insert(db: Connection, columns: dict[str, Any], gave: int | None) -> None:
    people = await settle_with_tiers(db)
    assert await insert(db, people, **columns) == gave


async def test_a_plain_update(db: Connection) -> None:
    people = await settle_with_tiers(db)
    assert await insert(db, people, tier="bronze", definition_version=2) == 2
    assert await update(db, "revoked_at = now(), tier = 'bronze'") == 2
    assert await update(db, "tier = 'silver'") == 3
    await save(db, people, "one", "two")
    assert await update(db, "definition_version = 4") == 3
    assert await update(db, "tier = 'two', tier_version = tier_version") == 4
    assert await update(db, "tier = 'one', tier_version = 1") == 1
    assert await update(db, "tier = NULL, tier_earned_at = NULL") is None
    assert await update(db, "tier = 'one', tier_earned_at = now()") == 4


async def grant(worker: Connection, statement: str, people: People, version: int) -> None:
    await worker.execute(statement, [people.mentor], [people.definition], [AT], [version])


@pytest.mark.parametrize("statement", [BEFORE_DATES, BEFORE])
async def test_a_worker_of_before_gives_a_tier_by_the_current_version(
    db: Connection, worker: Connection, statement: str
) -> None:
    people = await settle_with_tiers(db)
    await grant(worker, statement, people, 2)
    assert await update(worker, "revoked_by = 'rule'") == 2
    assert await update(worker, "tier = 'silver', revoked_by = NULL") == 3


async def test_what_the_worker_says_stands(db: Connection, worker: Connection) -> None:
    people = await settle_with_tiers(db)
    await grant(worker, BEFORE, people, 2)
    # Version 3 is not in effect where it decides.
    assert await update(worker, "tier = 'silver', tier_version = -2") == 2
    assert await update(worker, "tier = 'gold', tier_version = -3") == 3
    assert await update(worker, "revoked_by = 'rule', tier_version = tier_version") == 3


@pytest.fixture
async def older(empty_db: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A database that was migrated before the column."""
    return await migrate_to_before(empty_db, BROUGHT_BY, monkeypatch)


async def promoted(db: Connection, people: People, award: UUID, tier: str, version: int) -> None:
    """As the rule promotes: the row, and its event."""
    await db.execute("SET ROLE badges_worker")
    await db.execute(
        "UPDATE badge_awards SET tier = $2, tier_earned_at = $3 WHERE id = $1", award, tier, AT
    )
    await db.execute(
        "INSERT INTO badge_award_events (badge_award_id, peer_mentor_id, badge_definition_id, "
        "kind, tier, definition_version, source) VALUES ($1, $2, $3, 'promoted', $4, $5, 'stream')",
        award,
        people.mentor,
        people.definition,
        tier,
        version,
    )
    await db.execute("RESET ROLE")


async def award_of_before(db: Connection, people: People) -> UUID:
    award: UUID = await db.fetchval(
        "SELECT id FROM award_badge($1, $2, NULL, NULL, definition_version => 2, tier => 'bronze')",
        people.mentor,
        people.definition,
    )
    return award


EVENTS = "SELECT to_jsonb(e) - 'caused_at' FROM badge_award_events e"
KEPT = "SELECT id, changed_by, changed_xid, tier, tier_earned_at, awarded_at FROM badge_awards"


@pytest.mark.parametrize(
    ("promotions", "gave"),
    [
        ([], 2),
        ([("silver", 3)], 3),
        ([("silver", 2), ("gold", 3)], 3),
        # Taken back by a person of whom no event is left: the newest that gave this tier counts.
        ([("silver", 3), ("bronze", 1)], 1),
        ([("silver", 3), ("tin", None)], 2),
    ],
)
async def test_awards_of_before_have_the_version_of_the_event(
    older: Connection, promotions: list[tuple[str, int | None]], gave: int
) -> None:
    people = await settle_with_tiers(older)
    award = await award_of_before(older, people)
    for tier, version in promotions:
        if version is not None:
            await promoted(older, people, award, tier, version)
        else:
            await older.execute("SET session_replication_role = replica")
            await older.execute("UPDATE badge_awards SET tier = $1", tier)
            await older.execute("RESET session_replication_role")
    kept, events = await older.fetch(KEPT), await older.fetch(EVENTS)
    report = await migrate(older)
    assert (report.applied[0][:14], report.left) == (BROUGHT_BY, ())
    assert await older.fetchval("SELECT tier_version FROM badge_awards") == gave
    assert await older.fetch(KEPT) == kept
    assert await older.fetch(EVENTS) == events


async def test_awards_without_a_tier_have_none(older: Connection) -> None:
    people = await settle(older)
    await older.fetchrow("SELECT award_badge($1, $2, NULL, NULL)", people.mentor, people.definition)
    await migrate(older)
    assert await older.fetchval("SELECT tier_version FROM badge_awards") is None


async def test_triggers_sleep_and_the_log_does_not_hear_of_it(older: Connection) -> None:
    people = await settle_with_tiers(older)
    await award_of_before(older, people)
    await older.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
        CREATE TRIGGER refuse AFTER UPDATE ON badge_awards FOR EACH ROW EXECUTE FUNCTION refuse();
        """
    )
    slot = f"tiers_{uuid4().hex[:8]}"
    await older.execute(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    try:
        assert (await migrate(older)).left == ()
        with pytest.raises(asyncpg.RaiseError, match="not now"):
            await update(older, "revoked_at = now()")
        await older.execute("DROP FUNCTION refuse CASCADE")
        assert await update(older, "revoked_at = now()") == 2
        messages = await older.fetch(
            f"SELECT data FROM pg_logical_slot_peek_binary_changes('{slot}', NULL, NULL, "
            "'proto_version', '1', 'publication_names', 'badges_mentor_log')"
        )
    finally:
        await older.execute(f"SELECT pg_drop_replication_slot('{slot}')")
    assert len([row for row in messages if row["data"][:1] == b"U"]) == 1
    (relation,) = [row["data"] for row in messages if row["data"][:1] == b"R"]
    assert b"tier_version" in relation
    assert b"evidence" not in relation
    assert await check(older, prefix="badges") == []
