"""What the connector reads: identities, columns, and TRUNCATE as deletes."""

import asyncpg
import pytest

from schema import apply
from schema.wanted import WANTED
from sinks.pool import Connection
from tests.integration.schema.people import settle
from tests.integration.schema.slot import Slot

pytestmark = pytest.mark.anyio

TABLES = ("peer_mentors", "activities", "training_completions", "mentor_pauses", "badge_awards")


async def fill(db: Connection) -> None:
    people = await settle(db)
    for statement in (
        "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
        "VALUES ($1, 'visit', '2026-01-01'), ($1, 'visit', '2026-01-02')",
        "INSERT INTO training_completions (peer_mentor_id, course_code, completed_on) "
        "VALUES ($1, 'basic', '2026-01-01')",
        "INSERT INTO mentor_pauses (peer_mentor_id, starts_on) VALUES ($1, '2026-01-01')",
    ):
        await db.execute(statement, people.mentor)
    await db.execute("SELECT award_badge($1, $2, now(), '{}')", people.mentor, people.definition)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("TRUNCATE activities", {"activities": 2}),
        (
            "TRUNCATE mentor_pauses, training_completions",
            {"mentor_pauses": 1, "training_completions": 1},
        ),
        ("TRUNCATE badge_awards", {"badge_awards": 1}),
        ("TRUNCATE badge_definitions CASCADE", {"badge_awards": 1}),
        *(
            (
                f"TRUNCATE {table} CASCADE",
                {
                    "peer_mentors": 1, "activities": 2, "training_completions": 1,
                    "mentor_pauses": 1, "badge_awards": 1,
                },
            )
            for table in ("peer_mentors", "organizations")
        ),
    ],
)  # fmt: skip
async def test_truncate_is_a_delete_of_each_row(
    db: Connection, statement: str, expected: dict[str, int]
) -> None:
    await fill(db)
    async with Slot(db) as slot:
        await db.execute(statement)
        assert await slot.deletes() == expected
    for table in expected:
        assert await db.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_an_activity_that_moves_is_known_by_both_mentors(db: Connection) -> None:
    await fill(db)
    other = await db.fetchval(
        "INSERT INTO peer_mentors (organization_id) SELECT id FROM organizations RETURNING id"
    )
    async with Slot(db) as slot:
        await db.execute("UPDATE activities SET peer_mentor_id = $1", other)
        updates = [each for each in await slot.messages() if each[:1] == b"U"]
    assert [update[5:6] for update in updates] == [b"K", b"K"], "the old key comes along"


async def test_the_log_tells_of_nobody_by_name(db: Connection) -> None:
    rows = await db.fetch(
        "SELECT tablename::text, attnames::text[] FROM pg_publication_tables "
        "WHERE pubname = 'badges_mentor_log'"
    )
    wanted = {table: set(columns) for table, columns in WANTED.published.items()}
    assert {row["tablename"]: set(row["attnames"]) for row in rows} == wanted
    assert not {"display_name", "evidence"} & {name for row in rows for name in row["attnames"]}


async def test_the_prefix_names_the_publication(empty_db: Connection) -> None:
    await apply.migrate(empty_db, prefix="other", role_passwords={})
    names = [row[0] for row in await empty_db.fetch("SELECT pubname FROM pg_publication")]
    assert names == ["other_mentor_log"]


async def test_who_may_truncate_needs_no_other_right(db: Connection) -> None:
    await fill(db)
    await db.execute("GRANT TRUNCATE ON activities TO badges_api")
    await db.execute("SET ROLE badges_api")
    await db.execute("TRUNCATE activities")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.execute("DELETE FROM activities")
