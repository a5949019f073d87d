"""What the connector reads: identities, columns, and TRUNCATE as deletes."""

from collections import Counter

import asyncpg
import pytest

from badges.console.schema import apply
from badges.console.schema.compare_log import PUBLISHED
from badges.sinks.pool import Connection
from tests.integration.schema.people import settle

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


class Slot:
    """A logical slot on the publication, read as the connector would."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def create(self) -> None:
        await self._db.execute(
            "SELECT pg_create_logical_replication_slot('probe_' || current_database(), 'pgoutput')"
        )

    async def messages(self) -> list[bytes]:
        rows = await self._db.fetch(
            "SELECT data FROM pg_logical_slot_get_binary_changes('probe_' || current_database(), "
            "NULL, NULL, 'proto_version', '1', 'publication_names', 'badges_mentor_log')"
        )
        return [row["data"] for row in rows]

    async def drop(self) -> None:
        await self._db.execute("SELECT pg_drop_replication_slot('probe_' || current_database())")


async def deletes(db: Connection, statement: str) -> Counter[str]:
    """How many deletes of which table the log sees of the statement."""
    slot = Slot(db)
    await slot.create()
    try:
        await db.execute(statement)
        names: dict[bytes, str] = {}
        seen: Counter[str] = Counter()
        for message in await slot.messages():
            match message[:1]:
                case b"R":
                    names[message[1:5]] = message[5:].split(b"\0")[1].decode()
                case b"D":
                    seen[names[message[1:5]]] += 1
                case _:
                    assert message[:1] in b"BC", f"unexpected message {message[:1]!r}"
        return seen
    finally:
        await slot.drop()


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
    assert await deletes(db, statement) == expected
    for table in expected:
        assert await db.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_an_activity_that_moves_is_known_by_both_mentors(db: Connection) -> None:
    await fill(db)
    other = await db.fetchval(
        "INSERT INTO peer_mentors (organization_id) SELECT id FROM organizations RETURNING id"
    )
    slot = Slot(db)
    await slot.create()
    try:
        await db.execute("UPDATE activities SET peer_mentor_id = $1", other)
        updates = [each for each in await slot.messages() if each[:1] == b"U"]
    finally:
        await slot.drop()
    assert [update[5:6] for update in updates] == [b"K", b"K"], "the old key comes along"


async def test_the_log_tells_of_nobody_by_name(db: Connection) -> None:
    rows = await db.fetch(
        "SELECT tablename::text, attnames::text[] FROM pg_publication_tables "
        "WHERE pubname = 'badges_mentor_log'"
    )
    assert {row["tablename"]: ", ".join(row["attnames"]) for row in rows} == PUBLISHED
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
