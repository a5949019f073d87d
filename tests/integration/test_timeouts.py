"""Timeouts that a database sets for everybody stop nothing of ours."""

from functools import partial
from uuid import UUID

import asyncpg
import pytest

from schema.database import connect
from sinks.pool import Pool, create_pool
from tests.integration.pipeline import Pipeline, count_of, pipeline
from tests.stack import LIMIT_S, Stack

ORGANIZATION = UUID("00000000-0000-0000-0000-000000000001")
MENTORS = 5_000
SHORT = {"statement_timeout": "300ms", "idle_in_transaction_session_timeout": "300ms"}

SLOW = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON badge_awards EXECUTE FUNCTION slowly();
"""
"""What takes longer than the database allows: each write of awards."""

PEOPLE = """
INSERT INTO organizations (id, slug) VALUES ('{organization}', 'crowd');
INSERT INTO peer_mentors (id, organization_id)
SELECT gen_random_uuid(), '{organization}' FROM generate_series(1, {number});
INSERT INTO activities (peer_mentor_id, activity_type, activity_date)
SELECT id, 'visit', '2026-01-01' FROM peer_mentors;
INSERT INTO mentor_pauses (peer_mentor_id, starts_on)
SELECT id, '2026-02-01' FROM peer_mentors LIMIT 2;
"""


async def hurry(pool: Pool) -> None:
    """Let the database allow nobody but its owner more than a moment, and be slow."""
    await pool.execute(SLOW)
    database = await pool.fetchval("SELECT current_database()")
    for setting, value in SHORT.items():
        await pool.execute(f"ALTER DATABASE {database} SET {setting} = '{value}'")
        await pool.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET {setting} = 0")
    await pool.execute(PEOPLE.format(organization=ORGANIZATION, number=MENTORS))


async def read_slowly(p: Pipeline) -> None:
    """Read as the connector does: with its role, and with what its driver is told."""
    told = p.site.configuration(p.log.number, p.log.stand_in)["driver.options"]
    options = dict(option.split("=") for option in told.removeprefix("-c ").split(" -c "))
    connector = await asyncpg.connect(p.role_url("badges_connect"), server_settings=options)
    await connector.fetch("SELECT pg_sleep(0.5), count(id) FROM mentor_pauses")
    await connector.close()


def test_a_new_definition_of_5000_mentors_is_decided(stack: Stack) -> None:
    async def awarded(p: Pipeline) -> bool:
        return bool(await p.pool.fetchval("SELECT count(*) FROM badge_awards") == MENTORS)

    async def test(p: Pipeline) -> None:
        await read_slowly(p)
        worker = p.worker()
        await p.at_work(worker)
        await p.settle()
        await p.badge(ORGANIZATION, count_of(1))
        await p.until(partial(awarded, p), what="all awards")
        await p.settle()
        said = [str(line) for line in worker.lines()]
        assert not [line for line in said if "statement timeout" in line]
        # Ours ends a transaction after ten seconds, as of a worker that the machine let wait.
        assert len([line for line in said if "idle-in-transaction" in line]) <= 1, said

    with pipeline(stack, hurry) as rig:
        rig.run(test)


@pytest.mark.anyio
async def test_our_connections_have_timeouts_of_their_own(database_url: str) -> None:
    settings = {*SHORT, "lock_timeout", "idle_session_timeout"}
    database = database_url.rpartition("/")[2]
    async with connect(database_url) as connection:
        newest = connection.get_server_version() >= (17, 0)
        settings |= {"transaction_timeout"} if newest else set()
        for setting in settings:
            # Nobody meets so long a limit before it is taken back.
            await connection.execute(f"ALTER DATABASE {database} SET {setting} = '77s'")
    async with connect(database_url) as connection:
        for setting in settings:
            assert await connection.fetchval(f"SHOW {setting}") == "0", setting
    pool = await create_pool(database_url, application_name="test", connect_timeout=LIMIT_S)
    try:
        own = {each: await pool.fetchval(f"SHOW {each}") for each in settings}
    finally:
        await pool.close()
    assert not {"77s", "77000"} & {*own.values()}
    assert own["statement_timeout"] == "35s"
