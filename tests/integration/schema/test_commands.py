"""The commands: what they print and how they end."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schema import apply, migrations
from sinks.pool import Connection
from tests.integration.schema import application
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio


def badges(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on that database."""
    return subprocess.run(
        [sys.executable, "-m", "badges.cli.main", *words],
        env={**os.environ, "BADGES_DATABASE_URL": url, "BADGES_PREFIX": "badges"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


async def test_the_way_of_a_database(empty_db: Connection, empty_url: str) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute(application.AWARDS)

    checked = badges(empty_url, "migrate", "--check", "--json")
    assert checked.returncode == 1
    listed = json.loads(checked.stdout)
    assert {each["consequence"] for each in listed} == {"mend"}
    assert all(each["statement"] and each["where"] and each["needed"] for each in listed)

    dry = badges(empty_url, "dedupe", "--dry-run")
    assert dry.returncode == 0
    assert dry.stdout.count("Would remove award") == 6
    assert await empty_db.fetchval("SELECT count(*) FROM badge_awards") == 8

    migrated = badges(empty_url, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert migrated.stdout.count("Removed award") == 6
    assert migrated.stdout.count("Applied ") == len(migrations.load())

    again = badges(empty_url, "migrate")
    assert (again.returncode, again.stdout.strip()) == (
        0,
        "Nothing to do: the database is up to date.",
    )
    checked = badges(empty_url, "migrate", "--check")
    assert (checked.returncode, checked.stdout.strip()) == (0, "Nothing differs.")
    assert "Nothing to do" in badges(empty_url, "dedupe").stdout


async def test_a_timeout_of_the_database_stops_nothing(
    empty_db: Connection, empty_url: str
) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(
        """
        CREATE SCHEMA slow;
        CREATE SEQUENCE slow.times;
        CREATE FUNCTION slow.once() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN IF nextval('slow.times') = 1 THEN PERFORM pg_sleep(2.5); END IF; END $$;
        CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE SCHEMA')
        EXECUTE FUNCTION slow.once();
        """
    )
    database = empty_url.rpartition("/")[2]
    await empty_db.execute(f"ALTER DATABASE {database} SET statement_timeout = '2s'")
    migrated = badges(empty_url, "migrate")
    assert (migrated.returncode, migrated.stderr) == (0, "")
    assert migrated.stdout.count("Applied ") == len(migrations.load())
    assert await empty_db.fetchval("SELECT is_called FROM slow.times")


async def test_dedupe_removes_what_it_says(empty_db: Connection, empty_url: str) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute(application.AWARDS)
    removed = json.loads(badges(empty_url, "dedupe", "--json").stdout)
    assert {each["kept_id"] for each in removed} == application.KEPT
    rows = await empty_db.fetch("SELECT id::text FROM badge_awards")
    assert {row[0] for row in rows} == application.KEPT


def test_the_files_are_written_for_the_supabase_cli(tmp_path: Path) -> None:
    nowhere = "postgresql://postgres@127.0.0.1:1/none"
    folder = tmp_path / "supabase" / "migrations"
    for _ in range(2):
        written = badges(nowhere, "migrate", "--files", str(folder), "--json")
        assert written.returncode == 0
    assert sorted(json.loads(written.stdout)) == sorted(map(str, folder.iterdir()))
    assert [(f"{each.version}_{each.name}.sql", each.sql) for each in migrations.load()] == [
        (path.name, path.read_text()) for path in sorted(folder.iterdir())
    ]
    (tmp_path / "file").touch()
    refused = badges(nowhere, "migrate", "--files", str(tmp_path / "file"))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


async def test_a_refusal_is_on_stderr_with_the_statement(
    empty_db: Connection, empty_url: str
) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute("ALTER TABLE activities ALTER activity_date TYPE timestamptz")
    refused = badges(empty_url, "migrate")
    assert refused.returncode == 1
    assert "public.activities.activity_date has type timestamp with time zone" in refused.stderr
    assert 'ALTER TABLE public.activities ALTER COLUMN "activity_date" TYPE date' in refused.stderr
    assert "nothing was changed" in refused.stderr


def test_a_server_that_is_not_there_is_one_line() -> None:
    absent = badges("postgresql://postgres:secret@127.0.0.1:1/none", "migrate")
    assert absent.returncode == 2
    assert "127.0.0.1:1/none" in absent.stderr
    assert "secret" not in absent.stderr
    assert absent.stderr.count("\n") == 1


async def test_a_wait_whose_session_is_ended_is_told_as_any_error(
    empty_db: Connection, empty_url: str
) -> None:
    await empty_db.execute(f"SELECT pg_advisory_lock({apply.LOCK})")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "badges.cli.main", "migrate", "--json"),
        env={**os.environ, "BADGES_DATABASE_URL": empty_url, "BADGES_PREFIX": "badges"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    assert b"waiting for its end" in await process.stderr.readline()
    # Between two of its questions or within one: the same is told of both.
    ended = await empty_db.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE 'SELECT pg_try_advisory_lock%'"
    )
    output, errors = await process.communicate()

    assert ended == 1
    assert (process.returncode, errors) == (2, b"")
    told = json.loads(output)
    assert told["error"].startswith("Postgres does not answer any more: ")
    assert told["hint"] == "Run the command again once it answers"


async def test_what_applications_read_is_exposed_and_taken_back(
    supabase: Connection, empty_url: str
) -> None:
    first = badges(empty_url, "migrate", "--expose", "--json")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)["exposed"]
    assert told[:4] == [
        "badge_awards", "badge_award_events", "peer_mentor_stats", "badge_definitions",
    ]  # fmt: skip
    again = badges(empty_url, "migrate", "--expose")
    assert (again.returncode, again.stdout.strip()) == (0, f"Exposed: {', '.join(told)}.")
    assert badges(empty_url, "migrate").stdout.startswith("Nothing to do")
    checked = badges(empty_url, "migrate", "--check")
    assert (checked.returncode, checked.stdout.strip()) == (0, "Nothing differs.")
    assert await supabase.fetchval(
        "SELECT has_table_privilege('authenticated', $1, 'SELECT')", "badge_awards"
    )
    back = badges(empty_url, "migrate", "--no-expose")
    assert (back.returncode, back.stdout.strip()) == (0, f"Concealed: {', '.join(told)}.")
    assert badges(empty_url, "migrate", "--no-expose").stdout.strip() == "Concealed: nothing."


def test_it_is_exposed_to_nobody_where_the_role_is_missing(url: str) -> None:
    refused = badges(url, "migrate", "--expose", "--json")
    assert refused.returncode == 1
    told = json.loads(refused.stdout)
    assert "the role authenticated is missing" in told["error"]
    assert told["hint"] == "CREATE ROLE authenticated NOLOGIN;"
    wrong = badges(url, "migrate", "--check", "--expose")
    assert wrong.returncode == 2
    assert "--check changes nothing" in wrong.stderr
