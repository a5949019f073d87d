"""Every version of a definition and of a time zone is recorded, whoever saves."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from sinks.pool import Connection
from tests.integration.schema.people import define, settle, somebody_waits
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio


async def versions(db: Connection, definition: UUID) -> list[tuple[int, bool]]:
    rows = await db.fetch(
        "SELECT version, deleted FROM badge_definition_versions WHERE id = $1 ORDER BY version",
        definition,
    )
    return [(row["version"], row["deleted"]) for row in rows]


async def zones(db: Connection, organization: UUID) -> list[tuple[int, str]]:
    rows = await db.fetch(
        "SELECT version, timezone FROM organization_versions WHERE id = $1 ORDER BY version",
        organization,
    )
    return [(row["version"], row["timezone"]) for row in rows]


async def test_a_save_is_a_version_and_a_save_of_the_same_is_none(db: Connection) -> None:
    definition = await define(db, None, "a")
    await db.execute("UPDATE badge_definitions SET name = 'A', version = 40 WHERE key = 'a'")
    await db.execute("UPDATE badge_definitions SET name = 'A', version = 50 WHERE key = 'a'")
    assert await db.fetchval("SELECT version FROM badge_definitions WHERE key = 'a'") == 2
    assert await versions(db, definition) == [(1, False), (2, False)]
    last = await db.fetchrow("SELECT * FROM badge_definition_versions WHERE version = 2")
    assert last is not None
    assert (last["name"], last["key"], last["status"]) == ("A", "a", "active")
    assert last["saved_by"] == "postgres"


async def test_criteria_that_are_equal_as_json_but_not_as_written_are_a_version(
    db: Connection,
) -> None:
    definition = await define(db, None, "a")
    await db.execute("""UPDATE badge_definitions SET criteria = '{"at_least": 1}'""")
    await db.execute("""UPDATE badge_definitions SET criteria = '{"at_least": 1.0}'""")
    assert len(await versions(db, definition)) == 3


async def test_versions_go_on_after_a_deletion(db: Connection) -> None:
    definition = await define(db, None, "a")
    await db.execute("DELETE FROM badge_definitions")
    await db.execute(
        "INSERT INTO badge_definitions (id, key, criteria) VALUES ($1, 'b', '{}')", definition
    )
    assert await versions(db, definition) == [(1, False), (2, True), (3, False)]
    assert await db.fetchval("SELECT version FROM badge_definitions") == 3


async def test_a_new_id_is_a_deletion_and_a_new_definition(db: Connection) -> None:
    old = await define(db, None, "a")
    new = await db.fetchval("UPDATE badge_definitions SET id = gen_random_uuid() RETURNING id")
    assert await versions(db, old) == [(1, False), (2, True)]
    assert await versions(db, new) == [(1, False)]


@pytest.mark.parametrize(
    "statement", ["DELETE FROM organizations", "TRUNCATE organizations CASCADE"]
)
async def test_what_goes_with_its_organization_is_a_deletion(
    db: Connection, statement: str
) -> None:
    people = await settle(db)
    await db.execute(statement)
    assert await versions(db, people.definition) == [(1, False), (2, True)]
    assert await zones(db, people.organization) == [(1, "Europe/Oslo")]


async def test_truncate_of_the_definitions_deletes_each(db: Connection) -> None:
    people = await settle(db)
    await db.execute("TRUNCATE badge_definitions CASCADE")
    assert await versions(db, people.definition) == [(1, False), (2, True)]
    assert await versions(db, people.everywhere) == [(1, False), (2, True)]


async def test_copied_and_upserted_definitions_have_versions(db: Connection) -> None:
    definition = await define(db, None, "a")
    await db.copy_records_to_table(
        "badge_definitions", records=[("b", "{}"), ("c", "{}")], columns=["key", "criteria"]
    )
    await db.execute(
        "INSERT INTO badge_definitions (key, criteria) VALUES ('a', '[]') "
        "ON CONFLICT (organization_id, key) DO UPDATE SET criteria = excluded.criteria"
    )
    assert await versions(db, definition) == [(1, False), (2, False)]
    assert await db.fetchval("SELECT count(*) FROM badge_definition_versions") == 4


async def test_an_insert_that_waits_for_a_deletion_is_numbered_after_it(
    db: Connection, url: str
) -> None:
    definition = await define(db, None, "a")
    other = await asyncpg.connect(url)
    try:
        deletion = db.transaction()
        await deletion.start()
        await db.execute("DELETE FROM badge_definitions")
        waiting = asyncio.ensure_future(
            other.execute(
                "INSERT INTO badge_definitions (id, key, criteria) VALUES ($1, 'b', '{}')",
                definition,
            )
        )
        await somebody_waits(db)
        await deletion.commit()
        await waiting
    finally:
        await other.close()
    assert await versions(db, definition) == [(1, False), (2, True), (3, False)]
    assert await db.fetchval("SELECT version FROM badge_definitions") == 3


async def test_savers_of_one_definition_wait_for_each_other(db: Connection, url: str) -> None:
    definition = await define(db, None, "a")
    async with asyncpg.create_pool(url, min_size=5, max_size=5) as pool:
        await asyncio.gather(
            *(
                pool.execute("UPDATE badge_definitions SET name = $1", f"name {number}")
                for number in range(25)
            )
        )
    assert [number for number, _ in await versions(db, definition)] == list(range(1, 27))
    assert await db.fetchval("SELECT version FROM badge_definitions") == 26


async def test_only_a_new_time_zone_is_a_version_of_an_organization(db: Connection) -> None:
    people = await settle(db)
    await db.execute("UPDATE organizations SET name = 'new', slug = 'new'")
    await db.execute("UPDATE organizations SET timezone = 'America/Havana'")
    assert await zones(db, people.organization) == [(1, "Europe/Oslo"), (2, "America/Havana")]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "europe/oslo", "", "posix/Europe/Oslo "])
async def test_an_unknown_time_zone_is_refused_with_advice(db: Connection, zone: str) -> None:
    people = await settle(db)
    with pytest.raises(asyncpg.InvalidParameterValueError) as caught:
        await db.execute("UPDATE organizations SET timezone = $1", zone)
    assert str(people.organization) in str(caught.value)
    assert caught.value.hint is not None
    assert "Europe/Oslo" in caught.value.hint


@pytest.mark.parametrize("table", ["badge_definition_versions", "organization_versions"])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM {}", "UPDATE {} SET version = 9", "TRUNCATE {}"]
)
async def test_versions_are_append_only(db: Connection, table: str, statement: str) -> None:
    await settle(db)
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await db.execute(statement.format(table))


async def test_a_new_version_is_announced(db: Connection, url: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(url)
    try:
        await listener.add_listener("badges_rules", lambda *heard_: heard.put_nowait(heard_[2]))
        await define(db, None, "a")
        async with asyncio.timeout(LIMIT_S):
            assert await heard.get() == "badges_rules"
    finally:
        await listener.close()


async def test_the_jwt_sub_is_the_author(db: Connection) -> None:
    await db.execute("""SET request.jwt.claims = '{"sub": "kari"}'""")
    await define(db, None, "a")
    assert await db.fetchval("SELECT saved_by FROM badge_definition_versions") == "kari"
