"""Whatever a session does, the log gets whole rows, and versions that were missed are written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from string import ascii_letters, digits
from uuid import UUID

import asyncpg
import pytest

from badges.console.schema import apply, migrations
from badges.console.schema.check import check
from badges.console.schema.differences import Difference, of
from badges.sinks.pool import Connection
from tests.integration.schema import application
from tests.integration.schema.people import People, define, settle
from tests.integration.schema.slot import Slot, Text

pytestmark = pytest.mark.anyio

NEWEST = "20261128090100"
INDEX = "activities_mentor_date_type_idx"

UNBOUNDED = application.TABLES.replace("varchar(40)", "text")


def long_text(length: int, seed: int = 0) -> str:
    """Text that cannot be compressed, so that Postgres stores it out of line."""
    return "".join(Random(seed).choices(ascii_letters + digits, k=length))


@asynccontextmanager
async def triggers_off(db: Connection) -> AsyncIterator[None]:
    """A session as a restore has it, or who loads seeds."""
    await db.execute("SET session_replication_role = replica")
    try:
        yield
    finally:
        await db.execute("RESET session_replication_role")


async def migrate(db: Connection) -> apply.Report:
    return await apply.migrate(db, prefix="badges", role_passwords={})


TYPES = [long_text(2_300, 1), long_text(2_300, 2)]
COURSE = long_text(10_000, 3)
PERSON = long_text(3_000, 4)


async def fill(db: Connection) -> tuple[People, UUID]:
    """Long texts of a mentor in every published column, and another mentor."""
    await db.execute("ALTER TABLE activities DROP CONSTRAINT activities_activity_type_check")
    await migrate(db)
    people = await settle(db)
    await db.execute(
        "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
        "SELECT $1, unnest($2::text[]), '2026-01-01'",
        people.mentor,
        TYPES,
    )
    await db.execute(
        "INSERT INTO training_completions (peer_mentor_id, course_code, completed_on) "
        "VALUES ($1, $2, '2026-01-01')",
        people.mentor,
        COURSE,
    )
    async with db.transaction():
        await db.execute(
            "SELECT set_config('request.jwt.claims', jsonb_build_object('sub', $1::text)::text, "
            "true)",
            PERSON,
        )
        await db.execute(
            "SELECT award_badge($1, $2, now(), '{}', $3)", people.mentor, people.definition, PERSON
        )
        await db.execute("UPDATE badge_awards SET revoked_at = now()")
    other = await db.fetchval(
        "INSERT INTO peer_mentors (organization_id) VALUES ($1) RETURNING id", people.organization
    )
    return people, other


MOVED = "UPDATE {table} SET peer_mentor_id = '{other}'"
RENAMED = "UPDATE {table} SET id = gen_random_uuid()"
CASCADED = "UPDATE peer_mentors SET id = gen_random_uuid() WHERE id = '{mentor}'"


@pytest.mark.parametrize(
    ("change", "session"),
    [
        (MOVED, "origin"),
        (MOVED, "replica"),
        (RENAMED, "origin"),
        (RENAMED, "replica"),
        (CASCADED, "origin"),  # where triggers are off, foreign keys do not cascade
    ],
)
async def test_a_new_key_has_the_whole_texts(db: Connection, change: str, session: str) -> None:
    people, other = await fill(db)
    tables = ("activities", "training_completions", "badge_awards")
    async with Slot(db) as slot:
        await db.execute(f"SET session_replication_role = {session}")
        for table in tables:
            await db.execute(change.format(table=table, other=other, mentor=people.mentor))
        await db.execute("RESET session_replication_role")
        rows = {table: await slot.updated(table) for table in tables}
    assert sorted(str(row["activity_type"]) for row in rows["activities"]) == sorted(TYPES)
    assert [row["course_code"] for row in rows["training_completions"]] == [COURSE]
    (award,) = rows["badge_awards"]
    assert (award["awarded_by"], award["revoked_by"]) == (PERSON, PERSON)
    assert award["changed_by"] == (PERSON if session == "replica" else "postgres")
    assert Text.UNCHANGED not in award.values()


async def test_an_unchanged_key_costs_no_text(db: Connection) -> None:
    await fill(db)
    async with Slot(db) as slot:
        await db.execute("UPDATE activities SET duration_minutes = 5, id = id")
        rows = await slot.updated("activities")
    assert [row["activity_type"] for row in rows] == [Text.UNCHANGED] * 2


async def test_the_trigger_comes_after_all_others(db: Connection) -> None:
    _, other = await fill(db)
    await db.execute(
        "CREATE FUNCTION redirect() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN NEW.peer_mentor_id := '{other}'; RETURN NEW; END $$"
    )
    await db.execute(
        "CREATE TRIGGER your_redirect BEFORE UPDATE ON activities "
        "FOR EACH ROW EXECUTE FUNCTION redirect()"
    )
    async with Slot(db) as slot:
        await db.execute("UPDATE activities SET duration_minutes = 5")
        rows = await slot.updated("activities")
    assert sorted(str(row["activity_type"]) for row in rows) == sorted(TYPES)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("TRUNCATE activities", {"activities": 2}),
        ("TRUNCATE badge_awards", {"badge_awards": 1}),
        (
            "TRUNCATE peer_mentors CASCADE",
            {"peer_mentors": 2, "activities": 2, "training_completions": 1, "badge_awards": 1},
        ),
    ],
)
async def test_truncate_is_deletes_where_triggers_are_off(
    db: Connection, statement: str, expected: dict[str, int]
) -> None:
    await fill(db)
    async with Slot(db) as slot:
        async with triggers_off(db):
            await db.execute(statement)
        assert await slot.deletes() == expected


async def test_triggers_switched_off_and_on_again_are_found_and_mended(db: Connection) -> None:
    tables = [
        "peer_mentors", "activities", "training_completions", "mentor_pauses",
        "badge_definitions", "badge_awards", "badge_award_events",
    ]  # fmt: skip
    for table in tables:
        await db.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        await db.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
    found = {each.where for each in await check(db, prefix="badges")}
    assert found == {
        *(f"trigger badges_delete_before_truncate on public.{table}" for table in tables),
        "trigger zz_badges_send_whole on public.activities",
        "trigger zz_badges_send_whole on public.training_completions",
        "trigger zz_badges_send_whole on public.badge_awards",
    }
    report = await migrate(db)
    assert {each.where for each in report.mended} == found
    assert report.left == ()


async def test_a_dump_brings_its_versions_along(db: Connection) -> None:
    rows = await db.fetch(
        "SELECT DISTINCT tgname::text FROM pg_trigger WHERE tgenabled = 'A' ORDER BY 1"
    )
    names = [row[0] for row in rows]
    assert names == ["badges_delete_before_truncate", "zz_badges_send_whole"]


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
    found: list[Difference] = await check(db, prefix="badges")
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


async def alerts(db: Connection) -> list[asyncpg.Record]:
    return await db.fetch(
        "SELECT kind, detail ->> 'number' AS number, "
        "jsonb_array_length(detail -> 'rows') AS named, "
        "detail #>> '{rows,0,kept_id}' AS kept, resolved_at IS NULL AS open "
        "FROM badge_alerts ORDER BY id"
    )


async def test_migrate_tells_what_it_removed(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute(application.AWARDS)
    await migrate(empty_db)
    (alert,) = await alerts(empty_db)
    assert alert["kept"] in application.KEPT
    assert tuple(alert)[:3] == ("duplicate_awards", "6", 6)
    assert not alert["open"]


async def test_an_open_alert_of_duplicates_is_closed_by_who_removes_them(db: Connection) -> None:
    people = await settle(db)
    await db.execute(
        "ALTER TABLE badge_awards DROP CONSTRAINT "
        "badge_awards_peer_mentor_id_badge_definition_id_key"
    )
    await db.execute(
        "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at) "
        "SELECT $1, $2, now() + make_interval(days => n) FROM generate_series(1, 30) n",
        people.mentor,
        people.definition,
    )
    await db.execute("INSERT INTO badge_alerts (kind) VALUES ('duplicate_awards')")
    report = await migrate(db)
    assert len(report.removed) == 29
    told = [tuple(alert)[:3] for alert in await alerts(db)]
    assert told == [("duplicate_awards", None, None), ("duplicate_awards", "29", 20)]
    assert not any(alert["open"] for alert in await alerts(db))
