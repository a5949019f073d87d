"""`badges dedupe` beside others who remove, write or migrate: of each badge the earliest stays."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

import asyncpg
import pytest
from pydantic import SecretStr

from badges.cli.dedupe import _dedupe
from badges.doctor.database_schema import CHECKS
from badges.doctor.deployment import Deployment
from badges.doctor.lines import Line, failed
from badges.doctor.mending import mend
from badges.settings import Settings
from schema import apply
from sinks.duplicates import Duplicate
from sinks.polling import poll
from sinks.pool import Connection
from tests.integration.schema import application
from tests.integration.schema.conftest import PREFIX
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio

EARLIEST = "00000000-0000-0000-0000-000000000105"
NEXT = {"00000000-0000-0000-0000-000000000103", "00000000-0000-0000-0000-000000000107"}
"""The award of the second badge that stays, and those that are as early if it is gone."""
IS_WAITING = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
               AND query LIKE 'LOCK TABLE%badge_awards%' AND wait_event_type = 'Lock')
"""
CHECK = {check.id: check for check in CHECKS}
IS_UNIQUE = """
SELECT count(*) FROM pg_constraint WHERE contype = 'u' AND conrelid = 'badge_awards'::regclass
"""
TOLD = """
SELECT (detail ->> 'number')::int AS number FROM badge_alerts WHERE kind = 'duplicate_awards'
"""


async def dedupe(url: str) -> Sequence[Duplicate]:
    """What the command does, in a session of its own."""
    return await _dedupe(Settings(database_url=SecretStr(url)), dry_run=False)


async def migrate(connection: Connection) -> apply.Report:
    """Bring the database up to date."""
    return await apply.migrate(connection, prefix=PREFIX, role_passwords={})


async def held(connection: Connection) -> set[str]:
    """The awards that are there."""
    return {row["id"] for row in await connection.fetch("SELECT id::text FROM badge_awards")}


async def until_one_waits(connection: Connection) -> None:
    """Return when somebody wants the table of awards for himself."""
    await poll(partial(connection.fetchval, IS_WAITING), within=LIMIT_S, every=0.02)


@pytest.fixture
async def unbound(empty_db: Connection) -> Connection:
    """A migrated database that lost its constraint and has six awards too many."""
    for sql in (application.TABLES, application.ROWS):
        await empty_db.execute(sql)
    await migrate(empty_db)
    await empty_db.execute(
        "ALTER TABLE badge_awards "
        "DROP CONSTRAINT badge_awards_peer_mentor_id_badge_definition_id_key"
    )
    _, insert, rows = application.AWARDS.partition("INSERT INTO")
    await empty_db.execute(insert + rows)
    return empty_db


@pytest.fixture
async def writer(empty_url: str) -> AsyncIterator[Connection]:
    """Somebody who writes awards meanwhile."""
    connection = await asyncpg.connect(empty_url)
    yield connection
    await connection.close()


async def test_of_several_at_once_one_removes_and_tells(
    unbound: Connection, writer: Connection, empty_url: str
) -> None:
    async with writer.transaction():
        await writer.execute("UPDATE badge_awards SET evidence = '{}'")
        all_at_once = [asyncio.create_task(dedupe(empty_url)) for _ in range(3)]
        await until_one_waits(unbound)
    removed = await asyncio.gather(*all_at_once)
    assert sorted(map(len, removed)) == [0, 0, 6]
    assert await held(unbound) == application.KEPT
    assert [row["number"] for row in await unbound.fetch(TOLD)] == [6]


async def test_if_the_earliest_is_deleted_meanwhile_the_next_stays(
    unbound: Connection, writer: Connection, empty_url: str
) -> None:
    async with writer.transaction():
        await writer.execute("DELETE FROM badge_awards WHERE id = $1", EARLIEST)
        removing = asyncio.create_task(dedupe(empty_url))
        await until_one_waits(unbound)
    assert len(await removing) == 5
    (stays,) = await held(unbound) - application.KEPT
    assert stays in NEXT


async def test_who_writes_meanwhile_waits_for_no_more_than_the_removal(
    unbound: Connection, writer: Connection, empty_url: str
) -> None:
    async def promote() -> None:
        for number in range(30):
            await writer.execute(
                "UPDATE badge_awards SET evidence = jsonb_build_object('n', $1::int)", number
            )

    _, removed, again = await asyncio.gather(promote(), dedupe(empty_url), dedupe(empty_url))
    assert sorted([len(removed), len(again)]) == [0, 6]
    assert await held(unbound) == application.KEPT


async def test_beside_migrate_each_award_is_removed_once(
    empty_db: Connection, writer: Connection, empty_url: str
) -> None:
    for sql in (application.TABLES, application.ROWS, application.AWARDS):
        await empty_db.execute(sql)
    async with writer.transaction():
        await writer.execute("UPDATE badge_awards SET awarded_by = 'rule'")
        both = asyncio.gather(migrate(empty_db), dedupe(empty_url), dedupe(empty_url))
        await asyncio.sleep(0)
    report, one, another = await both
    removed = [each.id for each in (*report.removed, *one, *another)]
    assert len(removed) == len(set(removed)) == 6
    assert await held(empty_db) == application.KEPT
    assert await empty_db.fetchval(IS_UNIQUE) == 1


async def test_doctor_removes_none_by_itself(unbound: Connection, empty_url: str) -> None:
    chosen = Settings(database_url=SecretStr(empty_url), prefix=PREFIX)
    lacking = Line("constraints", "schema", failed("awards", "no key", None, safe="migrate"))
    said: list[str] = []
    before = await held(unbound)
    async with Deployment(chosen, LIMIT_S, said.append) as at:
        await at.open_postgres()
        twice = [line for line in await CHECK["rows"].ask(at) if line.status != "ok"]
        assert twice
        assert {each.safe for each in twice} == {None}
        assert await mend(at, [lacking]) == []
        assert "it would remove 6 awards" in said[-1]
        assert await held(unbound) == before
        assert len(await dedupe(empty_url)) == 6
        assert await mend(at, [lacking]) == ["badges migrate"]
    assert await unbound.fetchval(IS_UNIQUE) == 1
