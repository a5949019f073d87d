"""`migrate` beside an application that works: nobody is kept, and it ends when it can."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import asyncpg
import pytest

from schema import apply, migrations
from schema.check import check
from sinks.pool import Connection
from streams.errors import Failure
from tests.integration.schema import application
from tests.integration.schema.conftest import RELOAD
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio


MENTOR = "00000000-0000-0000-0000-000000000011"
ACTIVITY = (
    "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
    f"VALUES (gen_random_uuid(), '{MENTOR}', 'visit', '2026-01-02')"
)
AWARD = (
    "INSERT INTO badge_awards (id, peer_mentor_id, badge_definition_id, earned_at) "
    f"VALUES (gen_random_uuid(), '{MENTOR}', '00000000-0000-0000-0000-000000000021', now())"
)
INDEXES = ("activities_mentor_identity_idx", "activities_mentor_date_type_idx")

BUILDS = {
    INDEXES[0]: f"CREATE UNIQUE INDEX CONCURRENTLY {INDEXES[0]} ON activities (peer_mentor_id, id)",
    INDEXES[1]: f"CREATE INDEX CONCURRENTLY {INDEXES[1]} "
    "ON activities (peer_mentor_id, activity_date, activity_type)",
    "badge_awards_mentor_identity_idx": "CREATE UNIQUE INDEX CONCURRENTLY "
    "badge_awards_mentor_identity_idx ON badge_awards (peer_mentor_id, id)",
    "badge_awards_badge_definition_id_idx": "CREATE INDEX CONCURRENTLY "
    "badge_awards_badge_definition_id_idx ON badge_awards (badge_definition_id)",
}

VALID = """
SELECT relname::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indisvalid AND relname = ANY ($1)
"""

WAITS = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
               AND wait_event_type = 'Lock' AND query LIKE $1)
"""

MANY = f"""
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date)
SELECT gen_random_uuid(), '{MENTOR}', repeat('visit', 8), '2026-01-02' FROM generate_series(1, 4000)
"""

VACUUMS = """
SELECT a.pid FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND l.granted
WHERE a.datname = current_database() AND a.backend_type = 'autovacuum worker'
    AND l.relation = 'activities'::regclass AND l.mode = 'ShareUpdateExclusiveLock'
"""


class Told:
    """What `migrate` says while it runs."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self._more.set()

    async def until(self, words: str) -> None:
        """Return when a line holds the words."""
        async with asyncio.timeout(LIMIT_S):
            while not any(words in line for line in self.lines):
                self._more.clear()
                await self._more.wait()


@pytest.fixture
async def filled(empty_db: Connection) -> Connection:
    """The application's tables with rows, awards of its own included; the owner's connection."""
    for sql in (application.TABLES, application.ROWS, application.AWARDS):
        await empty_db.execute(sql)
    return empty_db


@pytest.fixture
async def indexed(filled: Connection) -> Connection:
    """The same with the indexes that filled tables need."""
    for statement in BUILDS.values():
        await filled.execute(statement)
    return filled


@pytest.fixture
async def slow_autovacuum(indexed: Connection) -> AsyncIterator[None]:
    """Autovacuum looks every second, and takes minutes for the activities once that is on."""
    await indexed.execute(
        "ALTER TABLE activities SET (autovacuum_vacuum_threshold = 1, "
        "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100, "
        "autovacuum_vacuum_cost_limit = 1, autovacuum_enabled = off)"
    )
    await indexed.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
    await indexed.execute(RELOAD)
    yield
    await indexed.execute("ALTER SYSTEM RESET autovacuum_naptime")
    await indexed.execute(RELOAD)


@asynccontextmanager
async def session(url: str, statement: str | None = None) -> AsyncIterator[Connection]:
    """Another session of the application, in a transaction that did this, if anything."""
    connection = await asyncpg.connect(url)
    try:
        if statement is not None:
            await connection.execute("BEGIN")
            await connection.execute(statement)
        yield connection
    finally:
        await connection.close()


def migrate(
    db: Connection, told: Callable[[str], None], patience_s: float = LIMIT_S
) -> Coroutine[None, None, apply.Report]:
    return apply.migrate(db, prefix="badges", role_passwords={}, tell=told, patience_s=patience_s)


async def until(db: Connection, query: str, *values: object) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await db.fetchval(query, *values):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def half_build(db: Connection, url: str, statement: str, beside: str = ACTIVITY) -> None:
    """Interrupt the build of an index, so that it is there and invalid."""
    async with session(url, beside):
        await db.execute("SET lock_timeout = '50ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await db.execute(statement)
        await db.execute("RESET lock_timeout")


async def test_nobody_queues_behind_a_migrate_that_waits(
    indexed: Connection, empty_url: str
) -> None:
    told = Told()
    async with session(empty_url, AWARD) as busy, session(empty_url) as writer:
        running = asyncio.create_task(migrate(indexed, told))
        await told.until("Waiting for a lock: process")
        async with asyncio.timeout(LIMIT_S):
            for _ in range(20):
                await writer.execute(AWARD)
                await writer.execute(ACTIVITY)
        assert not running.done()
        await busy.execute("COMMIT")
        report = await running
    assert len(report.applied) == len(migrations.load())
    assert report.left == ()
    assert any(f"process {busy.get_server_pid()} " in line for line in told.lines)
    assert await indexed.fetchval("SELECT count(*) FROM activities") == 21


@pytest.mark.parametrize(("first", "second"), [(AWARD, ACTIVITY), (ACTIVITY, AWARD)])
async def test_where_both_wait_for_each_other_migrate_gives_way(
    indexed: Connection, empty_url: str, first: str, second: str
) -> None:
    told = Told()
    # Who waits longest finds the deadlock: that would be the application, if migrate waited on.
    await indexed.execute("SET deadlock_timeout = '240s'")
    async with session(empty_url) as busy:
        await busy.execute("SET deadlock_timeout = '120s'")
        await busy.execute("BEGIN")
        await busy.execute(first)
        running = asyncio.create_task(migrate(indexed, told))
        async with session(empty_url) as onlooker:
            await until(onlooker, WAITS, "LOCK TABLE %")
        async with asyncio.timeout(LIMIT_S):
            await busy.execute(second)
        await busy.execute("COMMIT")
        assert (await running).left == ()


async def test_it_waits_for_so_long_and_names_who_has_the_table(
    indexed: Connection, empty_url: str
) -> None:
    async with session(empty_url, AWARD) as busy:
        with pytest.raises(Failure) as caught:
            await migrate(indexed, Told(), patience_s=1)
        assert f"process {busy.get_server_pid()} " in caught.value.message
        assert "has badge_awards" in caught.value.message
        assert "again when it is over" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.code == 1
        await busy.execute("COMMIT")
    assert not await indexed.fetchval("SELECT to_regnamespace('badges_private') IS NOT NULL")
    assert (await migrate(indexed, Told())).left == ()


@pytest.mark.usefixtures("slow_autovacuum")
async def test_a_long_vacuum_is_named_and_waited_for_again(
    indexed: Connection, empty_url: str
) -> None:
    async with session(empty_url) as writer:
        await writer.execute(f"SET application_name = 'writer'; {MANY}")
        await writer.execute("UPDATE activities SET duration_minutes = 1")
        await writer.execute("ALTER TABLE activities SET (autovacuum_enabled = on)")
    await until(indexed, VACUUMS)
    with pytest.raises(Failure) as caught:
        await migrate(indexed, Told(), patience_s=1)
    pid = await indexed.fetchval(VACUUMS)
    assert f"process {pid} (autovacuum worker, active, for " in caught.value.message
    assert "s) has activities" in caught.value.message
    assert "again when it is over, or end it: that is safe" in str(caught.value)
    assert "\n" not in str(caught.value)
    async with session(empty_url) as stopper:
        await stopper.execute("ALTER TABLE activities SET (autovacuum_enabled = off)")
        await stopper.execute(f"SELECT pg_cancel_backend({pid})")
    assert (await migrate(indexed, Told())).left == ()


async def test_where_nothing_is_to_be_done_no_table_is_locked(db: Connection, url: str) -> None:
    await db.execute(application.ROWS)
    async with session(url, "LOCK TABLE activities, badge_awards IN SHARE ROW EXCLUSIVE MODE"):
        assert await migrate(db, Told(), patience_s=0) == apply.Report()


async def test_a_filled_table_gets_its_indexes_while_others_write(
    filled: Connection, empty_url: str
) -> None:
    told = Told()
    async with session(empty_url, ACTIVITY) as busy, session(empty_url) as writer:
        running = asyncio.create_task(migrate(filled, told))
        await told.until(f"Building index {INDEXES[0]} on public.activities")
        await until(writer, WAITS, "CREATE UNIQUE INDEX CONCURRENTLY%")
        async with asyncio.timeout(LIMIT_S):
            await writer.execute(ACTIVITY)
        assert not running.done()
        await busy.execute("COMMIT")
        assert (await running).left == ()
    assert {row[0] for row in await filled.fetch(VALID, INDEXES)} == set(INDEXES)
    assert any(f"Building index {INDEXES[1]}" in line for line in told.lines)


async def test_a_build_that_waits_too_long_is_told_and_begun_anew(
    filled: Connection, empty_url: str
) -> None:
    async with session(empty_url, ACTIVITY) as busy:
        with pytest.raises(
            Failure, match="is not built, for older transactions do not end"
        ) as told:
            await migrate(filled, Told(), patience_s=0.2)
        assert f"process {busy.get_server_pid()} " in told.value.message
        await busy.execute("COMMIT")
    assert await filled.fetch(VALID, INDEXES) == []
    assert (await migrate(filled, Told())).left == ()
    assert len(await filled.fetch(VALID, INDEXES)) == len(INDEXES)


@pytest.mark.parametrize("index", INDEXES)
async def test_half_an_index_is_dropped_and_built_again(
    filled: Connection, empty_url: str, index: str
) -> None:
    await half_build(filled, empty_url, BUILDS[index])
    assert await filled.fetch(VALID, [index]) == []
    assert (await migrate(filled, Told())).left == ()
    assert len(await filled.fetch(VALID, INDEXES)) == len(INDEXES)


async def test_a_migrated_database_gets_back_the_index_of_a_filled_table(
    filled: Connection, empty_url: str
) -> None:
    await migrate(filled, Told())
    index = "badge_awards_badge_definition_id_idx"
    await filled.execute(f"DROP INDEX {index}, activities_mentor_date_type_idx")
    await half_build(filled, empty_url, BUILDS[index], "UPDATE badge_awards SET evidence = '{}'")
    found = await check(filled, prefix="badges")
    report = await migrate(filled, Told())
    assert report == apply.Report(mended=tuple(found))
    assert {each.where for each in report.mended} == {
        f"index {index} on public.badge_awards",
        "index activities_mentor_date_type_idx on public.activities",
    }


async def test_two_at_once_take_turns_at_filled_tables(filled: Connection, empty_url: str) -> None:
    told = Told()
    async with session(empty_url) as other, session(empty_url) as holder:
        await holder.execute(f"SELECT pg_advisory_lock({apply.LOCK})")
        both = asyncio.gather(migrate(filled, told), migrate(other, told))
        await told.until("Another `badges migrate` is at work")
        await holder.execute(f"SELECT pg_advisory_unlock({apply.LOCK})")
        reports = await both
    assert sorted(len(report.applied) for report in reports) == [0, len(migrations.load())]
    assert [report.left for report in reports] == [(), ()]
