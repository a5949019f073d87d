"""Whatever a session does, the log gets whole rows, and a TRUNCATE as deletes."""

from uuid import UUID

import pytest

from schema.check import check
from sinks.pool import Connection
from tests.integration.schema.people import People, settle
from tests.integration.schema.sessions import long_text, migrate, triggers_off
from tests.integration.schema.slot import Slot, Text

pytestmark = pytest.mark.anyio

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
