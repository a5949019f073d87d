"""Every difference is found, named with the statement that mends it, and never patched silently."""

import pytest

from schema import apply
from schema.check import check
from schema.differences import of
from sinks.pool import Connection
from streams.errors import Failure
from tests.integration.schema import application

pytestmark = pytest.mark.anyio

PREFIX = "badges"

SNAPSHOT = """
SELECT c.relname || ' ' || coalesce(a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || ' ' || a.attnotnull, '') || ' ' || c.relreplident::text
FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'public'::regnamespace
UNION ALL SELECT nspname FROM pg_namespace
UNION ALL SELECT pubname || ' ' || tablename || ' ' || attnames::text FROM pg_publication_tables
UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint
UNION ALL SELECT tgname FROM pg_trigger
"""

THEIRS = {
    "a type": ("ALTER TABLE activities ALTER activity_date TYPE timestamptz", "activity_date"),
    "an id type": (
        "ALTER TABLE activities ALTER id TYPE text USING id::text",
        "public.activities.id has type text",
    ),
    "a null": ("ALTER TABLE mentor_pauses ALTER peer_mentor_id DROP NOT NULL", "may be null"),
    "a missing column": (
        "ALTER TABLE badge_definitions DROP counts_from",
        "counts_from is missing",
    ),
    "no cascade": (
        "ALTER TABLE activities DROP CONSTRAINT activities_peer_mentor_id_fkey, "
        "ADD FOREIGN KEY (peer_mentor_id) REFERENCES peer_mentors",
        "does not cascade on delete",
    ),
    "no foreign key": (
        "ALTER TABLE training_completions DROP CONSTRAINT training_completions_peer_mentor_id_fkey",
        "has no foreign key",
    ),
    "no primary key": ("ALTER TABLE activities DROP CONSTRAINT activities_pkey", "PRIMARY KEY"),
    "another primary key": (
        "ALTER TABLE activities DROP CONSTRAINT activities_pkey, "
        "ADD PRIMARY KEY (id, activity_date)",
        "primary key is (id, activity_date)",
    ),
    "no unique slug": (
        "ALTER TABLE organizations DROP CONSTRAINT organizations_slug_key",
        "UNIQUE (slug)",
    ),
    "a status": ("UPDATE badge_definitions SET status = 'it''s live'", "it's live"),
    "a time zone": ("UPDATE organizations SET timezone = 'Norway'", "Norway"),
    "a view": (
        "DROP TABLE mentor_pauses; CREATE VIEW mentor_pauses AS SELECT 1 AS id",
        "something else has this name",
    ),
    "a full identity": ("ALTER TABLE activities REPLICA IDENTITY FULL", "the full row"),
    "an identity of the mentors": ("ALTER TABLE peer_mentors REPLICA IDENTITY NOTHING", "nothing"),
    "an identity by another index": (
        "ALTER TABLE activities REPLICA IDENTITY USING INDEX activities_pkey",
        "an index (id)",
    ),
    "an identity whose index is gone": (
        "CREATE UNIQUE INDEX gone ON activities (peer_mentor_id, id); "
        "ALTER TABLE activities REPLICA IDENTITY USING INDEX gone; DROP INDEX gone",
        "public.activities replica identity is an index (needed",
    ),
    "their publication": (
        "CREATE PUBLICATION theirs FOR TABLE activities (id, activity_type)",
        "leaves peer_mentor_id of public.activities out",
    ),
    "their row filter": (
        "CREATE PUBLICATION theirs FOR TABLE activities WHERE (id IS NOT NULL)",
        "filters rows",
    ),
    "our publication's name": (
        "CREATE PUBLICATION badges_mentor_log FOR TABLE activities WITH (publish = 'insert')",
        "other tables, columns or row filters",
    ),
    "our publication's name for all": (
        "CREATE PUBLICATION badges_mentor_log FOR ALL TABLES",
        "is for all tables",
    ),
}

OURS = {
    "a trigger": ("DROP TRIGGER badges_stamp_award ON badge_awards", "badges_stamp_award"),
    "a disabled trigger": (
        "ALTER TABLE organizations DISABLE TRIGGER badges_save_timezone",
        "is disabled",
    ),
    "a trigger that fires less often": (
        "ALTER TABLE activities ENABLE REPLICA TRIGGER badges_delete_before_truncate",
        "does not always fire",
    ),
    "a disabled trigger that must always fire": (
        "ALTER TABLE badge_awards DISABLE TRIGGER zz_badges_send_whole",
        "does not always fire",
    ),
    "an index": ("DROP INDEX activities_mentor_date_type_idx", "activities_mentor_date_type_idx"),
    "a policy": ("DROP POLICY badges_connect_all ON activities", "badges_connect_all"),
    "a function": (
        "CREATE OR REPLACE FUNCTION badges_private.claimed_sub() RETURNS text LANGUAGE sql "
        "AS 'SELECT ''me''::text'",
        "is another version",
    ),
    "a missing function": (
        "DROP FUNCTION award_badge(uuid, uuid, timestamptz, jsonb, text, int, text, timestamptz)",
        "function public.award_badge",
    ),
    "a view": ("DROP VIEW peer_mentor_stats_current", "view public.peer_mentor_stats_current"),
    "a constraint": (
        "ALTER TABLE badge_awards DROP CONSTRAINT "
        "badge_awards_peer_mentor_id_badge_definition_id_key",
        "UNIQUE (peer_mentor_id, badge_definition_id)",
    ),
    "a check": (
        "ALTER TABLE badge_definitions DROP CONSTRAINT badge_definitions_status_check",
        "badge_definitions_status_check",
    ),
    "an identity": ("ALTER TABLE activities REPLICA IDENTITY DEFAULT", "replica identity"),
    "the publication": ("DROP PUBLICATION badges_mentor_log", "publication badges_mentor_log"),
    "row security": (
        "ALTER TABLE badge_alerts DISABLE ROW LEVEL SECURITY",
        "without row-level security",
    ),
    "a right": ("REVOKE INSERT ON badge_award_events FROM badges_worker", "lacks INSERT"),
    "a right on a column": (
        "REVOKE SELECT (id) ON activities FROM badges_connect",
        "lacks SELECT on public.activities",
    ),
    "a right to call": (
        "REVOKE EXECUTE ON FUNCTION badges_private.depart_mentors(uuid[]) FROM badges_worker",
        "badges_private.depart_mentors",
    ),
    "everybody's table": ("GRANT SELECT ON badge_awards TO PUBLIC", "is open to PUBLIC"),
    "everybody's function": (
        "GRANT EXECUTE ON FUNCTION badges_private.depart_mentors(uuid[]) TO PUBLIC",
        "is open to PUBLIC",
    ),
    "everybody's sequence": (
        "GRANT USAGE ON SEQUENCE badge_award_events_id_seq TO PUBLIC",
        "is open to PUBLIC",
    ),
    "a result table": ("DROP TABLE badge_alerts", "table public.badge_alerts"),
    "the schema": ("DROP SCHEMA badges_private CASCADE", "schema badges_private"),
}


async def mend(db: Connection) -> None:
    """Run each difference's statement until none is left."""
    for _ in range(10):
        differences = await check(db, prefix=PREFIX)
        if not differences:
            return
        for difference in differences:
            async with db.transaction():
                await db.execute(difference.statement)
    raise AssertionError(differences)


@pytest.mark.parametrize(("change", "expected"), THEIRS.values(), ids=THEIRS)
async def test_what_belongs_to_others_stops_migrate_before_anything_changes(
    empty_db: Connection, change: str, expected: str
) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute(change)
    before = await empty_db.fetch(SNAPSHOT)
    with pytest.raises(Failure) as caught:
        await apply.migrate(empty_db, prefix=PREFIX, role_passwords={})
    assert caught.value.code == 1
    assert expected in str(caught.value)
    assert await empty_db.fetch(SNAPSHOT) == before
    for difference in of("stop", await check(empty_db, prefix=PREFIX)):
        assert difference.statement in str(caught.value).replace("\n    ", "\n")
        await empty_db.execute(difference.statement)
    report = await apply.migrate(empty_db, prefix=PREFIX, role_passwords={})
    assert report.left == ()


@pytest.mark.parametrize(("change", "expected"), OURS.values(), ids=OURS)
async def test_what_is_ours_is_mended_by_its_statement_and_by_migrate(
    db: Connection, change: str, expected: str
) -> None:
    await db.execute(change)
    found = await check(db, prefix=PREFIX)
    assert any(expected in difference.lines() for difference in found)
    assert of("stop", found) == []
    if "SCHEMA badges_private" not in change:
        await mend(db)
        await db.execute(change)
    report = await apply.migrate(db, prefix=PREFIX, role_passwords={})
    assert any(expected in difference.lines() for difference in report.mended)
    assert (report.applied, report.left) == ((), ())


async def test_keys_that_are_used_twice_are_refused(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute("UPDATE badge_definitions SET key = 'same'")
    with pytest.raises(Failure, match="2 definitions of every organization have the key 'same'"):
        await apply.migrate(empty_db, prefix=PREFIX, role_passwords={})


async def test_a_foreign_key_of_another_table_is_reported_and_stops_nothing(
    db: Connection,
) -> None:
    await db.execute("CREATE TABLE letters (mentor uuid REFERENCES peer_mentors)")
    (difference,) = await check(db, prefix=PREFIX)
    assert difference.consequence == "report"
    report = await apply.migrate(db, prefix=PREFIX, role_passwords={})
    assert report.left == (difference,)
    await db.execute(difference.statement)
    assert await check(db, prefix=PREFIX) == []
