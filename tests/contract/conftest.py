"""The stores that the contract suites run against."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import asyncpg
import pytest

from sinks.pool import Pool, create_pool
from tests.contract.worlds import TRIGGERS, MemoryWorld, PostgresWorld, World
from tests.patience import patient_pool
from tests.stack import Stack


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
async def owner(contract_url: str) -> AsyncIterator[Pool]:
    """Connections of the database's owner, who acts as people do."""
    async with await patient_pool(contract_url, application_name="owner") as pool:
        yield pool


@pytest.fixture(scope="session")
async def worker(contract_url: str, postgres: Stack) -> AsyncIterator[Pool]:
    """Connections of the worker's role."""
    async with await create_pool(
        postgres.role_url("badges_worker", contract_url), application_name="test"
    ) as pool:
        yield pool


@pytest.fixture(scope="session")
async def patient_worker(contract_url: str, postgres: Stack) -> AsyncIterator[Pool]:
    """Connections of the worker's role that wait for a lock as long as it takes."""
    async with await patient_pool(
        postgres.role_url("badges_worker", contract_url), application_name="test"
    ) as pool:
        yield pool


@pytest.fixture(scope="session")
def kafka_alone(postgres: Stack) -> Stack:
    """Kafka beside Postgres, without Connect, which takes longest to start."""
    postgres.start("kafka")
    return postgres


@pytest.fixture(scope="session")
async def organization(owner: Pool) -> str:
    """An organization that mentors may belong to."""
    organization = str(uuid4())
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


async def _migrate(url: str, stack: Stack) -> None:
    await stack.migrate(url)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(TRIGGERS)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def api(contract_url: str, postgres: Stack) -> AsyncIterator[Pool]:
    """Connections of the API's role."""
    async with await create_pool(
        postgres.role_url("badges_api", contract_url), application_name="test"
    ) as pool:
        yield pool
