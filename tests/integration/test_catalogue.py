"""`badges catalogue apply` on a database of people who go on editing."""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from badges import settings
from badges.catalogue.entries import load
from badges.cli import commands
from badges.queries.definition_lock import lock_definitions
from sinks.polling import poll
from streams.errors import WRONG_USE
from tests.patience import patient_pool
from tests.stack import LIMIT_S, Stack

CONTENT = "SELECT key, name, status, version, criteria::text AS criteria FROM badge_definitions"
HLF = "SELECT id FROM organizations WHERE slug = 'hlf'"


@dataclass(frozen=True)
class Site:
    """A migrated database with the organizations hlf and other, and the command on it."""

    url: str
    capture: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code, and what is printed wherever."""
        settings.load.cache_clear()
        code = commands.run(["catalogue", "apply", *words])
        settings.load.cache_clear()
        output, errors = self.capture.readouterr()
        return code, output + errors

    def applied(self, *words: str) -> dict[str, Any]:
        """What --json says."""
        code, output = self.run(*words, "--json")
        assert code == 0, output
        found: dict[str, Any] = json.loads(output)
        return found

    def actions(self, *words: str) -> dict[str, str]:
        """What became of each badge."""
        return {item["key"]: item["action"] for item in self.applied(*words)["items"]}

    def query(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        """Run a statement as the database's owner."""

        async def run() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(self.url)
            try:
                return [dict(row) for row in await connection.fetch(sql, *arguments)]
            finally:
                await connection.close()

        return asyncio.run(run())


@pytest.fixture
def site(
    postgres: Stack,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Site:
    asyncio.run(postgres.migrate(database_url))
    monkeypatch.setenv("BADGES_DATABASE_URL", database_url)
    made = Site(database_url, capsys)
    made.query(
        "INSERT INTO organizations (id, slug, name) "
        "SELECT gen_random_uuid(), slug, slug FROM unnest(ARRAY['hlf', 'other']) AS slug"
    )
    return made


def test_what_it_creates_are_drafts_that_the_second_run_finds(site: Site) -> None:
    first = site.applied("hlf")
    assert "ennå ikke bekreftet" in first["notice"]
    assert first["organization"] == "hlf"
    assert {item["action"] for item in first["items"]} == {"create"}
    expected = {entry.key: entry.name["nb"] for entry in load().of("hlf")}
    before = site.query(CONTENT)
    assert {row["key"]: row["name"] for row in before} == expected
    assert {row["status"] for row in before} == {"draft"}
    authors = site.query("SELECT DISTINCT saved_by FROM badge_definition_versions")
    assert authors == [{"saved_by": "badges catalogue"}]

    second = site.applied("hlf")

    assert second["nothing_to_do"] is True
    assert site.query(CONTENT) == before
    code, printed = site.run("hlf")
    assert code == 0
    assert printed.endswith("Nothing to do.\n")


def test_a_dry_run_changes_nothing(site: Site) -> None:
    assert set(site.actions("hlf", "--dry-run").values()) == {"create"}
    assert (
        "Would create first-contact (F\u00f8rste kontakt, draft)."
        in site.run("hlf", "--dry-run")[1]
    )
    assert site.query(CONTENT) == []
    site.run("hlf")
    before = site.query(CONTENT)

    assert set(site.actions("hlf", "--dry-run", "--lang", "en").values()) == {"change"}

    assert site.query(CONTENT) == before


def test_another_language_changes_what_nobody_has_edited(site: Site) -> None:
    site.run("hlf")

    assert set(site.actions("hlf", "--lang", "en").values()) == {"change"}

    names = {row["key"]: row["name"] for row in site.query(CONTENT)}
    assert names == {entry.key: entry.name["en"] for entry in load().of("hlf")}


def test_what_an_admin_has_edited_is_left_and_said(site: Site) -> None:
    site.run("hlf")
    site.query("UPDATE badge_definitions SET name = 'Min' WHERE key = 'weeks-4'")
    site.query("UPDATE badge_definitions SET status = 'retired' WHERE key = 'weeks-12'")
    site.query("UPDATE badge_definitions SET icon = NULL WHERE key = 'weeks-26'")
    site.query(
        "UPDATE badge_definitions SET criteria = jsonb_set(criteria, '{length}', '52.0')"
        " WHERE key = 'weeks-52'"
    )

    found = site.applied("hlf", "--lang", "en", "--activate")["items"]

    left = {item["key"]: item["reason"] for item in found if item["action"] == "leave"}
    assert left == {
        "weeks-4": "somebody has edited it",
        "weeks-12": "it is retired",
        "weeks-26": "somebody has edited it",
        "weeks-52": "somebody has edited it",
    }
    kept = {row["key"]: row for row in site.query(CONTENT)}
    assert kept["weeks-4"]["name"] == "Min"
    assert kept["weeks-12"]["status"] == "retired"


def test_whoever_activates_a_badge_has_not_edited_it(site: Site) -> None:
    site.run("hlf")
    site.query("UPDATE badge_definitions SET status = 'active' WHERE key = 'weeks-4'")

    assert site.actions("hlf", "--lang", "en")["weeks-4"] == "change"

    [row] = site.query(f"{CONTENT} WHERE key = 'weeks-4'")
    assert (row["name"], row["status"]) == ("4 weeks in a row", "active")


def test_they_are_activated_on_request(site: Site) -> None:
    site.run("hlf")
    site.query("UPDATE badge_definitions SET status = 'active' WHERE key = 'weeks-4'")

    actions = site.actions("hlf", "--activate")

    assert actions.pop("weeks-4") == "keep"
    assert set(actions.values()) == {"activate"}
    assert {row["status"] for row in site.query(CONTENT)} == {"active"}
    assert site.applied("hlf", "--activate")["nothing_to_do"] is True
    # Drafts again by somebody's hand stay drafts.
    site.query("UPDATE badge_definitions SET status = 'draft' WHERE key = 'weeks-12'")
    assert site.actions("hlf", "--activate")["weeks-12"] == "keep"


def test_a_badge_of_the_same_key_that_is_not_ours_is_left(site: Site) -> None:
    site.query(
        "INSERT INTO badge_definitions (organization_id, key, name, criteria)"
        " SELECT id, 'first-contact', 'Ours', '{}' FROM organizations"
    )

    [item] = [each for each in site.applied("hlf")["items"] if each["key"] == "first-contact"]

    assert (item["action"], item["reason"]) == ("leave", "it is there, and not from the catalogue")


def test_a_course_that_nobody_has_completed_is_a_warning(site: Site) -> None:
    site.query(
        "WITH mentor AS (INSERT INTO peer_mentors (id, organization_id, display_name)"
        " SELECT gen_random_uuid(), id, 'Kari' FROM organizations WHERE slug = 'hlf' RETURNING id)"
        " INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on)"
        " SELECT gen_random_uuid(), id, 'basic', '2026-01-05' FROM mentor"
    )

    found = site.applied("hlf", "--lang", "en", "--dry-run")["items"]

    warnings = {item["key"]: item["warnings"] for item in found if item["warnings"]}
    assert set(warnings) == {"advanced-training"}
    assert "advanced" in warnings["advanced-training"][0]
    assert f"\n  {warnings['advanced-training'][0]}\n" in site.run("hlf", "--lang", "en")[1]


def test_global_badges_are_of_every_organization_and_not_made_twice(site: Site) -> None:
    assert set(site.actions("--global")) == {entry.key for entry in load().of(None)}
    owners = site.query("SELECT DISTINCT organization_id FROM badge_definitions")
    assert owners == [{"organization_id": None}]
    assert site.applied("--global")["nothing_to_do"] is True

    actions = site.actions("hlf")

    assert actions.pop("hearing-day-2027") == "create"
    assert set(actions.values()) == {"leave"}
    # Where it is retired for all, an organization may have its own.
    site.query("UPDATE badge_definitions SET status = 'retired' WHERE key = 'status'")
    assert site.actions("other")["status"] == "create"


def test_an_organization_is_found_by_its_id_too(site: Site) -> None:
    [row] = site.query("SELECT id::text FROM organizations WHERE slug = 'other'")

    assert site.applied(row["id"].upper())["organization"] == "other"

    assert "hearing-day-2027" not in {each["key"] for each in site.query(CONTENT)}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["hfl"], 'badges: no organization has the slug or id "hfl" (did you mean "hlf"?). SELECT'),
        (["zz"], 'badges: no organization has the slug or id "zz". SELECT slug, id FROM'),
        ([], "badges: no organization is given. Name an organization by its slug or id, or say"),
        (["hlf", "--global"], "badges: both an organization and --global are given. Name an"),
    ],
)
def test_wrong_use_is_one_clear_line(site: Site, words: list[str], line: str) -> None:
    code, printed = site.run(*words)

    assert code == WRONG_USE
    assert printed.startswith(line)
    assert printed.count("\n") == 1
    assert site.query(CONTENT) == []


def test_a_database_without_tables_is_told_what_to_do(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BADGES_DATABASE_URL", database_url)

    code, printed = Site(database_url, capsys).run("hlf")

    assert code == WRONG_USE
    assert "Run `badges migrate`" in printed


def test_two_at_once_make_each_badge_once(site: Site) -> None:
    words = [sys.executable, "-m", "badges.cli.main", "catalogue", "apply", "hlf", "--json"]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(2)]

    ended = [(each.communicate(timeout=LIMIT_S)[0], each.returncode) for each in running]

    assert [code for _, code in ended] == [0, 0]
    assert sorted(json.loads(output)["nothing_to_do"] for output, _ in ended) == [False, True]
    assert len(site.query(CONTENT)) == len(load().of("hlf"))


@pytest.mark.anyio
async def test_it_waits_for_a_definition_that_somebody_saves(site: Site) -> None:
    """What is judged beside what is not there yet could close a circle together with that."""
    async with await patient_pool(site.url, application_name="test") as pool:

        async def waits() -> bool:
            found: bool = await pool.fetchval(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
            )
            return found

        async with pool.acquire() as saving, saving.transaction():
            await lock_definitions(saving, await pool.fetchval(HLF))
            applying = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "badges.cli.main", "catalogue", "apply", "hlf", "--json"),
                stdout=subprocess.PIPE,
            )
            await poll(waits, within=LIMIT_S, every=0.05)
            assert await pool.fetchval("SELECT count(*) FROM badge_definitions") == 0
        async with asyncio.timeout(LIMIT_S):
            output, _ = await applying.communicate()
    assert applying.returncode == 0
    assert json.loads(output)["nothing_to_do"] is False
