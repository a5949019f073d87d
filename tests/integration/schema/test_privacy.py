"""What Postgres has of a person: every column is known, and what is left of somebody goes."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from badges.privacy import erasing, kept
from badges.privacy.own_tables import OWN_TABLES, SOURCES, OwnTable
from badges.privacy.person import FORGOTTEN, Person
from sinks.pool import Connection
from tests.integration.schema.people import People, settle

pytestmark = pytest.mark.anyio

COLUMNS = """
SELECT n.nspname || '.' || c.relname AS name, a.attname::text AS column
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname IN ('public', 'badges_private') AND c.relkind IN ('r', 'p', 'm')
    AND a.attnum > 0 AND NOT a.attisdropped
    AND coalesce(nullif((SELECT typelem FROM pg_type WHERE oid = a.atttypid AND typlen = -1), 0),
                 a.atttypid)
        = ANY ('{uuid, text, varchar, bpchar, json, jsonb, bytea}'::regtype[])
"""

APPLICATIONS = {
    "public.organizations",
    "public.badge_definitions",
    *(f"public.{t}" for t in SOURCES),
}
"""The application's own tables; of those with rows about mentors `export` shows every column."""


def classified(table: str) -> set[str | None]:
    """The columns of which is known whether they tell of a person."""
    own_table = OWN_TABLES.get(table, OwnTable())
    said = *own_table.words, *own_table.actors, *own_table.own, *own_table.nobody
    return {own_table.mentor, own_table.found, *said}


async def test_every_column_that_may_name_a_person_is_classified(db: Connection) -> None:
    """A new one has to be put into privacy/own_tables.py, where export and forget find it."""
    unknown = [
        f"{row['name']}.{row['column']}"
        for row in await db.fetch(COLUMNS)
        if row["name"] not in APPLICATIONS and row["column"] not in classified(row["name"])
    ]
    assert unknown == []


async def activity(db: Connection, mentor: UUID) -> UUID:
    """Insert an activity."""
    row: UUID = await db.fetchval(
        "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
        "VALUES ($1, 'visit', '2026-01-01') RETURNING id",
        mentor,
    )
    return row


async def write_everywhere(db: Connection, people: People, other: UUID) -> None:
    """Something of the mentor in every table, and an alert that names the other one too."""
    await db.execute(
        "SELECT award_badge($1, $2, NULL, '{}', awarded_by => 'Anna')",
        people.mentor,
        people.definition,
    )
    await db.execute("INSERT INTO peer_mentor_stats (peer_mentor_id) VALUES ($1)", people.mentor)
    await db.execute(
        "INSERT INTO badge_refused_writes (log_id, partition, kind, peer_mentor_id, decision, "
        "message) VALUES ('log', 0, 'stats', $1, '{}', 'no')",
        people.mentor,
    )
    await db.execute(
        "INSERT INTO badge_alerts (kind, detail) VALUES ('awards_differ', jsonb_build_object("
        "'subject', '0', 'mentors', jsonb_build_array($1::text, $2::text)))",
        str(people.mentor).upper(),
        str(other),
    )
    await db.execute(
        "INSERT INTO badge_logs (log_id, generation, topic, slot, connector, partitions, "
        "system_identifier, timeline, state, reason, found) VALUES ('log', 1, 't', 's', 'c', 1, "
        "'i', 1, 'live', 'of ' || $1::text, json_build_array("
        "json_build_object('award', json_build_object('peer_mentor_id', $1::text)), "
        "json_build_object('award', json_build_object('peer_mentor_id', $2::text))))",
        str(people.mentor),
        str(other),
    )


async def leave_behind(db: Connection, mentor: UUID) -> None:
    """Delete a mentor's row as a session does that replays rows: nothing cascades."""
    async with db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("DELETE FROM peer_mentors WHERE id = $1", mentor)


async def newcomer(db: Connection, organization: UUID) -> UUID:
    """Insert a mentor."""
    mentor: UUID = await db.fetchval(
        "INSERT INTO peer_mentors (organization_id, display_name) VALUES ($1, 'Ola') RETURNING id",
        organization,
    )
    return mentor


async def test_what_no_foreign_key_took_along_goes_and_others_stay(db: Connection) -> None:
    people = await settle(db)
    other = await newcomer(db, people.organization)
    mine, moved = [await activity(db, people.mentor) for _ in range(2)]
    await write_everywhere(db, people, other)
    await db.execute(
        "INSERT INTO badge_alerts (kind, detail) VALUES ('dead_letters', "
        "jsonb_build_object('subject', 'a', 'row', $1::text)), ('dead_letters', "
        "jsonb_build_object('subject', 'b', 'row', $2::text))",
        str(mine),
        str(moved),
    )
    await db.execute("UPDATE activities SET peer_mentor_id = $2 WHERE id = $1", moved, other)
    await leave_behind(db, people.mentor)
    known = await kept.own_tables(db)
    person = await kept.person(db, str(people.mentor), {str(mine), str(moved), "no id"})
    assert person.ids == {str(people.mentor), str(mine), "no id"}

    found = await erasing.found(db, known, person)
    async with db.transaction():
        removed = await erasing.erase(db, known, person)

    assert found == removed == {
        "public.badge_awards": 1, "public.badge_award_events": 1, "public.peer_mentor_stats": 1,
        "public.badge_refused_writes": 1, "public.badge_alerts": 2, "public.badge_logs": 2,
    }  # fmt: skip
    assert await erasing.found(db, known, person) == {}
    assert await erasing.left_in_sources(db, person.mentor) == {"activities": 1}
    alerts = await db.fetch("SELECT detail::text AS detail FROM badge_alerts ORDER BY id")
    texts = [row["detail"] for row in alerts]
    assert FORGOTTEN in texts[0]
    assert str(other) in texts[0]
    assert FORGOTTEN in texts[1]
    assert str(moved) in texts[2]
    log = await db.fetchrow("SELECT reason, found::text AS found FROM badge_logs")
    assert log is not None
    assert log["reason"] == f"of {FORGOTTEN}"
    assert str(other) in log["found"]
    assert str(people.mentor) not in log["found"]


async def test_who_decided_about_others_is_told_and_stays(db: Connection) -> None:
    people = await settle(db)
    other = await newcomer(db, people.organization)
    for mentor in (people.mentor, other):
        await db.execute(
            "SELECT award_badge($1, $2, NULL, '{}', awarded_by => $3)",
            mentor,
            people.definition,
            str(people.mentor),
        )
    acts = await kept.acts(db, await kept.own_tables(db), str(people.mentor))
    assert acts == {"badge_awards.awarded_by": 1}


async def test_nothing_of_somebody_who_is_there_is_removed(db: Connection) -> None:
    people = await settle(db)
    await write_everywhere(db, people, uuid4())
    known = await kept.own_tables(db)
    removed = await erasing.erase(db, known, Person(str(people.mentor)))
    assert removed == {"public.badge_alerts": 1, "public.badge_logs": 2}
    assert await db.fetchval("SELECT count(*) FROM badge_awards") == 1


async def test_two_at_once_remove_it_once(db: Connection, url: str) -> None:
    people = await settle(db)
    other = uuid4()
    await write_everywhere(db, people, other)
    await leave_behind(db, people.mentor)
    known, person = await kept.own_tables(db), Person(str(people.mentor))

    async def erase() -> int:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                removed = await erasing.erase(connection, known, person)
                return removed["public.badge_awards"]
        finally:
            await connection.close()

    assert sorted(await asyncio.gather(erase(), erase())) == [0, 1]
    assert await erasing.found(db, known, person) == {}
    found = await db.fetchval("SELECT found::text FROM badge_logs")
    assert str(other) in found


async def test_a_role_that_sees_less_is_refused(db: Connection) -> None:
    people = await settle(db)
    await db.execute("GRANT SELECT ON peer_mentors TO badges_api")
    await db.execute("ALTER TABLE peer_mentors ENABLE ROW LEVEL SECURITY")
    await db.execute("SET ROLE badges_api")
    assert not await kept.is_there(db, str(people.mentor))
    await kept.show_all_rows(db)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await kept.is_there(db, str(people.mentor))


async def test_a_name_that_an_error_repeats_goes_as_whole_words(db: Connection) -> None:
    said = 'the "hook" failed for KARI (Å.) Bø: Bøe and Kari wait;\nPer has no permission'
    await db.execute(
        "INSERT INTO badge_alerts (kind, detail) VALUES ('write_refused', "
        "jsonb_build_object('reason', $1::text))",
        said,
    )
    person = Person(str(uuid4()), names=("Kari (Å.) Bø", "Nobody", "Per"))
    known = await kept.own_tables(db)
    assert await erasing.found(db, known, person) == {"public.badge_alerts": 1}
    async with db.transaction():
        await erasing.erase(db, known, person)
    left = await db.fetchval("SELECT detail ->> 'reason' FROM badge_alerts")
    reason = f'the "hook" failed for {FORGOTTEN}: Bøe and Kari wait;\n{FORGOTTEN} has no permission'
    assert left == reason
    assert await erasing.found(db, known, person) == {}
