"""What is told of the whole service: numbers of every organization, for a role that sees none."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from badges.queries import overview
from sinks.pool import Connection
from tests.integration.schema.people import People, settle
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio

SPAN = timedelta(minutes=15)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "_PATIENCE_S", LIMIT_S)


async def as_the_api(db: Connection) -> None:
    """See no more than the API does, without anybody's claims."""
    await db.execute("SET ROLE badges_api")


async def event(
    db: Connection,
    people: People,
    at: str,
    caused_at: str | None,
    kind: str = "granted",
    source: str = "stream",
) -> None:
    """An event so long ago, of a row that was committed so long ago."""
    await db.execute(
        "INSERT INTO badge_award_events (badge_award_id, peer_mentor_id, badge_definition_id, "
        "kind, source, at, caused_at) VALUES (gen_random_uuid(), $1, $2, $3, $4, "
        "clock_timestamp() - $5::text::interval, clock_timestamp() - $6::text::interval)",
        people.mentor,
        people.definition,
        kind,
        source,
        at,
        caused_at,
    )


async def test_of_an_empty_database_there_is_nothing_to_tell(db: Connection) -> None:
    await as_the_api(db)
    assert await overview.alerts_open(db) == []
    assert await overview.definitions(db) == overview.Definitions(0, 0, 0, 0, 0)
    assert await overview.refused_writes(db) == 0
    assert await overview.award_seconds(db, SPAN) == overview.AwardSeconds(None, None, 0)
    assert await overview.days_since_awards(db) == []
    found = await overview.unlocks(db, None, SPAN)
    assert found == overview.UnlocksOfLate(found.now, last_minute=0, by_minute={})


async def test_alerts_are_counted_by_kind_since_the_oldest_that_is_open(db: Connection) -> None:
    await db.execute(
        "INSERT INTO badge_alerts (kind, detail, at, resolved_at) VALUES "
        "('time_zone', '{\"subject\": \"a\"}', '2026-01-01Z', now()), "
        "('time_zone', '{\"subject\": \"a\"}', '2026-01-02Z', NULL), "
        "('time_zone', '{\"subject\": \"b\"}', '2026-01-03Z', NULL), "
        "('nobody_works', '{}', '2026-01-04Z', NULL)"
    )
    await as_the_api(db)
    assert await overview.alerts_open(db) == [
        overview.AlertsOpen("nobody_works", datetime(2026, 1, 4, tzinfo=UTC), 1),
        overview.AlertsOpen("time_zone", datetime(2026, 1, 2, tzinfo=UTC), 2),
    ]


async def test_definitions_are_counted_by_status_and_by_what_waits(db: Connection) -> None:
    people = await settle(db)
    raw = json.dumps({"version": 1, "type": "raw", "criteria_raw": {}, "reason": "none fits"})
    for key, status, criteria in (
        ("raw", "active", raw),
        ("raw draft", "draft", raw),
        ("raw no more", "retired", raw),
        ("draft", "draft", "[]"),
    ):
        await db.execute(
            "INSERT INTO badge_definitions (organization_id, key, name, criteria, status) "
            "VALUES ($1, $2, $2, $3, $4)",
            people.organization,
            key,
            criteria,
            status,
        )
    await db.execute(
        "INSERT INTO badge_alerts (kind, detail) VALUES ('definition_invalid', $1)",
        json.dumps({"subject": str(people.definition)}),
    )
    await as_the_api(db)
    assert await overview.definitions(db) == overview.Definitions(
        active=3, draft=2, retired=1, raw=2, invalid=1
    )


async def test_unlocks_are_counted_by_minute_without_what_was_revoked(db: Connection) -> None:
    people = await settle(db)
    for at in ("0 s", "10 s", "5 min", "5 min", "20 min"):
        await event(db, people, at, None)
    await event(db, people, "0 s", None, "revoked")
    await event(db, people, "0 s", None, "restored", "admin")
    await as_the_api(db)
    found = await overview.unlocks(db, None, SPAN)
    assert found.last_minute == 3
    assert sum(found.by_minute.values()) == 5
    assert all((each.second, each.microsecond) == (0, 0) for each in found.by_minute)
    newest = max(found.by_minute)
    since = await overview.unlocks(db, newest, SPAN)
    assert since.by_minute == {newest: found.by_minute[newest]}


async def test_award_seconds_are_of_what_rows_caused_of_late(db: Connection) -> None:
    people = await settle(db)
    for at, caused_at in (("1 s", "3 s"), ("1 s", "5 s"), ("1 s", "7 s"), ("1 s", None)):
        await event(db, people, at, caused_at)
    await event(db, people, "16 min", "1 hour")
    await as_the_api(db)
    found = await overview.award_seconds(db, SPAN)
    assert found.count == 3
    assert found.p50 == pytest.approx(4, abs=0.1)
    assert found.p95 == pytest.approx(5.8, abs=0.1)


async def test_a_rule_that_has_never_awarded_is_not_silent(db: Connection) -> None:
    people = await settle(db)
    await as_the_api(db)
    assert await overview.days_since_awards(db) == []
    await db.execute("RESET ROLE")
    await event(db, people, "10 days", None)
    await event(db, people, "1 hour", None, source="admin")
    await as_the_api(db)
    (days,) = await overview.days_since_awards(db)
    assert days == pytest.approx(10, abs=0.01)
    await db.execute("RESET ROLE")
    await db.execute("UPDATE badge_definitions SET status = 'retired'")
    await as_the_api(db)
    assert await overview.days_since_awards(db) == []
