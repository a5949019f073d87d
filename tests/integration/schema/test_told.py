"""What `migrate` removes is told, and what a worker compares time zones by is what Postgres has."""

import asyncpg
import pytest

from sinks.pool import Connection
from sinks.queries import QUERIES
from tables.zones import SAMPLES, offsets
from tests.integration.schema import application
from tests.integration.schema.people import settle
from tests.integration.schema.sessions import migrate, triggers_off

pytestmark = pytest.mark.anyio


async def alerts(db: Connection) -> list[asyncpg.Record]:
    return await db.fetch(
        "SELECT kind, detail ->> 'number' AS number, "
        "jsonb_array_length(detail -> 'rows') AS named, "
        "detail #>> '{rows,0,kept_id}' AS kept, resolved_at IS NULL AS open "
        "FROM badge_alerts ORDER BY id"
    )


async def test_migrate_tells_what_it_removed(empty_db: Connection) -> None:
    await empty_db.execute(application.TABLES)
    await empty_db.execute(application.ROWS)
    await empty_db.execute(application.AWARDS)
    await migrate(empty_db)
    (alert,) = await alerts(empty_db)
    assert alert["kept"] in application.KEPT
    assert tuple(alert)[:3] == ("duplicate_awards", "6", 6)
    assert not alert["open"]


async def test_an_open_alert_of_duplicates_is_closed_by_who_removes_them(db: Connection) -> None:
    people = await settle(db)
    await db.execute(
        "ALTER TABLE badge_awards DROP CONSTRAINT "
        "badge_awards_peer_mentor_id_badge_definition_id_key"
    )
    await db.execute(
        "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at) "
        "SELECT $1, $2, now() + make_interval(days => n) FROM generate_series(1, 30) n",
        people.mentor,
        people.definition,
    )
    await db.execute("INSERT INTO badge_alerts (kind) VALUES ('duplicate_awards')")
    report = await migrate(db)
    assert len(report.removed) == 29
    told = [tuple(alert)[:3] for alert in await alerts(db)]
    assert told == [("duplicate_awards", None, None), ("duplicate_awards", "29", 20)]
    assert not any(alert["open"] for alert in await alerts(db))


async def test_offsets_are_those_of_every_zone_in_use(db: Connection) -> None:
    for slug, zone in (("a", "Europe/Oslo"), ("b", "Europe/Oslo"), ("c", "Africa/Monrovia")):
        await settle(db, slug, zone)
    async with triggers_off(db):
        await settle(db, "d", "No/Where")
    await db.execute("SET ROLE badges_worker; SET timezone = 'Asia/Tokyo'")
    rows = await db.fetch(QUERIES["time_zones"], SAMPLES[0].date(), len(SAMPLES))
    found = {row["name"]: (row["organizations"], row["offsets"]) for row in rows}
    assert found == {
        "Africa/Monrovia": (1, list(offsets("Africa/Monrovia") or ())),
        "Europe/Oslo": (2, list(offsets("Europe/Oslo") or ())),
        "No/Where": (1, None),
    }
