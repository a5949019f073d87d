"""The stores that the contract suites run against."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from unittest.mock import patch
from uuid import uuid4

import asyncpg
import pytest

from sinks import alerts
from sinks.pool import SERVER_SETTINGS, Pool, create_pool
from tests.contract.worlds import TRIGGERS, MemoryWorld, PostgresWorld, World
from tests.patience import LastingPool, patient_pool
from tests.stack import LIMIT_S, Stack


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Coroutine tests and fixtures run on asyncio, in one loop for the whole run."""
    return "asyncio"


@pytest.fixture(scope="session")
def contract_url(postgres: Stack) -> Iterator[str]:
    """A migrated database of the contract suites; the URL is its owner's."""
    url = postgres.create_database()
    asyncio.run(_migrate(url, postgres))
    yield url
    postgres.drop_database(url)


@pytest.fixture(scope="session")
async def pools(contract_url: str, postgres: Stack) -> AsyncIterator[dict[str, LastingPool]]:
    """The connections of these tests, by whose they are."""
    as_worker, as_api = (
        postgres.role_url(role, contract_url) for role in ("badges_worker", "badges_api")
    )
    async with (
        await patient_pool(contract_url, application_name="owner") as owner,
        await _connected(as_worker) as worker,
        await patient_pool(as_worker, application_name="test") as patient_worker,
        await _connected(as_api) as api,
    ):
        found = {"owner": owner, "worker": worker, "patient worker": patient_worker, "api": api}
        yield {whose: LastingPool(pool, postgres) for whose, pool in found.items()}


async def _connected(url: str) -> Pool:
    """A pool that waits for locks as shortly as theirs, and else is in no hurry."""
    with patch.dict(SERVER_SETTINGS, idle_in_transaction_session_timeout="0"):
        return await create_pool(
            url, application_name="test", connect_timeout=LIMIT_S, command_timeout=LIMIT_S
        )


@pytest.fixture
def patient_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert is written however long that takes, unless it waits for a lock."""
    monkeypatch.setattr(alerts, "PATIENCE", LIMIT_S)


@pytest.fixture
async def owner(pools: dict[str, LastingPool]) -> Pool:
    """Connections of the database's owner, who acts as people do."""
    return await pools["owner"].alive()


@pytest.fixture
async def worker(pools: dict[str, LastingPool]) -> Pool:
    """Connections of the worker's role."""
    return await pools["worker"].alive()


@pytest.fixture
async def patient_worker(pools: dict[str, LastingPool]) -> Pool:
    """Connections of the worker's role that wait for a lock as long as it takes."""
    return await pools["patient worker"].alive()


@pytest.fixture
async def api(pools: dict[str, LastingPool]) -> Pool:
    """Connections of the API's role."""
    return await pools["api"].alive()


@pytest.fixture(scope="session")
def kafka_alone(postgres: Stack) -> Stack:
    """Kafka beside Postgres, without Connect, which takes longest to start."""
    postgres.start("kafka")
    return postgres


@pytest.fixture(scope="session")
async def organization(pools: dict[str, LastingPool]) -> str:
    """An organization that mentors may belong to."""
    organization, owner = str(uuid4()), await pools["owner"].alive()
    await owner.execute(
        "INSERT INTO organizations (id, slug) VALUES ($1, $1::uuid::text)", organization
    )
    return organization


@pytest.fixture
def postgres_world(owner: Pool, worker: Pool, organization: str) -> PostgresWorld:
    """Postgres, with a sink of the test's own."""
    return PostgresWorld(owner, worker, organization)


@pytest.fixture
def patient_world(owner: Pool, patient_worker: Pool, organization: str) -> PostgresWorld:
    """Postgres, with a worker whom nobody is too slow for."""
    return PostgresWorld(owner, patient_worker, organization)


@pytest.fixture(params=["memory", "postgres"])
def world(request: pytest.FixtureRequest) -> World:
    """Each store in turn."""
    if request.param == "memory":
        return MemoryWorld()
    found: PostgresWorld = request.getfixturevalue("postgres_world")
    return found


_KEEP_SPACE = """
DO $$
DECLARE
    one regclass;
BEGIN
    FOR one IN
        SELECT oid::regclass FROM pg_class
        WHERE relkind = 'r'
            AND relnamespace IN ('public'::regnamespace, 'badges_private'::regnamespace)
    LOOP
        EXECUTE format('ALTER TABLE %s SET (vacuum_truncate = off)', one);
    END LOOP;
END $$
"""
"""To give space back a vacuum locks a table for as long as the disk takes. A worker waits less than
that, and takes it for rows that are refused.
"""


async def _migrate(url: str, stack: Stack) -> None:
    await stack.migrate(url)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(TRIGGERS)
        await connection.execute(_KEEP_SPACE)
    finally:
        await connection.close()
