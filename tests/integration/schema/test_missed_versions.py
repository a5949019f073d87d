"""Versions that were missed while triggers were off are found and written."""

import asyncpg
import pytest

from schema import apply
from schema.check import check
from sinks.pool import Connection
from tests.integration.schema.people import define, settle
from tests.integration.schema.sessions import migrate, triggers_off

pytestmark = pytest.mark.anyio

MISSED = {
    "insert an organization": (
        "INSERT INTO organizations (id, slug, timezone) "
        "VALUES ('00000000-0000-0000-0000-0000000000aa', 'new', 'America/New_York')",
        "organizations", "was inserted",
    ),
    "change a zone": (
        "UPDATE organizations SET timezone = 'America/New_York'", "organizations", "was changed",
    ),
    "insert a definition": (
        "INSERT INTO badge_definitions (key, criteria, status) VALUES ('new', '{}', 'active')",
        "badge_definitions", "was inserted",
    ),
    "change criteria": (
        """UPDATE badge_definitions SET criteria = '{"at_least": 1.0}' WHERE key = 'first-visit'""",
        "badge_definitions", "was changed",
    ),
    "change a number": (
        "UPDATE badge_definitions SET version = 7 WHERE key = 'first-visit'",
        "badge_definitions", "has another number",
    ),
    "delete a definition": (
        "DELETE FROM badge_definitions WHERE key = 'first-visit'",
        "badge_definitions", "was deleted",
    ),
    "insert one again": (
        "INSERT INTO badge_definitions (id, key, criteria, status) "
        "SELECT id, key, criteria, status FROM badge_definition_versions WHERE key = 'gone' "
        "AND deleted",
        "badge_definitions", "was inserted",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "table", "found"), MISSED.values(), ids=MISSED)
async def test_a_version_that_was_missed_is_listed_and_written(
    db: Connection, statement: str, table: str, found: str
) -> None:
    people = await settle(db)
    await define(db, None, "gone")
    await db.execute("DELETE FROM badge_definitions WHERE key = 'gone'")
    await db.execute("SELECT award_badge($1, $2, now(), '{}')", people.mentor, people.definition)
    before = await number_of_versions(db)
    async with triggers_off(db):
        await db.execute(statement)
    assert await number_of_versions(db) == before
    (difference,) = await check(db, prefix="badges")
    assert difference.where.startswith(f"public.{table} ")
    assert difference.found.startswith(found)
    assert difference.statement == "SELECT badges_private.record_missed_versions();"

    report = await migrate(db)
    assert (report.mended, report.left) == ((difference,), ())
    assert await number_of_versions(db) == before + (found != "has another number")
    await agree(db)
    awards = await db.fetchval("SELECT count(*) FROM badge_awards")
    assert awards == (0 if found == "was deleted" else 1)
    assert await migrate(db) == apply.Report()


async def test_the_version_is_the_row_and_has_an_author(db: Connection) -> None:
    people = await settle(db)
    async with triggers_off(db):
        await db.execute("UPDATE badge_definitions SET criteria = '[]' WHERE key = 'first-visit'")
        await db.execute("UPDATE organizations SET timezone = 'America/New_York'")
    await migrate(db)
    version = await db.fetchrow(
        "SELECT version, criteria, saved_by, deleted FROM badge_definition_versions "
        "WHERE id = $1 ORDER BY version DESC",
        people.definition,
    )
    assert version is not None
    assert tuple(version) == (2, "[]", "postgres", False)
    zone = await db.fetchrow(
        "SELECT version, timezone, saved_by FROM organization_versions ORDER BY version DESC"
    )
    assert zone is not None
    assert tuple(zone) == (2, "America/New_York", "postgres")


async def test_an_id_that_changed_is_a_deletion_and_a_new_definition(db: Connection) -> None:
    people = await settle(db)
    async with triggers_off(db):
        new = await db.fetchval(
            "UPDATE badge_definitions SET id = gen_random_uuid() WHERE id = $1 RETURNING id",
            people.definition,
        )
    differences = await check(db, prefix="badges")
    assert {each.where.rpartition(" ")[2] for each in differences} == {
        str(people.definition),
        str(new),
    }
    assert (await migrate(db)).left == ()
    rows = await db.fetch(
        "SELECT id, version, deleted FROM badge_definition_versions WHERE id = ANY ($1)",
        [people.definition, new],
    )
    assert {tuple(row) for row in rows} == {
        (people.definition, 1, False),
        (people.definition, 2, True),
        (new, 1, False),
    }


async def number_of_versions(db: Connection) -> int:
    return int(
        await db.fetchval(
            "SELECT (SELECT count(*) FROM badge_definition_versions) "
            "+ (SELECT count(*) FROM organization_versions)"
        )
    )


async def agree(db: Connection) -> None:
    """Fail unless every definition has the number of its newest version."""
    assert not await db.fetch(
        "SELECT FROM badge_definitions d WHERE version <> "
        "(SELECT max(version) FROM badge_definition_versions v WHERE v.id = d.id AND NOT deleted)"
    )


async def test_the_worker_may_look_for_missed_versions(db: Connection) -> None:
    await settle(db)
    async with triggers_off(db):
        await db.execute("UPDATE organizations SET timezone = 'America/New_York'")
    await db.execute("SET ROLE badges_worker")
    rows = await db.fetch("SELECT kind, what FROM badges_private.missed_versions()")
    assert [tuple(row) for row in rows] == [("organization", "changed")]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.execute("SELECT badges_private.record_missed_versions()")
