"""Migrating an empty database, the application's own, and one that is up to date."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from schema import apply, migrations
from schema.check import check
from schema.differences import of
from schema.wanted import TABLES
from sinks import duplicates
from sinks.pool import Connection
from streams.errors import Failure
from tests.integration.schema import application
from tests.integration.schema import postgres as installed
from tests.integration.schema.postgres import execute

pytestmark = pytest.mark.anyio

HISTORY = "SELECT version, name, statements FROM supabase_migrations.schema_migrations ORDER BY 1"


async def migrate(db: Connection) -> apply.Report:
    return await apply.migrate(db, prefix="badges", role_passwords={})


async def names(db: Connection) -> set[str]:
    rows = await db.fetch(
        "SELECT relname::text FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    return {row[0] for row in rows}


async def test_an_empty_database_gets_every_table_once(empty_db: Connection) -> None:
    before = await check(empty_db, prefix="badges")
    assert of("stop", before) == []
    assert len(before) > 100
    report = await migrate(empty_db)
    assert len(report.applied) == len(migrations.load())
    assert await names(empty_db) == set(TABLES)
    assert report.left == ()
    assert await migrate(empty_db) == apply.Report()


async def test_the_history_is_the_one_of_the_supabase_cli(empty_db: Connection) -> None:
    await migrate(empty_db)
    rows = await empty_db.fetch(HISTORY)
    assert [(row["version"], row["name"]) for row in rows] == [
        (each.version, each.name) for each in migrations.load()
    ]
    assert all(len(row["version"]) == 14 for row in rows)
    assert all(len(row["statements"]) > 0 for row in rows)


async def test_somebody_else_may_have_applied_the_files(empty_db: Connection) -> None:
    await empty_db.execute(
        "CREATE SCHEMA supabase_migrations; CREATE TABLE supabase_migrations.schema_migrations "
        "(version text PRIMARY KEY, statements text[], name text)"
    )
    every = migrations.load()
    for each in every[:4]:
        await empty_db.execute(each.sql)
        await empty_db.execute(
            "INSERT INTO supabase_migrations.schema_migrations (version) VALUES ($1)", each.version
        )
    report = await migrate(empty_db)
    assert report.applied == tuple(f"{each.version}_{each.name}" for each in every[4:])
    assert report.left == ()


LATER = "INSERT INTO supabase_migrations.schema_migrations VALUES ($1, $2, $3)"
ANOTHER = """
CREATE OR REPLACE FUNCTION badges_private.acting_role() RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS 'SELECT current_user::text'
"""
BODY = "SELECT prosrc FROM pg_proc WHERE proname = 'acting_role'"


async def test_a_database_that_a_newer_version_migrated_is_left_as_it_is(db: Connection) -> None:
    await db.execute(ANOTHER)
    await db.execute(LATER, "99990101000000", [f"{migrations.MARK}another role", "SELECT 1"], "new")
    before = await db.fetchval(BODY)
    with pytest.raises(Failure) as refused:
        await migrate(db)
    assert refused.value.code == 1
    assert "nothing was changed" in str(refused.value)
    assert "the database is newer than this version" in str(refused.value)
    assert "99990101000000_new" in str(refused.value)
    assert "the newer version's `badges migrate`" in str(refused.value)
    assert await db.fetchval(BODY) == before
    assert [each.check for each in await check(db, prefix="badges")] == ["newer"]


async def test_a_later_migration_of_the_application_hinders_nothing(db: Connection) -> None:
    await db.execute(ANOTHER)
    await db.execute(LATER, "99990101000000", ["ALTER TABLE badge_awards ADD note text"], "theirs")
    await db.execute(LATER, "99990102000000", None, None)
    report = await migrate(db)
    assert [each.check for each in report.mended] == ["function"]
    assert report.left == ()


async def test_every_file_is_safe_to_run_again(db: Connection) -> None:
    for each in migrations.load():
        await db.execute(each.sql)
    assert await check(db, prefix="badges") == []


async def test_the_applications_tables_keep_their_rows_and_rights(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    assert of("stop", await check(empty_db, prefix="badges")) == []
    report = await migrate(empty_db)
    assert report.left == ()
    versions = await empty_db.fetch(
        "SELECT d.key, d.version AS now, v.version, v.status, v.deleted "
        "FROM badge_definitions d JOIN badge_definition_versions v USING (id) ORDER BY 1"
    )
    assert [tuple(row) for row in versions] == [
        ("first", 1, 1, "draft", False),
        ("second", 1, 1, "draft", False),
    ]
    zones = await empty_db.fetch("SELECT version, timezone FROM organization_versions")
    assert [tuple(row) for row in zones] == [(1, "Europe/Oslo")]
    assert not await empty_db.fetchval(
        "SELECT relrowsecurity FROM pg_class WHERE relname = 'activities'"
    )
    assert await empty_db.fetchval("SELECT note IS NULL FROM activities")


async def test_row_level_security_of_the_application_stays_and_lets_us_see(
    empty_db: Connection,
) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute("ALTER TABLE activities ENABLE ROW LEVEL SECURITY")
    await empty_db.execute("CREATE POLICY theirs ON activities USING (false)")
    await migrate(empty_db)
    policy = await empty_db.fetchrow("SELECT * FROM pg_policies WHERE policyname = 'theirs'")
    assert policy is not None
    assert (policy["qual"], policy["roles"]) == ("false", ["public"])
    for role in ("badges_worker", "badges_connect"):
        await empty_db.execute(f"SET ROLE {role}")
        assert await empty_db.fetchval("SELECT count(id) FROM activities") == 1
        await empty_db.execute("RESET ROLE")


async def test_a_policy_that_hides_rows_from_the_log_is_reported(db: Connection) -> None:
    await db.execute("CREATE POLICY theirs ON activities AS RESTRICTIVE USING (false)")
    (difference,) = await check(db, prefix="badges")
    assert "theirs" in difference.where
    assert difference.consequence == "report"
    # Where there is no role of this name it is for people to say whom the policy is for.
    known = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticated')"
    assert bool(difference.statement) == await db.fetchval(known)
    await db.execute("CREATE ROLE authenticated_visitor")
    try:
        await db.execute("ALTER POLICY theirs ON activities TO authenticated_visitor")
        assert await check(db, prefix="badges") == []
    finally:
        await db.execute("DROP POLICY theirs ON activities; DROP ROLE authenticated_visitor")


async def test_of_duplicate_awards_the_earliest_stays(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute(application.AWARDS)
    listed = await check(empty_db, prefix="badges")
    assert sum(each.needed == "one award a mentor and definition" for each in listed) == 6
    report = await migrate(empty_db)
    assert len(report.removed) == 6
    assert {each.kept_id for each in report.removed} == application.KEPT
    rows = await empty_db.fetch("SELECT * FROM badge_awards")
    assert {str(row["id"]) for row in rows} == application.KEPT
    assert {(row["awarded_by"], row["changed_by"]) for row in rows} == {("rule", "rule")}
    events = await empty_db.fetch("SELECT badge_award_id, kind FROM badge_award_events")
    assert {str(row["badge_award_id"]) for row in events} == application.KEPT
    assert report.left == ()
    with pytest.raises(asyncpg.UniqueViolationError):
        await empty_db.execute(
            "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at) "
            "SELECT peer_mentor_id, badge_definition_id, now() FROM badge_awards"
        )


async def test_the_files_alone_remove_duplicates_too(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute(application.AWARDS)
    notices: list[str] = []
    empty_db.add_log_listener(lambda _, message: notices.append(message.message))
    for each in migrations.load():
        await empty_db.execute(each.sql)
    assert sum("removed duplicate award" in notice for notice in notices) == 6
    assert await duplicates.find(empty_db) == []
    assert await check(empty_db, prefix="badges") == []


async def test_two_at_once_take_turns(empty_db: Connection, empty_url: str) -> None:
    other = await asyncpg.connect(empty_url)
    try:
        reports = await asyncio.gather(migrate(empty_db), migrate(other))
    finally:
        await other.close()
    assert sorted(len(report.applied) for report in reports) == [0, len(migrations.load())]
    assert [report.left for report in reports] == [(), ()]


async def test_an_owner_who_is_no_superuser_migrates(empty_db: Connection) -> None:
    # The roles are there already; only a superuser may create badges_connect on every version.
    await empty_db.execute(migrations.load()[0].sql)
    await empty_db.execute("DROP SCHEMA badges_private CASCADE")
    database = await empty_db.fetchval("SELECT current_database()")
    await empty_db.execute(
        f"CREATE ROLE application; GRANT CREATE ON DATABASE {database} TO application; "
        "GRANT ALL ON SCHEMA public TO application"
    )
    try:
        await empty_db.execute("SET ROLE application")
        await empty_db.execute(application.TABLES)
        report = await migrate(empty_db)
        assert report.left == ()
        assert (
            await empty_db.fetchval(
                "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'badge_awards'"
            )
            == "application"
        )
        with pytest.raises(Failure, match="ALTER ROLE badges_worker LOGIN"):
            await apply.migrate(
                empty_db, prefix="badges", role_passwords={"badges_worker": "secret"}
            )
    finally:
        await empty_db.execute("RESET ROLE")
        await empty_db.execute("DROP OWNED BY application CASCADE; DROP ROLE application")


async def test_tables_of_somebody_else_are_refused(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    database = await empty_db.fetchval("SELECT current_database()")
    await empty_db.execute(f"CREATE ROLE stranger; GRANT CREATE ON DATABASE {database} TO stranger")
    try:
        await empty_db.execute("SET ROLE stranger")
        with pytest.raises(Failure, match="owned by postgres") as caught:
            await migrate(empty_db)
        assert caught.value.code == 1
    finally:
        await empty_db.execute("RESET ROLE")
        await empty_db.execute("DROP OWNED BY stranger CASCADE; DROP ROLE stranger")


def test_an_owner_who_may_not_create_roles_is_told_what_to_run(postgres_15: Path) -> None:
    with installed.running(postgres_15.parent) as server:
        url = server.create_database()
        name = url.rpartition("/")[2]
        asyncio.run(
            execute(
                url,
                "CREATE ROLE application LOGIN CREATEROLE",
                f"ALTER DATABASE {name} OWNER TO application",
            )
        )
        with pytest.raises(Failure, match="run: CREATE ROLE badges_connect NOLOGIN REPLICATION;"):
            asyncio.run(migrate_at(server.role_url("application", url)))
        asyncio.run(execute(url, "CREATE ROLE badges_connect NOLOGIN REPLICATION"))
        assert asyncio.run(migrate_at(server.role_url("application", url))).left == ()


async def migrate_at(url: str) -> apply.Report:
    connection = await asyncpg.connect(url)
    try:
        return await migrate(connection)
    finally:
        await connection.close()
