"""award_badge, and who is recorded as having written an award."""

import asyncio
import json
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from sinks.pool import Connection
from tests.integration.schema.people import People, define, settle, somebody_waits

pytestmark = pytest.mark.anyio

EARNED = datetime(2026, 3, 1, tzinfo=UTC)
AWARD = "SELECT * FROM award_badge($1, $2, $3, '{}')"


async def award(db: Connection, people: People) -> asyncpg.Record:
    row = await db.fetchrow(AWARD, people.mentor, people.definition, EARNED)
    assert row is not None
    return row


async def stored(db: Connection) -> asyncpg.Record:
    row = await db.fetchrow("SELECT * FROM badge_awards")
    assert row is not None
    return row


async def events(db: Connection) -> list[tuple[str, str, str | None]]:
    rows = await db.fetch("SELECT kind, source, actor FROM badge_award_events ORDER BY id")
    return [(row["kind"], row["source"], row["actor"]) for row in rows]


async def give_tiers(db: Connection, definition: UUID, *names: str) -> None:
    """Save the definition with tiers of these names, at 1, 2 and so on."""
    tiers = [{"name": name, "at_least": place} for place, name in enumerate(names, 1)]
    criteria = {"version": 1, "type": "tier", "metric": "count", "tiers": tiers}
    await db.execute(
        "UPDATE badge_definitions SET criteria = $2 WHERE id = $1", definition, json.dumps(criteria)
    )


async def act_as(db: Connection, sub: str) -> None:
    await db.execute("SELECT set_config('request.jwt.claims', $1, false)", f'{{"sub": "{sub}"}}')


async def test_an_award_by_hand_is_a_row_and_an_event(db: Connection) -> None:
    people = await settle(db)
    row = await award(db, people)
    assert row == await stored(db)
    assert row["earned_at"] == EARNED
    assert (row["awarded_by"], row["changed_by"], row["definition_version"]) == (
        "postgres",
        "postgres",
        1,
    )
    assert await events(db) == [("granted", "admin", "postgres")]
    assert await db.fetchval(
        "SELECT e.xid::text = a.xmin::text FROM badge_award_events e, badge_awards a"
    )


async def test_the_second_call_returns_what_is_there(db: Connection) -> None:
    people = await settle(db)
    first = await award(db, people)
    second = await db.fetchrow(
        "SELECT * FROM award_badge($1, $2, now(), '{}', 'somebody')",
        people.mentor,
        people.definition,
    )
    assert second == first
    assert len(await events(db)) == 1


async def test_many_callers_at_once_get_one_row(db: Connection, url: str) -> None:
    people = await settle(db)
    async with asyncpg.create_pool(url, min_size=8, max_size=8) as pool:
        rows = await asyncio.gather(
            *(pool.fetchrow(AWARD, people.mentor, people.definition, EARNED) for _ in range(40))
        )
    assert {row["id"] for row in rows if row} == {(await stored(db))["id"]}
    assert None not in rows
    assert await events(db) == [("granted", "admin", "postgres")]


async def test_a_call_that_waits_for_another_gets_its_row(db: Connection, url: str) -> None:
    people = await settle(db)
    other = await asyncpg.connect(url)
    try:
        open_ = db.transaction()
        await open_.start()
        mine = await award(db, people)
        waiting = asyncio.ensure_future(award(other, people))
        await somebody_waits(db)
        await open_.commit()
        assert (await waiting)["id"] == mine["id"]
    finally:
        await other.close()


async def test_a_call_that_waits_for_one_that_gives_up_grants(db: Connection, url: str) -> None:
    people = await settle(db)
    other = await asyncpg.connect(url)
    try:
        open_ = db.transaction()
        await open_.start()
        await award(db, people)
        waiting = asyncio.ensure_future(award(other, people))
        await somebody_waits(db)
        await open_.rollback()
        assert (await waiting)["id"] == (await stored(db))["id"]
    finally:
        await other.close()
    assert len(await events(db)) == 1


@pytest.mark.parametrize("zone", ["Europe/Oslo", "America/Havana", "Pacific/Auckland"])
async def test_without_a_date_it_is_earned_today_where_the_organization_is(
    db: Connection, zone: str
) -> None:
    people = await settle(db, timezone=zone)
    # Postgres has time zone data of its own, which Python's may be ahead of.
    row = await db.fetchrow(
        """
        SELECT evidence, (now() AT TIME ZONE $3)::date AS today,
               (earned_at AT TIME ZONE $3)::date AS earned,
               ((earned_at - interval '1 microsecond') AT TIME ZONE $3)::date AS before
        FROM award_badge($1, $2, NULL, NULL)
        """,
        people.mentor,
        people.definition,
        zone,
    )
    assert row is not None
    assert row["earned"] == row["today"]
    assert row["before"] == row["today"] - timedelta(days=1)
    assert row["evidence"] == "{}"


@pytest.mark.parametrize(
    ("day", "zone", "instant"),
    [
        ("2026-11-01", "America/Havana", "2026-11-01 04:00+00"),
        ("2026-03-08", "America/Havana", "2026-03-08 05:00+00"),
        ("2026-03-29", "Europe/Oslo", "2026-03-28 23:00+00"),
        ("2026-07-01", "Asia/Kolkata", "2026-06-30 18:30+00"),
    ],
)
async def test_a_day_begins_once_where_midnight_comes_twice_or_never(
    db: Connection, day: str, zone: str, instant: str
) -> None:
    assert await db.fetchval(
        "SELECT badges_private.first_instant($1::text::date, $2) = $3::text::timestamptz",
        day,
        zone,
        instant,
    )


async def test_the_jwt_sub_awards_and_takes_away(db: Connection) -> None:
    people = await settle(db)
    await act_as(db, "kari")
    row = await award(db, people)
    assert (row["awarded_by"], row["changed_by"]) == ("kari", "kari")
    await act_as(db, "ola")
    await db.execute("SET badges.reason = 'by mistake'")
    await db.execute("UPDATE badge_awards SET revoked_at = now()")
    row = await stored(db)
    assert (row["awarded_by"], row["revoked_by"], row["changed_by"]) == ("kari", "ola", "ola")
    assert await events(db) == [("granted", "admin", "kari"), ("revoked", "admin", "ola")]
    assert await db.fetchval("SELECT reason FROM badge_award_events WHERE kind = 'revoked'") == (
        "by mistake"
    )


@pytest.mark.parametrize("name", ["rule", "audit"])
async def test_no_person_is_taken_for_the_rule(db: Connection, name: str) -> None:
    people = await settle(db)
    await act_as(db, name)
    row = await award(db, people)
    assert (row["awarded_by"], row["changed_by"]) == (f'"{name}"', f'"{name}"')
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.fetchrow(
            "SELECT award_badge($1, $2, now(), '{}', 'rule')", people.mentor, people.everywhere
        )


async def test_a_claim_that_is_no_json_names_nobody(db: Connection) -> None:
    people = await settle(db)
    await db.execute("SET request.jwt.claims = 'nonsense'")
    assert (await award(db, people))["awarded_by"] == "postgres"


async def test_an_award_call_restores_what_was_taken_as_given_by_hand(db: Connection) -> None:
    people = await settle(db)
    first = await award(db, people)
    await db.execute("UPDATE badge_awards SET revoked_at = now()")
    await act_as(db, "kari")
    again = await db.fetchrow(
        "SELECT * FROM award_badge($1, $2, now(), '{}')", people.mentor, people.definition
    )
    assert again is not None
    assert (again["id"], again["earned_at"]) == (first["id"], EARNED)
    assert (again["revoked_at"], again["revoked_by"]) == (None, None)
    assert (again["awarded_by"], again["changed_by"]) == ("kari", "kari")
    assert [kind for kind, _, _ in await events(db)] == ["granted", "revoked", "restored"]


async def test_a_person_awards_what_is_there_to_award(db: Connection) -> None:
    people = await settle(db)
    elsewhere = await settle(db, "bergen")
    draft = await define(db, people.organization, "draft", "draft")
    retired = await define(db, people.organization, "retired", "retired")
    for mentor, definition, expected in (
        (uuid4(), people.definition, asyncpg.ForeignKeyViolationError),
        (people.mentor, uuid4(), asyncpg.ForeignKeyViolationError),
        (people.mentor, elsewhere.definition, asyncpg.ForeignKeyViolationError),
        (people.mentor, draft, asyncpg.InvalidParameterValueError),
    ):
        with pytest.raises(expected):
            await db.fetchrow(AWARD, mentor, definition, EARNED)
    await db.execute("UPDATE peer_mentors SET active = false")
    for definition in (retired, people.everywhere):
        assert await db.fetchval(AWARD, people.mentor, definition, EARNED)


@pytest.mark.parametrize(
    "named",
    [
        "definition_version => 2",
        "definition_version => 5",
        "definition_version => -1",
        "tier => 'a', tier_earned_at => 'infinity'",
    ],
)
async def test_what_the_fold_could_not_believe_is_refused(db: Connection, named: str) -> None:
    people = await settle(db)
    row = await db.fetchrow("DELETE FROM badge_definitions WHERE key = 'first-visit' RETURNING *")
    assert row is not None
    await db.execute(
        "INSERT INTO badge_definitions (id, organization_id, key, name, description, criteria,"
        " status) VALUES ($1, $2, 'first-visit', '', '', $3, 'active')",
        row["id"],
        people.organization,
        row["criteria"],
    )
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await db.execute(
            f"SELECT award_badge($1, $2, now(), '{{}}', {named})", people.mentor, row["id"]
        )
    given = await db.fetchrow(
        "SELECT * FROM award_badge($1, $2, now(), '{}', definition_version => 3)",
        people.mentor,
        row["id"],
    )
    assert given is not None


async def test_a_date_that_no_calendar_has_is_refused(db: Connection) -> None:
    people = await settle(db)
    for earned in ("infinity", "-infinity", "10000-01-01 00:00+00"):
        with pytest.raises(asyncpg.InvalidParameterValueError):
            await db.execute(
                f"SELECT award_badge($1, $2, '{earned}', '{{}}')", people.mentor, people.definition
            )


async def test_a_trigger_that_lets_the_row_go_is_an_error(db: Connection) -> None:
    people = await settle(db)
    await db.execute(
        """
        CREATE FUNCTION let_go() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER let_go BEFORE INSERT ON badge_awards
            FOR EACH ROW EXECUTE FUNCTION let_go();
        """
    )
    with pytest.raises(asyncpg.TriggeredActionError, match="was not written"):
        await award(db, people)


async def test_an_unknown_time_zone_counts_as_utc(db: Connection) -> None:
    people = await settle(db)
    async with db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE organizations SET timezone = 'No/Where'")
    row = await db.fetchrow(AWARD, people.mentor, people.definition, None)
    assert row is not None
    assert row["earned_at"] == datetime.combine(row["earned_on"], time(), UTC)


async def test_a_tier_has_the_date_of_its_award_unless_it_is_given_one(db: Connection) -> None:
    people = await settle(db)
    await give_tiers(db, people.definition, "silver", "gold")
    with pytest.raises(asyncpg.InvalidParameterValueError, match="there is none"):
        await db.fetchrow(
            "SELECT award_badge($1, $2, now(), '{}', tier_earned_at => now())",
            people.mentor,
            people.definition,
        )
    given = await db.fetchrow(
        "SELECT * FROM award_badge($1, $2, NULL, '{}', tier => 'gold')",
        people.mentor,
        people.definition,
    )
    assert given is not None
    assert (given["tier"], given["tier_earned_at"]) == ("gold", given["earned_at"])
    await db.execute("DELETE FROM badge_awards")
    row = await db.fetchrow(
        "SELECT * FROM award_badge($1, $2, now(), '{}', 'kari', 2, 'gold', $3)",
        people.mentor,
        people.definition,
        EARNED,
    )
    assert row is not None
    assert (row["tier"], row["tier_earned_at"], row["definition_version"]) == ("gold", EARNED, 2)
    assert row["tier_earned_on"] == date(2026, 3, 1)


GIVE_TIER = "SELECT * FROM award_badge($1, $2, $3, '{}', NULL, $4, $5, $3)"


@pytest.mark.parametrize(
    ("version", "tier", "message", "hint"),
    [
        (1, "bronze", 'has no tier "bronze" in version 1', "It has no tiers: leave tier out."),
        (2, "bronze", 'has no tier "bronze" in version 2', "Its tiers are: bronse, silver."),
        (3, "bronse", 'has no tier "bronse" in version 3', "Its tiers are: bronze, silver."),
        (None, "bronse", 'has no tier "bronse" in version 3', "Its tiers are: bronze, silver."),
        (None, "", 'has no tier "" in version 3', "Its tiers are: bronze, silver."),
    ],
)
async def test_a_tier_that_the_version_does_not_have_is_refused(
    db: Connection, version: int | None, tier: str, message: str, hint: str
) -> None:
    people = await settle(db)
    await give_tiers(db, people.definition, "bronse", "silver")
    await give_tiers(db, people.definition, "bronze", "silver")
    with pytest.raises(asyncpg.InvalidParameterValueError, match=message) as caught:
        await db.fetchrow(GIVE_TIER, people.mentor, people.definition, EARNED, version, tier)
    assert caught.value.hint == hint
    assert await db.fetchval("SELECT count(*) FROM badge_awards") == 0


@pytest.mark.parametrize(
    ("version", "tier"), [(2, "bronse"), (3, "bronze"), (None, "bronze"), (None, None)]
)
async def test_a_tier_of_the_version_is_given(
    db: Connection, version: int | None, tier: str | None
) -> None:
    people = await settle(db)
    await give_tiers(db, people.definition, "bronse", "silver")
    await give_tiers(db, people.definition, "bronze", "silver")
    row = await db.fetchrow(
        "SELECT * FROM award_badge($1, $2, $3, '{}', NULL, $4, $5, $6)",
        people.mentor,
        people.definition,
        EARNED,
        version,
        tier,
        EARNED if tier else None,
    )
    assert row is not None
    assert (row["tier"], row["definition_version"]) == (tier, version or 3)


@pytest.mark.parametrize(
    ("statement", "by"),
    [
        ("UPDATE badge_awards SET revoked_at = now()", "postgres"),
        ("UPDATE badge_awards SET revoked_by = 'kari'", "kari"),
        ("UPDATE badge_awards SET revoked_at = now(), revoked_by = 'kari'", "kari"),
        ("UPDATE badge_awards SET revoked_by = 'rule'", "postgres"),
    ],
)
@pytest.mark.parametrize("clear", ["revoked_at = NULL", "revoked_by = NULL"])
async def test_revocation_has_a_time_and_a_name_or_neither(
    db: Connection, statement: str, by: str, clear: str
) -> None:
    await award(db, await settle(db))
    await db.execute(statement)
    row = await stored(db)
    assert row["revoked_at"] is not None
    assert row["revoked_by"] == by
    await db.execute(f"UPDATE badge_awards SET {clear}")
    row = await stored(db)
    assert (row["revoked_at"], row["revoked_by"]) == (None, None)
    assert [kind for kind, _, _ in await events(db)] == ["granted", "revoked", "restored"]


async def test_an_update_of_nothing_changes_nobody(db: Connection) -> None:
    await award(db, await settle(db))
    await act_as(db, "kari")
    before = (await stored(db))["changed_xid"]
    await db.execute("UPDATE badge_awards SET tier = tier")
    row = await stored(db)
    # Its record has the transaction's id, so the row must have it too.
    assert (row["changed_by"], row["changed_xid"] == before) == ("postgres", False)


async def test_a_row_inserted_by_hand_has_its_events_too(db: Connection) -> None:
    people = await settle(db)
    await db.execute(
        "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at, revoked_at, "
        "changed_by) VALUES ($1, $2, now(), now(), 'rule')",
        people.mentor,
        people.definition,
    )
    row = await stored(db)
    assert (row["changed_by"], row["revoked_by"], row["definition_version"]) == (
        "postgres",
        "postgres",
        1,
    )
    assert [kind for kind, _, _ in await events(db)] == ["granted", "revoked"]


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM {}", "UPDATE {} SET kind = 'revoked'", "TRUNCATE {}"],
)
async def test_events_are_append_only(db: Connection, statement: str) -> None:
    await award(db, await settle(db))
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await db.execute(statement.format("badge_award_events"))


async def test_events_stay_without_their_award_and_go_with_their_mentor(db: Connection) -> None:
    await award(db, await settle(db))
    await db.execute("DELETE FROM badge_awards")
    assert len(await events(db)) == 1
    new = await db.fetchval("UPDATE peer_mentors SET id = gen_random_uuid() RETURNING id")
    assert await db.fetchval("SELECT peer_mentor_id FROM badge_award_events") == new
    await db.execute("DELETE FROM peer_mentors")
    assert await events(db) == []


async def test_the_audit_signs_its_repairs(db: Connection) -> None:
    await award(db, await settle(db))
    await db.execute("SET badges.writer = 'audit'")
    await db.execute("UPDATE badge_awards SET revoked_at = now()")
    row = await stored(db)
    assert (row["changed_by"], row["revoked_by"]) == ("audit", "rule")
    assert (await events(db))[-1] == ("revoked", "replay", "audit")


async def test_an_award_ends_with_its_definition(db: Connection) -> None:
    people = await settle(db)
    await award(db, people)
    await db.execute("DELETE FROM badge_definitions WHERE id = $1", people.definition)
    assert await db.fetchval("SELECT count(*) FROM badge_awards") == 0
