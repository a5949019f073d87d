"""Statistics in SQL: a second opinion that agrees with the fold about everybody."""

import asyncio
from collections.abc import Iterator
from random import Random
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from badges.queries.audit.comparison import find
from badges.queries.audit.stats import stats_findings
from sinks.pool import Connection
from sinks.queries import QUERIES
from tests.integration.schema import histories
from tests.integration.schema.histories import Histories
from tests.integration.schema.people import settle
from tests.integration.schema.postgres import Server, copy

MENTORS = 250

pytestmark = pytest.mark.anyio


class World:
    """A database with mentors, and the statistics that the fold makes of their rows."""

    def __init__(self, runner: asyncio.Runner, db: Connection, made: Histories) -> None:
        self.runner = runner
        self.db = db
        self.made = made


@pytest.fixture(scope="module", params=range(2))
def world(request: pytest.FixtureRequest, server: Server, template: str) -> Iterator[World]:
    start, _, model = template.rpartition("/")
    name = f"stats_{request.param}"
    random = Random(f"stats {request.param}")
    with asyncio.Runner() as runner:
        runner.run(copy(start, name, model))
        db = runner.run(asyncpg.connect(f"{start}/{name}"))
        made = histories.make_up(random, runner.run(histories.define(db, random)), MENTORS)
        runner.run(histories.load(db, made))
        runner.run(_write_stats(db, made))
        yield World(runner, db, made)
        runner.run(db.close())
    server.drop_database(f"{start}/{name}")


async def _write_stats(db: Connection, made: Histories) -> None:
    stats = [history.ledger.stats() for history in made.by_mentor.values()]
    written = await db.fetchval(
        QUERIES["write_stats"], msgspec.json.encode(stats).decode(), list(made.by_mentor)
    )
    assert written == MENTORS


def test_sql_and_fold_agree_about_everybody(world: World) -> None:
    everybody = [UUID(mentor) for mentor in world.made.by_mentor]
    assert world.runner.run(stats_findings(world.db, everybody)) == ([], [])


async def test_what_differs_is_named(db: Connection) -> None:
    here, elsewhere = await settle(db), await settle(db, "bergen")
    for people in (here, elsewhere):
        await db.execute(
            "INSERT INTO activities (peer_mentor_id, activity_type, activity_date, "
            "duration_minutes) VALUES ($1, 'visit', '2026-03-02', 30)",
            people.mentor,
        )
    await db.execute(
        """
        INSERT INTO peer_mentor_stats (
            peer_mentor_id, activity_count, minutes_total, active_days, counts_by_type,
            first_activity_on, last_activity_on, day_streak_longest, day_streak_length,
            day_streak_last_on, week_streak_longest, week_streak_length, week_streak_last_on,
            month_streak_longest, month_streak_length, month_streak_last_on)
        VALUES ($1, 2, 30, 1, '{"visit": 1}', '2026-03-02', '2026-03-02', 1, 1, '2026-03-02', 1, 1,
                '2026-03-02', 1, 1, '2026-02-01')
        """,
        here.mentor,
    )
    findings, _ = await stats_findings(db, [here.mentor])
    (wrong,) = findings
    assert (wrong.kind, wrong.peer_mentor_id, wrong.badge_definition_id) == (
        "stats",
        here.mentor,
        None,
    )
    assert wrong.expected == {"activity_count": 1, "month_streak_last_on": "2026-03-01"}
    assert wrong.found == {"activity_count": 2, "month_streak_last_on": "2026-02-01"}
    assert "activity_count, month_streak_last_on" in wrong.reason
    findings, _ = await stats_findings(db, [elsewhere.mentor])
    (missing,) = findings
    assert missing.found is None
    assert missing.expected is not None
    assert missing.expected["counts_by_type"] == {"visit": 1}


async def test_statistics_of_nobody_are_found_where_everything_is_compared(db: Connection) -> None:
    nobody = uuid4()
    async with db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("INSERT INTO peer_mentor_stats (peer_mentor_id) VALUES ($1)", nobody)
    findings = (await find(db, organization=None, since=None)).findings
    assert [(each.peer_mentor_id, each.expected) for each in findings] == [(nobody, None)]
    assert (await find(db, organization=uuid4(), since=None)).findings == []


async def test_what_waits_to_be_written_is_explained(db: Connection) -> None:
    people = await settle(db)
    await db.execute(
        "INSERT INTO badge_refused_writes (log_id, partition, kind, peer_mentor_id, decision, "
        "message) VALUES ('log', 0, 'stats', $1, '{}', 'no')",
        people.mentor,
    )
    findings, explained = await stats_findings(db, [people.mentor])
    assert findings == []
    assert [each.peer_mentor_id for each in explained] == [people.mentor]
