"""The dates of awards: on every way of writing, and in a database that is older than they are."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from schema import migrations
from schema.check import check
from schema.differences import of
from sinks.pool import Connection
from streams.errors import Failure
from tests.integration.schema.older import migrate, migrate_to_before
from tests.integration.schema.people import People, settle

pytestmark = pytest.mark.anyio

BROUGHT_BY = "20261128090000"
IN_OSLO = datetime(2026, 2, 9, 23, tzinfo=UTC)
"""The first instant of 2026-02-10 in Oslo, still the 9th in New York."""
LATE = datetime(2026, 2, 10, 23, 30, tzinfo=UTC)
"""The 11th in Oslo."""
TENTH, ELEVENTH = date(2026, 2, 10), date(2026, 2, 11)
INSERT = "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, {}) VALUES ($1, $2, {})"
OLD_GRANT = (
    "SELECT badges_private.grant_awards($1, $2, $3, $4, $5, $6, $7, ARRAY['{}']::jsonb[], 'rule')"
)


async def insert(db: Connection, people: People, **columns: Any) -> asyncpg.Record:
    """A plain INSERT of a person, and the row that it became."""
    places = ", ".join(f"${place}" for place in range(3, 3 + len(columns)))
    statement = INSERT.format(", ".join(columns), places) + " RETURNING *"
    row = await db.fetchrow(statement, people.mentor, people.definition, *columns.values())
    assert row is not None
    return row


async def update(db: Connection, assignments: str, *values: Any) -> asyncpg.Record:
    row = await db.fetchrow(f"UPDATE badge_awards SET {assignments} RETURNING *", *values)
    assert row is not None
    return row


def dates(row: asyncpg.Record) -> tuple[date, date | None]:
    return row["earned_on"], row["tier_earned_on"]


async def move(db: Connection, timezone: str) -> None:
    await db.execute("UPDATE organizations SET timezone = $1", timezone)


@pytest.fixture
async def worker(url: str) -> AsyncIterator[Connection]:
    """A connection that acts as the worker."""
    connection = await asyncpg.connect(url)
    await connection.execute("SET ROLE badges_worker")
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    ("zone", "on"),
    [
        ("Europe/Oslo", TENTH),
        ("America/New_York", date(2026, 2, 9)),
        ("Pacific/Kiritimati", TENTH),
        ("UTC", date(2026, 2, 9)),
    ],
)
async def test_a_plain_insert_is_dated_where_the_mentor_is(
    db: Connection, zone: str, on: date
) -> None:
    people = await settle(db, timezone=zone)
    row = await insert(db, people, earned_at=IN_OSLO, tier="gold", tier_earned_at=LATE)
    tier_on = LATE.astimezone(UTC).date() if zone in ("UTC", "America/New_York") else ELEVENTH
    assert dates(row) == (on, tier_on)
    assert row["earned_at"] == IN_OSLO


async def test_dates_that_are_given_stay(db: Connection) -> None:
    people = await settle(db)
    row = await insert(
        db,
        people,
        earned_at=IN_OSLO,
        earned_on=date(2020, 1, 1),
        tier="gold",
        tier_earned_at=LATE,
        tier_earned_on=date(2020, 1, 2),
    )
    assert dates(row) == (date(2020, 1, 1), date(2020, 1, 2))
    assert (row["earned_at"], row["tier_earned_at"]) == (IN_OSLO, LATE)


async def test_a_date_alone_begins_where_the_mentor_is(db: Connection) -> None:
    people = await settle(db)
    row = await insert(db, people, earned_on=TENTH, tier="gold", tier_earned_on=ELEVENTH)
    assert row["earned_at"] == IN_OSLO
    assert row["tier_earned_at"] == datetime(2026, 2, 10, 23, tzinfo=UTC)


async def test_an_award_without_any_date_is_refused(db: Connection) -> None:
    people = await settle(db)
    with pytest.raises(asyncpg.NotNullViolationError):
        await insert(db, people, tier=None)
    await insert(db, people, earned_at=IN_OSLO)
    with pytest.raises(asyncpg.NotNullViolationError):
        await update(db, "earned_at = NULL")


async def test_an_update_of_the_instant_moves_the_date_and_the_other_way_round(
    db: Connection,
) -> None:
    people = await settle(db)
    await insert(db, people, earned_at=IN_OSLO, tier="gold", tier_earned_at=IN_OSLO)
    row = await update(db, "earned_at = $1", LATE)
    assert (dates(row), row["earned_at"]) == ((ELEVENTH, TENTH), LATE)
    row = await update(db, "tier_earned_at = $1", LATE)
    assert dates(row) == (ELEVENTH, ELEVENTH)
    row = await update(db, "earned_on = $1, tier_earned_on = $1", TENTH)
    assert (row["earned_at"], row["tier_earned_at"]) == (IN_OSLO, IN_OSLO)
    row = await update(db, "earned_on = NULL")
    assert dates(row) == (TENTH, TENTH)
    row = await update(db, "earned_at = $1, earned_on = $2", LATE, date(2020, 1, 1))
    assert (dates(row), row["earned_at"]) == ((date(2020, 1, 1), TENTH), LATE)
    row = await update(db, "tier = NULL, tier_earned_at = NULL")
    assert row["tier_earned_on"] is None


async def test_a_zone_that_changes_moves_no_date(db: Connection) -> None:
    people = await settle(db)
    await insert(db, people, earned_at=IN_OSLO, tier="gold", tier_earned_at=IN_OSLO)
    await move(db, "America/New_York")
    row = await update(db, "revoked_at = now()")
    assert dates(row) == (TENTH, TENTH)
    again = await db.fetchrow(
        "SELECT * FROM award_badge($1, $2, $3, '{}')", people.mentor, people.definition, LATE
    )
    assert again is not None
    assert (dates(again), again["revoked_by"]) == ((TENTH, TENTH), None)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_an_award_by_hand_is_earned_today(db: Connection, zone: str) -> None:
    people = await settle(db, timezone=zone)
    row = await db.fetchrow(
        "SELECT (award_badge($1, $2, NULL, NULL)).earned_on, "
        "(now() AT TIME ZONE $3)::date AS today",
        people.mentor,
        people.definition,
        zone,
    )
    assert row is not None
    assert row["earned_on"] == row["today"]


async def test_a_zone_that_nobody_knows_counts_as_utc(db: Connection) -> None:
    people = await settle(db)
    await db.execute("SET session_replication_role = replica")
    await move(db, "No/Where")
    await db.execute("SET session_replication_role = origin")
    assert dates(await insert(db, people, earned_at=IN_OSLO))[0] == date(2026, 2, 9)


async def test_a_worker_of_before_writes_dates_by_its_instants(
    db: Connection, worker: Connection
) -> None:
    people = await settle(db)
    await worker.execute(
        OLD_GRANT,
        [uuid4()],
        [people.mentor],
        [people.definition],
        [IN_OSLO],
        [1],
        ["bronze"],
        [IN_OSLO],
    )
    row = await update(worker, "tier = 'gold', tier_earned_at = $1", LATE)
    assert (dates(row), row["changed_by"]) == ((TENTH, ELEVENTH), "rule")


async def test_what_the_worker_says_of_a_date_stands(db: Connection, worker: Connection) -> None:
    people = await settle(db)
    await worker.execute(
        OLD_GRANT,
        [uuid4()],
        [people.mentor],
        [people.definition],
        [IN_OSLO],
        [1],
        ["bronze"],
        [IN_OSLO],
    )
    # The same date, begun later, while the organization has moved on already.
    begun = datetime(2026, 2, 10, 5, tzinfo=UTC)
    await move(db, "Pacific/Pago_Pago")
    row = await update(
        worker, "tier = 'gold', tier_earned_at = $1, tier_earned_on = $2", begun, TENTH
    )
    assert dates(row) == (TENTH, TENTH)


@pytest.fixture
async def older(empty_db: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A database that was migrated before awards had dates."""
    return await migrate_to_before(empty_db, BROUGHT_BY, monkeypatch)


EVENTS = "SELECT to_jsonb(e) - 'caused_at' FROM badge_award_events e"
KEPT = "SELECT id, changed_by, changed_xid, earned_at, tier_earned_at, awarded_at FROM badge_awards"


async def test_awards_of_before_are_dated_as_they_were_awarded(older: Connection) -> None:
    zones = ["Europe/Oslo", "America/New_York"]
    people = await settle(older)
    for award, definition in enumerate((people.definition, people.everywhere)):
        await older.execute(
            "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at, awarded_at, "
            "awarded_by, tier, tier_earned_at) VALUES ($1, $2, $3, now(), $4, 'gold', $5)",
            people.mentor,
            definition,
            IN_OSLO,
            ["rule", "kari"][award],
            datetime(2026, 2, 10, 5, tzinfo=UTC),
        )
    # Awarded in Oslo; the rule promoted the first where New York had become the organization's.
    await move(older, zones[1])
    kept, events = await older.fetch(KEPT), await older.fetch(EVENTS)
    report = await migrate(older)
    assert (report.applied[0][:14], report.left) == (BROUGHT_BY, ())
    rows = await older.fetch("SELECT * FROM badge_awards ORDER BY awarded_by DESC")
    assert [dates(row) for row in rows] == [(TENTH, TENTH), (TENTH, TENTH)]
    assert await older.fetch(KEPT) == kept
    assert await older.fetch(EVENTS) == events


async def test_an_award_from_another_organization_keeps_the_date_that_began_then(
    older: Connection,
) -> None:
    people, elsewhere = await settle(older), await settle(older, "york", "America/New_York")
    insert_ = INSERT.format("earned_at, awarded_by", "$3, $4")
    await older.execute(insert_, people.mentor, people.everywhere, IN_OSLO, "rule")
    await older.execute(insert_, people.mentor, elsewhere.everywhere, IN_OSLO, "kari")
    await older.execute("UPDATE peer_mentors SET organization_id = $1", elsewhere.organization)
    await migrate(older)
    found = await older.fetch("SELECT awarded_by, earned_on FROM badge_awards ORDER BY 1 DESC")
    # Nobody can tell where a person was who wrote an instant.
    assert [tuple(row) for row in found] == [("rule", TENTH), ("kari", date(2026, 2, 9))]


async def test_triggers_of_the_application_sleep_and_stay_as_they_were(older: Connection) -> None:
    people = await settle(older)
    await older.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
        """
    )
    await insert_of_before(older, people)
    states = {"origin_on": "ENABLE", "always_on": "ENABLE ALWAYS", "replica_on": "ENABLE REPLICA"}
    for name, state in {**states, "nobody_on": "DISABLE"}.items():
        await older.execute(
            f"CREATE TRIGGER {name} AFTER UPDATE ON badge_awards FOR EACH ROW "
            f"EXECUTE FUNCTION refuse(); ALTER TABLE badge_awards {state} TRIGGER {name}"
        )
    enabled = (
        "SELECT tgname::text, tgenabled FROM pg_trigger "
        "WHERE tgrelid = 'badge_awards'::regclass AND tgname LIKE '%\\_on' ORDER BY 1"
    )
    before = await older.fetch(enabled)
    assert len(before) == len(states) + 1
    assert (await migrate(older)).left == ()
    assert await older.fetch(enabled) == before
    assert await older.fetchval("SELECT earned_on FROM badge_awards") == TENTH


async def insert_of_before(older: Connection, people: People) -> None:
    await older.execute(INSERT.format("earned_at", "$3"), people.mentor, people.definition, IN_OSLO)


async def test_the_log_does_not_hear_of_it(older: Connection) -> None:
    people = await settle(older)
    await insert_of_before(older, people)
    slot = f"earned_{uuid4().hex[:8]}"
    await older.execute(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    try:
        await migrate(older)
        await update(older, "revoked_at = now()")
        messages = await older.fetch(
            f"SELECT data FROM pg_logical_slot_peek_binary_changes('{slot}', NULL, NULL, "
            "'proto_version', '1', 'publication_names', 'badges_mentor_log')"
        )
    finally:
        await older.execute(f"SELECT pg_drop_replication_slot('{slot}')")
    (changed,) = [row["data"] for row in messages if row["data"][:1] == b"U"]
    (relation,) = [row["data"] for row in messages if row["data"][:1] == b"R"]
    assert b"2026-02-10" in changed
    assert b"earned_on" in relation
    assert b"evidence" not in relation


async def test_a_publication_of_before_is_mended_and_one_cut_down_is_not(
    older: Connection,
) -> None:
    listed = await check(older, prefix="badges")
    (published,) = [each for each in listed if each.where == "publication badges_mentor_log"]
    assert published.consequence == "mend"
    assert (await migrate(older)).left == ()
    columns = (
        "id, peer_mentor_id, badge_definition_id, earned_at, definition_version, tier, "
        "tier_earned_at, awarded_by, revoked_by, changed_by"
    )
    for change in (
        "DROP TABLE badge_awards",
        f"ADD TABLE badge_awards ({columns})",
    ):
        await older.execute(f"ALTER PUBLICATION badges_mentor_log {change}")
        (published,) = of("stop", await check(older, prefix="badges"))
        assert published.where == "publication badges_mentor_log"
        with pytest.raises(Failure, match="other tables, columns or row filters"):
            await migrate(older)
    await older.execute(published.statement)
    assert await check(older, prefix="badges") == []


@pytest.mark.parametrize("taken", ["DROP TABLE activities", "DROP TABLE badge_awards"])
async def test_a_publication_of_before_that_lacks_more_stops(older: Connection, taken: str) -> None:
    await older.execute(f"ALTER PUBLICATION badges_mentor_log {taken}")
    with pytest.raises(Failure, match="other tables, columns or row filters"):
        await migrate(older)


async def test_applied_again_it_changes_nothing(db: Connection) -> None:
    people = await settle(db)
    await insert(db, people, earned_at=IN_OSLO)
    rows = await db.fetch("SELECT * FROM badge_awards")
    published = "SELECT * FROM pg_publication_rel ORDER BY oid"
    before = await db.fetch(published)
    for each in migrations.load():
        await db.execute(each.sql)
    assert await db.fetch("SELECT * FROM badge_awards") == rows
    assert await db.fetch(published) == before
    assert await check(db, prefix="badges") == []
