"""No row that a table takes fails in an index of ours."""

from uuid import UUID

import asyncpg
import pytest

from schema import apply, migrations
from schema.check import check
from schema.differences import Deviation, of
from sinks.pool import Connection
from tests.integration.schema import application
from tests.integration.schema.people import settle
from tests.integration.schema.sessions import long_text, migrate

pytestmark = pytest.mark.anyio

NEWEST = "20261128090100"
INDEX = "activities_mentor_date_type_idx"

UNBOUNDED = application.TABLES.replace("varchar(40)", "text")


async def index_of(db: Connection) -> str:
    definition = await db.fetchval(
        "SELECT indexdef FROM pg_indexes WHERE indexname = $1 AND tablename = 'activities'", INDEX
    )
    return str(definition).partition(" USING btree ")[2]


PLAIN = "(peer_mentor_id, activity_date, activity_type)"
CUT = '(peer_mentor_id, activity_date, "left"(activity_type, 200))'
MENTOR = "00000000-0000-0000-0000-000000000011"


async def insert_long(db: Connection) -> None:
    await db.execute(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
        "VALUES (gen_random_uuid(), $1, $2, '2026-01-02')",
        UUID(MENTOR),
        long_text(3_000),
    )


async def test_a_table_of_ours_bounds_its_types_and_has_the_plain_index(db: Connection) -> None:
    assert await index_of(db) == PLAIN
    people = await settle(db)
    insert = (
        "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
        "VALUES ($1, $2, '2026-01-01')"
    )
    await db.execute(insert, people.mentor, "\N{BIRTHDAY CAKE}" * 200)
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute(insert, people.mentor, "x" * 201)


async def test_no_row_that_an_application_takes_is_refused(empty_db: Connection) -> None:
    await empty_db.execute(UNBOUNDED)
    await empty_db.execute(application.ROWS)
    await insert_long(empty_db)
    assert (await migrate(empty_db)).left == ()
    await insert_long(empty_db)
    assert await index_of(empty_db) == CUT
    assert await check(empty_db, prefix="badges") == []


@pytest.mark.parametrize(
    ("column", "index"),
    [
        ("varchar(40)", "(peer_mentor_id, activity_date, activity_type)"),
        ("varchar(200)", "(peer_mentor_id, activity_date, activity_type)"),
        ("varchar(201)", CUT.replace("(activity_type,", "((activity_type)::text,")),
        ("varchar", CUT.replace("(activity_type,", "((activity_type)::text,")),
        ("text", CUT),
        ("text CHECK (char_length(activity_type) <= 200)", PLAIN),
        ("text CHECK (length(activity_type) < 100)", PLAIN),
        ("text CHECK (char_length(activity_type) <= 2000)", CUT),
        ("text CHECK (char_length(activity_type) <= 200 OR activity_date > '2026-01-01')", CUT),
        ("varchar(900) CHECK (length(activity_type) <= 50)", PLAIN),
    ],
)
async def test_the_index_is_by_what_the_table_takes(
    empty_db: Connection, column: str, index: str
) -> None:
    await empty_db.execute(application.TABLES.replace("varchar(40)", column))
    assert (await migrate(empty_db)).left == ()
    assert await index_of(empty_db) == index
    assert await migrate(empty_db) == apply.Report()


async def test_an_index_of_an_earlier_version_is_replaced(db: Connection) -> None:
    await db.execute("ALTER TABLE activities DROP CONSTRAINT activities_activity_type_check")
    await db.execute(
        "DELETE FROM supabase_migrations.schema_migrations WHERE version >= $1", NEWEST
    )
    assert (await migrate(db)).left == ()
    assert await index_of(db) == CUT


async def test_an_index_follows_what_the_table_becomes(db: Connection) -> None:
    await db.execute("ALTER TABLE activities DROP CONSTRAINT activities_activity_type_check")
    assert await mend(db) == [f"index {INDEX} on public.activities"]
    assert await index_of(db) == CUT
    await db.execute("ALTER TABLE activities ADD CHECK (char_length(activity_type) <= 80)")
    assert await mend(db) == [f"index {INDEX} on public.activities"]
    assert await index_of(db) == PLAIN


async def mend(db: Connection) -> list[str]:
    """What differs, mended by the statements that --check prints."""
    found: list[Deviation] = await check(db, prefix="badges")
    assert of("stop", found) == []
    for each in found:
        await db.execute(each.statement)
    assert await check(db, prefix="badges") == []
    return [each.where for each in found]


async def test_the_files_are_safe_where_a_type_is_long(empty_db: Connection) -> None:
    await empty_db.execute(UNBOUNDED)
    await empty_db.execute(application.ROWS)
    await insert_long(empty_db)
    for _ in range(2):
        for each in migrations.load():
            await empty_db.execute(each.sql)
    assert await check(empty_db, prefix="badges") == []
