"""An application whose tables have other names, or are no plain tables."""

import json

import pytest

from schema import apply
from schema.check import check
from schema.differences import of
from sinks.pool import Connection
from streams.errors import Failure
from tests.integration.schema import application
from tests.integration.schema.sessions import migrate
from tests.integration.schema.test_commands import badges

pytestmark = pytest.mark.anyio

NORWEGIAN = """
CREATE TABLE organisasjoner (id uuid PRIMARY KEY, navn text);
CREATE TABLE likepersoner (id uuid PRIMARY KEY, organisasjon uuid REFERENCES organisasjoner);
CREATE TABLE aktiviteter (id uuid PRIMARY KEY, likeperson uuid REFERENCES likepersoner);
"""

KINDS = {
    "a view": (
        "ALTER TABLE activities RENAME TO visits; CREATE VIEW lately AS SELECT * FROM visits; "
        "CREATE VIEW activities AS SELECT * FROM lately",
        "a view of public.visits, and Postgres sends the rows of tables",
    ),
    "a view of two tables": (
        "CREATE VIEW mentor_pauses AS SELECT a.id FROM training_completions a, activities b",
        "a view of public.activities and public.training_completions",
    ),
    "a materialized view": (
        "ALTER TABLE activities RENAME TO visits; "
        "CREATE MATERIALIZED VIEW activities AS SELECT * FROM visits",
        "a materialized view of public.visits",
    ),
    "a foreign table": (
        "CREATE FOREIGN DATA WRAPPER nowhere; "
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere; "
        "CREATE FOREIGN TABLE mentor_pauses (id uuid) SERVER elsewhere",
        "its server elsewhere is in that server's log alone",
    ),
    "a partitioned table": (
        "CREATE TABLE mentor_pauses (id uuid, starts_on date) PARTITION BY RANGE (starts_on); "
        "CREATE TABLE p1 PARTITION OF mentor_pauses "
        "FOR VALUES FROM ('2025-01-01') TO ('2026-01-01'); "
        "CREATE TABLE p2 PARTITION OF mentor_pauses "
        "FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        "a partitioned table, and Postgres sends its rows under the names of its 2 partitions",
    ),
}

HARMLESS = {
    "a view of nothing": "CREATE VIEW mentor_pauses AS SELECT 1 AS id",
    "a sequence": "CREATE SEQUENCE mentor_pauses",
    "a type": "CREATE TYPE mentor_pauses AS (id uuid)",
    "an index": "CREATE INDEX mentor_pauses ON activities (activity_date)",
}


async def names(db: Connection) -> list[str]:
    rows = await db.fetch(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    )
    return sorted(row[0] for row in rows)


async def test_beside_tables_of_other_names_it_asks_before_it_creates_any(
    empty_db: Connection, empty_url: str
) -> None:
    await empty_db.execute(NORWEGIAN)
    before = await names(empty_db)
    missing = "organizations, peer_mentors, activities, training_completions, mentor_pauses"

    refused = badges(empty_url, "migrate")
    assert refused.returncode == 1
    assert f"has no {missing}" in refused.stderr
    assert "aktiviteter, likepersoner, organisasjoner" in refused.stderr
    assert "badges migrate --create" in refused.stderr
    assert await names(empty_db) == before

    (listed,) = of("stop", await check(empty_db, prefix="badges"))
    assert listed.statement == "badges migrate --create"
    checked = badges(empty_url, "migrate", "--check", "--create", "--json")
    assert {each["consequence"] for each in json.loads(checked.stdout)} == {"mend"}

    created = badges(empty_url, *listed.statement.split()[1:])
    assert (created.returncode, created.stderr) == (0, "")
    assert badges(empty_url, "migrate", "--check").returncode == 0
    assert await migrate(empty_db) == apply.Report()


async def test_an_application_that_lacks_one_table_is_asked_too(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute("DROP TABLE mentor_pauses; CREATE TABLE pauses (id uuid)")
    with pytest.raises(Failure, match="has no mentor_pauses, and tables that look like"):
        await migrate(empty_db)
    await empty_db.execute("DROP TABLE pauses")
    assert (await migrate(empty_db)).left == ()


async def test_a_table_that_is_renamed_later_is_missed(db: Connection) -> None:
    await db.execute("ALTER TABLE activities RENAME TO visits")
    with pytest.raises(Failure, match=r"has no activities, and .* application's: visits"):
        await migrate(db)


async def test_tables_of_our_names_in_another_schema_are_found_and_can_be_moved(
    empty_db: Connection, empty_url: str
) -> None:
    await empty_db.execute("CREATE SCHEMA app; SET search_path = app")
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute("SET search_path = public")
    before = await names(empty_db)

    refused = badges(empty_url, "migrate")
    assert refused.returncode == 1
    assert (
        "schema public has no organizations, peer_mentors, activities, training_completions, "
        "mentor_pauses, but schema app has organizations, peer_mentors, activities, "
        "training_completions, mentor_pauses, badge_definitions" in refused.stderr
    )
    assert "badges migrate --create" in refused.stderr
    assert await names(empty_db) == before

    (listed,) = of("stop", await check(empty_db, prefix="badges"))
    await empty_db.execute(listed.statement)
    assert (await migrate(empty_db)).left == ()
    assert await empty_db.fetchval("SELECT count(*) FROM public.activities") == 1
    assert await names(empty_db) != before


async def test_which_of_two_schemas_is_meant_is_asked(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute("CREATE SCHEMA north; ALTER TABLE mentor_pauses SET SCHEMA north")
    await empty_db.execute('CREATE SCHEMA "South"; CREATE TABLE "South".mentor_pauses (id uuid)')
    (listed,) = of("stop", await check(empty_db, prefix="badges"))
    assert 'schema "South" has mentor_pauses; schema north has mentor_pauses' in listed.found
    assert listed.statement == "badges migrate --create"
    assert of("stop", await check(empty_db, prefix="badges", create=True)) == []


async def test_definitions_alone_are_created_beside_any_table(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute("DROP TABLE badge_definitions; CREATE TABLE letters (id uuid)")
    assert (await migrate(empty_db)).left == ()


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
async def test_what_holds_no_row_goes_out_of_the_way(empty_db: Connection, change: str) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute("DROP TABLE mentor_pauses")
    await empty_db.execute(change)
    (found,) = of("stop", await check(empty_db, prefix="badges"))
    assert found.found == "something else has this name"
    await empty_db.execute(found.statement)
    assert (await migrate(empty_db)).left == ()


@pytest.mark.parametrize(("change", "expected"), KINDS.values(), ids=KINDS)
async def test_what_is_no_plain_table_is_told_as_it_is(
    empty_db: Connection, change: str, expected: str
) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    if "TABLE activities" not in change:
        await empty_db.execute("DROP TABLE mentor_pauses")
    await empty_db.execute(change)
    with pytest.raises(Failure) as caught:
        await migrate(empty_db)
    assert "something else has this name: " in caught.value.message
    assert expected in caught.value.message
    # Renamed out of the way its rows would be missed.
    assert "RENAME" not in caught.value.message
