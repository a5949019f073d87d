"""Every statement that `migrate --check` prints is run on tables that hold rows, and mends them."""

import re
from collections.abc import Callable
from datetime import date

import pytest

from schema import apply
from schema.check import check
from schema.differences import Deviation, of
from sinks.pool import Connection
from tests.integration.schema import application
from tests.integration.schema.sessions import migrate
from tests.integration.schema.test_differences import OURS, THEIRS

pytestmark = pytest.mark.anyio

OSLO, NEW_YORK = (f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2))
KARI, SAM = (f"00000000-0000-0000-0000-00000000001{n}" for n in (1, 2))
FIRST, SECOND = (f"00000000-0000-0000-0000-00000000002{n}" for n in (1, 2))

ROWS = f"""
INSERT INTO organizations (id, slug, name, timezone) VALUES
    ('{NEW_YORK}', 'new-york', 'New York', 'America/New_York');
INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ('{SAM}', '{NEW_YORK}', 'Sam');
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
SELECT gen_random_uuid(), m.id, 'visit', '2026-05-01', 90
FROM peer_mentors m, generate_series(1, 3);
INSERT INTO training_completions
SELECT gen_random_uuid(), id, 'basic', '2026-05-01' FROM peer_mentors;
INSERT INTO mentor_pauses SELECT gen_random_uuid(), id, '2026-05-01' FROM peer_mentors;
CREATE TABLE letters (id serial PRIMARY KEY, mentor uuid REFERENCES peer_mentors ON DELETE CASCADE);
INSERT INTO letters (mentor) SELECT id FROM peer_mentors;
"""

NUMBERED = """
CREATE TABLE organizations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, slug text UNIQUE NOT NULL, name text,
    timezone text DEFAULT 'Europe/Oslo');
CREATE TABLE peer_mentors (
    id bigserial PRIMARY KEY, organization_id bigint NOT NULL REFERENCES organizations,
    display_name text, active smallint DEFAULT 1);
CREATE TABLE activities (
    id serial PRIMARY KEY, peer_mentor_id bigint NOT NULL REFERENCES peer_mentors ON DELETE CASCADE,
    activity_type text NOT NULL, activity_date timestamptz NOT NULL DEFAULT now(),
    duration_minutes interval, created_at timestamp DEFAULT now());
CREATE TABLE training_completions (
    id serial PRIMARY KEY, peer_mentor_id bigint NOT NULL, course_code text NOT NULL,
    completed_on timestamptz NOT NULL);
CREATE TABLE mentor_pauses (
    id serial PRIMARY KEY, peer_mentor_id bigint NOT NULL REFERENCES peer_mentors,
    starts_on text NOT NULL, ends_on timestamp);
CREATE TABLE letters (id serial PRIMARY KEY, mentor bigint REFERENCES peer_mentors);
INSERT INTO organizations (slug, timezone) VALUES ('oslo', NULL), ('new-york', 'America/New_York');
INSERT INTO peer_mentors (organization_id, active) VALUES (1, 1), (2, 0);
INSERT INTO activities (peer_mentor_id, activity_type, activity_date, duration_minutes)
SELECT id, 'visit', '2026-05-01 22:30Z', '1:30' FROM peer_mentors;
INSERT INTO training_completions (peer_mentor_id, course_code, completed_on)
SELECT id, 'basic', '2026-05-01 22:30Z' FROM peer_mentors;
INSERT INTO mentor_pauses (peer_mentor_id, starts_on, ends_on)
SELECT id, '2026-05-01', '2026-05-02 23:59' FROM peer_mentors;
INSERT INTO letters (mentor) SELECT id FROM peer_mentors;
"""
"""An application that counts its rows, and keeps instants where days are needed."""

NAMED = """
ALTER TABLE activities DROP CONSTRAINT activities_peer_mentor_id_fkey;
ALTER TABLE training_completions DROP CONSTRAINT training_completions_peer_mentor_id_fkey;
ALTER TABLE mentor_pauses DROP CONSTRAINT mentor_pauses_peer_mentor_id_fkey;
ALTER TABLE letters DROP CONSTRAINT letters_mentor_fkey;
ALTER TABLE peer_mentors ALTER id TYPE text USING 'cm' || right(id::text, 4);
ALTER TABLE activities ALTER peer_mentor_id TYPE text USING 'cm' || right(peer_mentor_id::text, 4);
ALTER TABLE training_completions ALTER peer_mentor_id TYPE text
    USING 'cm' || right(peer_mentor_id::text, 4);
ALTER TABLE mentor_pauses ALTER peer_mentor_id TYPE text
    USING 'cm' || right(peer_mentor_id::text, 4);
ALTER TABLE letters ALTER mentor TYPE text USING 'cm' || right(mentor::text, 4);
ALTER TABLE activities ADD FOREIGN KEY (peer_mentor_id) REFERENCES peer_mentors ON DELETE CASCADE;
ALTER TABLE letters ADD FOREIGN KEY (mentor) REFERENCES peer_mentors ON DELETE CASCADE;
"""
"""Ids that are texts, and no uuids."""

AWARDS = f"""
CREATE TABLE badge_awards (
    id uuid PRIMARY KEY, peer_mentor_id uuid NOT NULL, badge_definition_id uuid NOT NULL,
    earned_at date NOT NULL, tier text, revoked_at timestamptz, evidence jsonb,
    number int NOT NULL);
INSERT INTO badge_awards VALUES
    (gen_random_uuid(), '{KARI}', '{FIRST}', '2026-05-02', 'gold', NULL, NULL, 1),
    (gen_random_uuid(), '{SAM}', '{FIRST}', '2026-05-02', NULL, now(), NULL, 2),
    (gen_random_uuid(), gen_random_uuid(), '{FIRST}', '2026-05-02', NULL, NULL, NULL, 3),
    (gen_random_uuid(), '{SAM}', gen_random_uuid(), '2026-05-02', NULL, NULL, NULL, 4);
"""
"""An older table of awards, with what no constraint of ours would take."""

NEW = {
    "instants for dates": """
        ALTER TABLE activities ALTER activity_date TYPE timestamptz
        USING '2026-05-01 22:30Z'::timestamptz""",
    "an instant that counts from": """
        ALTER TABLE badge_definitions ALTER counts_from TYPE timestamptz
        USING '2026-05-01 22:30Z'::timestamptz""",
    "instants by default": """
        ALTER TABLE activities ALTER activity_date TYPE timestamptz,
        ALTER activity_date SET DEFAULT now()""",
    "what uses instants": """
        ALTER TABLE activities ALTER activity_date TYPE timestamptz
        USING '2026-05-01 22:30Z'::timestamptz, ADD CHECK (activity_date > '-infinity');
        CREATE INDEX by_day ON activities (activity_date);
        CREATE VIEW days WITH (security_invoker = true)
            AS SELECT peer_mentor_id, activity_date AS "on" FROM activities;
        COMMENT ON VIEW days IS 'it''s a day'; COMMENT ON COLUMN days."on" IS 'when';
        GRANT SELECT ON days TO pg_monitor WITH GRANT OPTION;
        CREATE VIEW newest AS SELECT max("on") FROM days;
        ALTER VIEW newest OWNER TO pg_monitor;
        CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER instead INSTEAD OF UPDATE ON days FOR EACH ROW EXECUTE FUNCTION nothing();
        CREATE RULE quiet AS ON DELETE TO days DO INSTEAD NOTHING;
        CREATE MATERIALIZED VIEW counted AS SELECT "on", count(*) AS number FROM days GROUP BY 1;
        CREATE UNIQUE INDEX counted_on ON counted ("on");
        CREATE POLICY lately ON activities FOR SELECT TO pg_monitor, CURRENT_USER
            USING (activity_date > '2020-01-01');
        CREATE POLICY theirs ON letters AS RESTRICTIVE FOR INSERT
            WITH CHECK (EXISTS (SELECT FROM days WHERE peer_mentor_id = mentor AND "on" > now()));
        CREATE TRIGGER dated BEFORE UPDATE OF activity_date ON activities FOR EACH ROW
            WHEN (OLD.activity_date IS DISTINCT FROM NEW.activity_date) EXECUTE FUNCTION nothing();
        ALTER TABLE activities ENABLE ALWAYS TRIGGER dated;
        CREATE PUBLICATION others FOR TABLE activities
            WHERE (activity_date IS NOT NULL) WITH (publish = 'insert');
        CREATE PUBLICATION listed FOR TABLE activities (id, peer_mentor_id, activity_date)""",
    "an enumeration": """
        CREATE TYPE kind AS ENUM ('visit', 'phone');
        ALTER TABLE activities ALTER activity_type TYPE kind USING activity_type::kind,
        ALTER activity_type SET DEFAULT 'visit'""",
    "dates as texts": "ALTER TABLE mentor_pauses ALTER starts_on TYPE text",
    "minutes as numbers": "ALTER TABLE activities ALTER duration_minutes TYPE numeric(6, 1)",
    "criteria as text": "ALTER TABLE badge_definitions ALTER criteria TYPE text",
    "a short text id": "ALTER TABLE mentor_pauses ALTER id TYPE char(36)",
    "ids that are named": NAMED,
    "no dates": "ALTER TABLE activities DROP activity_date",
    "no ids": "ALTER TABLE activities DROP id",
    "no slugs": "ALTER TABLE organizations DROP slug",
    "no keys": "ALTER TABLE badge_definitions DROP key",
    "no mentors of pauses": "ALTER TABLE mentor_pauses DROP peer_mentor_id",
    "no organizations of mentors": "ALTER TABLE peer_mentors DROP organization_id",
    "nobody active": "ALTER TABLE peer_mentors DROP active",
    "dates that are null": """
        ALTER TABLE activities ALTER activity_date DROP NOT NULL;
        UPDATE activities SET activity_date = NULL""",
    "slugs that are null": """
        ALTER TABLE organizations ALTER slug DROP NOT NULL; UPDATE organizations SET slug = NULL""",
    "mentors that are null": """
        ALTER TABLE activities ALTER peer_mentor_id DROP NOT NULL;
        UPDATE activities SET peer_mentor_id = NULL WHERE peer_mentor_id = (
            SELECT id FROM peer_mentors LIMIT 1)""",
    "ids that are used twice": f"""
        ALTER TABLE activities DROP CONSTRAINT activities_pkey;
        UPDATE activities SET id = '{FIRST}'""",
    "a key of another name": "ALTER TABLE peer_mentors RENAME id TO mentor_id",
    "another key that is referred to": """
        ALTER TABLE activities DROP CONSTRAINT activities_pkey, ADD PRIMARY KEY (id, activity_date);
        CREATE TABLE photos (activity uuid, day date,
            FOREIGN KEY (activity, day) REFERENCES activities);
        INSERT INTO photos SELECT id, activity_date FROM activities""",
    "rows of mentors that are gone": """
        ALTER TABLE activities DROP CONSTRAINT activities_peer_mentor_id_fkey;
        UPDATE activities SET peer_mentor_id = gen_random_uuid() WHERE ctid = (
            SELECT ctid FROM activities LIMIT 1)""",
    "mentors of organizations that are gone": """
        ALTER TABLE peer_mentors DROP CONSTRAINT peer_mentors_organization_id_fkey;
        UPDATE peer_mentors SET organization_id = gen_random_uuid()""",
    "a key nobody has looked at": """
        ALTER TABLE activities DROP CONSTRAINT activities_peer_mentor_id_fkey;
        UPDATE activities SET peer_mentor_id = gen_random_uuid() WHERE ctid = (
            SELECT ctid FROM activities LIMIT 1);
        ALTER TABLE activities ADD FOREIGN KEY (peer_mentor_id) REFERENCES peer_mentors
        NOT VALID""",
    "slugs that are used twice": """
        ALTER TABLE organizations DROP CONSTRAINT organizations_slug_key;
        UPDATE organizations SET slug = 'same'""",
    "keys that are used twice": "UPDATE badge_definitions SET key = 'same'",
    "awards of before": AWARDS,
}

CLOCKS = [
    ("2026-05-02", 2, 2),
    (" 2026/05/02 ", 2, 2),
    ("20260502", 2, 2),
    ("2026-05-02T00:00:00.000", 2, 2),
    ("2026-05-02 00:00:00", 2, 2),
    ("2026-05-01T22:30:00Z", 2, 1),
    ("2026-05-01T22:30:00.123+00:00", 2, 1),
    ("2026-05-01 22:30:00+00", 2, 1),
    ("2026-05-02 01:30 CEST", 2, 1),
    ("2026-05-01 22:30 UTC", 2, 1),
    ("2026-05-02 08:30 Asia/Tokyo", 2, 1),
    ("2026-05-01 22:30:00", 2, 1),
    ("2026-05-01T22:30", 2, 1),
    ("2026-05-01 10:30 PM", 2, 1),
]
"""Texts, with the day in May that each is in Oslo and in New York."""

ASSUMED = [
    ("text", "2026-05-02", False),
    ("text", "2026-05-01T22:30:00Z", False),
    ("text", "2026-05-01 22:30", True),
    ("timestamp", "2026-05-02", False),
    ("timestamp", "2026-05-01 22:30", True),
]
"""Types and values, and whether a date of them takes something for granted."""

USED = """
SELECT 'view ' || viewname || viewowner || definition FROM pg_views
    WHERE viewname IN ('days', 'newest')
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE tablename = 'counted'
UNION ALL SELECT format('acl %s %s %s', relname, relacl, reloptions) FROM pg_class
    WHERE relname IN ('days', 'newest', 'counted')
UNION ALL SELECT 'comment ' || description FROM pg_description WHERE objoid = 'days'::regclass
UNION ALL SELECT 'policy ' || p::text FROM pg_policies p WHERE policyname IN ('lately', 'theirs')
UNION ALL SELECT 'trigger ' || tgenabled::text || pg_get_triggerdef(oid) FROM pg_trigger
    WHERE tgname IN ('dated', 'instead')
UNION ALL SELECT 'rule ' || definition FROM pg_rules WHERE rulename = 'quiet'
UNION ALL SELECT 'published ' || t::text FROM pg_publication_tables t
    WHERE pubname IN ('others', 'listed')
"""

GONE = {
    "a column of awards": "ALTER TABLE badge_awards DROP COLUMN evidence",
    "its date": "ALTER TABLE badge_awards DROP COLUMN earned_on CASCADE",
}
"""What is ours and goes missing from tables that hold rows."""

BY_STATEMENTS = {name: change for name, (change, _) in OURS.items() if name != "the schema"}
"""The whole schema comes back by `migrate` alone."""

LETTERS = "SELECT count(*) FROM letters JOIN peer_mentors m ON m.id = mentor"

AWARD_ALL = f"""
INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at)
SELECT id, '{FIRST}', now() FROM peer_mentors
"""

VALUES = {
    "activity_date": "2026-05-01",
    "peer_mentor_id": KARI,
    "organization_id": OSLO,
}
"""What a reader knows, and no statement."""


def told(difference: Deviation) -> str:
    """The statement with what its reader knows in the place of '...'."""
    filled = re.sub(
        r"\"(\w+)\" = '\.\.\.'",
        lambda found: f"\"{found[1]}\" = '{VALUES[found[1]]}'",
        difference.statement,
    )
    ids = difference.found.rpartition(": ")[2].split(", ")
    return filled.replace("id = '...'", f"id = '{ids[0]}'")


async def mend(db: Connection, choose: Callable[[list[Deviation]], list[Deviation]]) -> None:
    """Run what is printed until nothing of the chosen is left."""
    for _ in range(6):
        differences = choose(await check(db, prefix="badges"))
        if not differences:
            return
        for each in differences:
            assert each.statement, each
            if each.statement == "badges migrate":
                await migrate(db)
            else:
                await db.execute(told(each))
    raise AssertionError(differences)


async def mended(db: Connection) -> None:
    """Mend what stops `migrate`; it then leaves nothing to say."""
    assert of("stop", await check(db, prefix="badges"))
    await mend(db, lambda found: [each for each in found if each.consequence != "mend"])
    assert (await migrate(db)).left == ()
    assert await check(db, prefix="badges") == []
    assert await migrate(db) == apply.Report()


async def used(db: Connection) -> set[str]:
    """What uses the days of activities, as the catalog has it."""
    return {row[0] for row in await db.fetch(USED)}


async def fill(db: Connection) -> None:
    for sql in (application.TABLES, application.ROWS, ROWS):
        await db.execute(sql)


@pytest.mark.parametrize("change", [c for c, _ in THEIRS.values()], ids=THEIRS)
async def test_what_stops_migrate_is_mended_with_its_rows(
    empty_db: Connection, change: str
) -> None:
    await fill(empty_db)
    if change.startswith("DROP TABLE mentor_pauses"):
        change = change.replace("DROP TABLE mentor_pauses", "DROP TABLE mentor_pauses, letters")
    await empty_db.execute(change)
    await mended(empty_db)


@pytest.mark.parametrize("change", NEW.values(), ids=NEW)
async def test_rows_of_an_application_are_mended(empty_db: Connection, change: str) -> None:
    await fill(empty_db)
    activities = await empty_db.fetchval("SELECT count(*) FROM activities")
    await empty_db.execute(change)
    await mended(empty_db)
    assert await empty_db.fetchval("SELECT count(*) FROM activities") == activities
    assert (
        await empty_db.fetchval("SELECT count(*) FROM letters JOIN peer_mentors m ON m.id = mentor")
        == 2
    )


@pytest.mark.parametrize(
    "change", [*BY_STATEMENTS.values(), *GONE.values()], ids=[*BY_STATEMENTS, *GONE]
)
async def test_what_is_ours_is_mended_with_its_rows(empty_db: Connection, change: str) -> None:
    await fill(empty_db)
    await migrate(empty_db)
    await empty_db.execute(AWARD_ALL)
    await empty_db.execute(change)
    await mend(empty_db, lambda found: found)
    assert await check(empty_db, prefix="badges") == []
    assert await empty_db.fetchval("SELECT count(*) FROM badge_awards") == 2


async def test_an_application_that_counts_its_rows(empty_db: Connection) -> None:
    await empty_db.execute(NUMBERED)
    await empty_db.execute("SET timezone = 'Asia/Tokyo'")
    await mended(empty_db)
    rows = await empty_db.fetch(
        """
        SELECT o.slug, m.active, a.activity_date, a.duration_minutes, t.completed_on, p.starts_on,
               p.ends_on, m.id::text
        FROM letters l JOIN peer_mentors m ON m.id = l.mentor
        JOIN organizations o ON o.id = m.organization_id
        JOIN activities a ON a.peer_mentor_id = m.id
        JOIN training_completions t ON t.peer_mentor_id = m.id
        JOIN mentor_pauses p ON p.peer_mentor_id = m.id ORDER BY m.id
        """
    )
    may = [date(2026, 5, day) for day in (1, 2, 3)]
    ids = [f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2)]
    assert [tuple(row) for row in rows] == [
        ("oslo", True, may[1], 90, may[1], may[0], may[2], ids[0]),
        ("new-york", False, may[0], 90, may[0], may[0], may[1], ids[1]),
    ]
    await empty_db.execute(
        "INSERT INTO peer_mentors (organization_id) SELECT id FROM organizations"
    )
    assert await empty_db.fetchval(
        "SELECT bool_and(active) FROM peer_mentors WHERE id <> ALL ($1)", ids
    )


async def test_a_date_is_the_one_where_the_organization_is(empty_db: Connection) -> None:
    await fill(empty_db)
    await empty_db.execute(NEW["instants for dates"])
    await empty_db.execute("SET timezone = 'Asia/Tokyo'")
    await mended(empty_db)
    rows = await empty_db.fetch(
        "SELECT DISTINCT peer_mentor_id::text, activity_date FROM activities ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [(KARI, date(2026, 5, 2)), (SAM, date(2026, 5, 1))]


async def test_where_all_have_one_zone_its_name_is_in_the_statement(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute(NEW["instants for dates"])
    (found,) = of("stop", await check(empty_db, prefix="badges"))
    assert found.statement == (
        'ALTER TABLE public.activities ALTER COLUMN "activity_date" TYPE date '
        "USING (\"activity_date\" AT TIME ZONE 'Europe/Oslo')::date;"
    )


@pytest.mark.parametrize(
    ("zone", "style"), [("Asia/Tokyo", "German, DMY"), ("UTC", "SQL, MDY"), ("UTC", "ISO, YMD")]
)
async def test_a_text_is_the_day_where_the_organization_is(
    empty_db: Connection, zone: str, style: str
) -> None:
    await fill(empty_db)
    await empty_db.execute("TRUNCATE mentor_pauses; ALTER TABLE mentor_pauses ADD told text")
    await empty_db.execute("ALTER TABLE mentor_pauses ALTER starts_on TYPE text")
    for text, _, _ in CLOCKS:
        await empty_db.execute(
            "INSERT INTO mentor_pauses (id, peer_mentor_id, starts_on, told) "
            "SELECT gen_random_uuid(), id, $1, $1 FROM peer_mentors",
            text,
        )
    await empty_db.execute(f"SET timezone = '{zone}'; SET DateStyle = '{style}'")
    await mended(empty_db)
    rows = await empty_db.fetch("SELECT told, peer_mentor_id::text, starts_on FROM mentor_pauses")
    assert {tuple(row) for row in rows} == {
        (text, mentor, date(2026, 5, day))
        for text, oslo, new_york in CLOCKS
        for mentor, day in ((KARI, oslo), (SAM, new_york))
    }


@pytest.mark.parametrize(("found", "text", "asks"), ASSUMED)
@pytest.mark.parametrize("wanted", ["date", "instant"])
async def test_what_a_conversion_takes_for_granted_is_said(
    empty_db: Connection, found: str, text: str, asks: bool, wanted: str
) -> None:
    table, column = ("mentor_pauses", "starts_on")
    if wanted == "instant":
        table, column = ("activities", "created_at")
    await fill(empty_db)
    await empty_db.execute(
        f"ALTER TABLE {table} ALTER {column} DROP DEFAULT, ALTER {column} TYPE {found} "
        f"USING '{text}'"
    )
    (told_of,) = of("stop", await check(empty_db, prefix="badges"))
    assert told_of.statement.startswith(
        "-- Clock times without a time zone are taken for UTC's"
    ) == (asks if wanted == "date" else "Z" not in text)
    own = told_of.statement.replace("'UTC'", "'America/New_York'")
    await empty_db.execute(own)
    if asks and wanted == "date":
        days = await empty_db.fetchval("SELECT array_agg(DISTINCT starts_on) FROM mentor_pauses")
        assert days == [date(2026, 5, 1), date(2026, 5, 2)]


@pytest.mark.parametrize("text", ["01/05/2026", "1. mai 2026", "today", "26-05-01"])
async def test_a_text_that_is_another_date_elsewhere_is_no_date(
    empty_db: Connection, text: str
) -> None:
    await fill(empty_db)
    await empty_db.execute("ALTER TABLE mentor_pauses ALTER starts_on TYPE text")
    await empty_db.execute("UPDATE mentor_pauses SET starts_on = $1", text)
    (found,) = of("stop", await check(empty_db, prefix="badges"))
    assert f'"{text} does not begin with its year"' in found.found
    assert found.statement == ""


async def test_what_uses_a_column_is_created_again_as_it_was(empty_db: Connection) -> None:
    await fill(empty_db)
    await empty_db.execute(NEW["what uses instants"])
    before = await used(empty_db)
    assert len(before) == 15
    (found, *_) = of("stop", await check(empty_db, prefix="badges"))
    for name in ("policy lately on table activities", "view days", "materialized view counted"):
        assert name in found.found
    await mended(empty_db)
    assert await used(empty_db) == before


async def test_what_only_people_create_again_is_named_without_a_statement(
    empty_db: Connection,
) -> None:
    await fill(empty_db)
    await empty_db.execute(NEW["instants for dates"])
    await empty_db.execute(
        "CREATE VIEW days AS SELECT activity_date FROM activities; "
        "CREATE FUNCTION newest() RETURNS timestamptz LANGUAGE sql "
        "BEGIN ATOMIC SELECT max(activity_date) FROM days; END; "
        "CREATE FUNCTION every_day() RETURNS SETOF days LANGUAGE sql AS 'SELECT * FROM days'; "
        "ALTER TABLE activities ADD COLUMN day date "
        "GENERATED ALWAYS AS ((activity_date AT TIME ZONE 'UTC')::date) STORED"
    )
    (found,) = of("stop", await check(empty_db, prefix="badges"))
    assert found.statement == ""
    assert found.needed == (
        "date NOT NULL; drop function every_day(), function newest(), column day of table "
        "activities, which you create again afterwards"
    )
    await empty_db.execute(
        "DROP FUNCTION newest(); DROP FUNCTION every_day(); ALTER TABLE activities DROP day"
    )
    await mended(empty_db)
    assert await empty_db.fetchval("SELECT count(*) FROM days") == 7


async def test_what_cannot_be_turned_into_the_type_is_told_without_a_statement(
    empty_db: Connection,
) -> None:
    await fill(empty_db)
    await empty_db.execute("ALTER TABLE mentor_pauses ALTER starts_on TYPE text USING 'soon'")
    (found,) = of("stop", await check(empty_db, prefix="badges"))
    assert '"soon does not begin with its year"' in found.found
    assert (found.statement, found.consequence) == ("", "stop")
    assert "Mend it" not in found.lines()
    await empty_db.execute("UPDATE mentor_pauses SET starts_on = '2026-05-01'")
    await mended(empty_db)


async def test_mentors_that_are_another_tables_rows_are_told_without_a_statement(
    empty_db: Connection,
) -> None:
    await fill(empty_db)
    await empty_db.execute(
        """
        CREATE TABLE users (id int PRIMARY KEY);
        ALTER TABLE mentor_pauses DROP COLUMN peer_mentor_id,
            ADD COLUMN peer_mentor_id int REFERENCES users
        """
    )
    found = of("stop", await check(empty_db, prefix="badges"))
    (told_of,) = [each for each in found if "refers to public.users.id" in each.found]
    assert told_of.where == "public.mentor_pauses.peer_mentor_id"
    assert told_of.statement == ""


async def test_a_table_of_another_role_is_mended_for_who_migrates(empty_db: Connection) -> None:
    await fill(empty_db)
    database = await empty_db.fetchval("SELECT current_database()")
    await empty_db.execute(
        f"CREATE ROLE stranger; GRANT CREATE ON DATABASE {database} TO stranger; "
        "GRANT ALL ON SCHEMA public TO stranger"
    )
    try:
        await empty_db.execute("SET ROLE stranger")
        found = of("stop", await check(empty_db, prefix="badges"))
        await empty_db.execute("RESET ROLE")
        for each in found:
            assert each.statement.endswith('OWNER TO "stranger";')
            await empty_db.execute(each.statement)
        await empty_db.execute("SET ROLE stranger")
        assert of("stop", await check(empty_db, prefix="badges")) == []
    finally:
        await empty_db.execute("RESET ROLE")
        await empty_db.execute(
            "REASSIGN OWNED BY stranger TO CURRENT_USER; DROP OWNED BY stranger; DROP ROLE stranger"
        )
