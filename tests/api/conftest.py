"""One API on one database for all these tests; each has organizations of its own in it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from sinks.pool import Pool
from tests.api.service import Service, serving_api
from tests.patience import LastingPool, patient_pool
from tests.stack import Stack

GUARDED = (
    "organizations", "peer_mentors", "activities", "training_completions", "mentor_pauses",
    "badge_definitions",
)  # fmt: skip
"""The application's own tables, whose row-level security is its own matter."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Coroutine tests and fixtures run on asyncio, in one loop for the whole run."""
    return "asyncio"


@pytest.fixture(scope="session")
def service(postgres: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The API on a migrated database, without Kafka and worker."""
    url = postgres.create_database()
    asyncio.run(postgres.migrate(url))
    with serving_api(postgres, url, tmp_path_factory.mktemp("api") / "log") as running:
        yield running
    postgres.drop_database(url)


@pytest.fixture(scope="session")
async def owners(service: Service, postgres: Stack) -> AsyncIterator[LastingPool]:
    async with await patient_pool(service.database_url, application_name="owner") as pool:
        yield LastingPool(pool, postgres)


@pytest.fixture
async def owner(owners: LastingPool) -> Pool:
    """Connections of the database's owner, who acts as the application does."""
    return await owners.alive()


@pytest.fixture
async def only(service: Service, postgres: Stack) -> AsyncIterator[Pool]:
    """One connection in the API's own role."""
    url = postgres.role_url("badges_api", service.database_url)
    async with await patient_pool(
        url, role="badges_api", max_size=1, application_name="test"
    ) as pool:
        # Whoever is given it has less time than a connection may take.
        await pool.execute("SELECT 1")
        yield pool


@pytest.fixture
async def unguarded(owner: Pool) -> AsyncIterator[None]:
    """Turn row-level security off, as it is on tables that were there before."""
    await guard(owner, "DISABLE")
    yield
    await guard(owner, "ENABLE")


async def guard(owner: Pool, action: str) -> None:
    async with owner.acquire() as connection, connection.transaction():
        for table in GUARDED:
            await connection.execute(f"ALTER TABLE {table} {action} ROW LEVEL SECURITY")


@dataclass(frozen=True)
class Organization:
    """An organization with two mentors."""

    id: str
    mentors: tuple[str, str]


@pytest.fixture
async def mine(owner: Pool) -> AsyncIterator[Organization]:
    """An organization of the test's own; badges of every organization go with the test."""
    yield await organization(owner)
    await owner.execute("DELETE FROM badge_definitions WHERE organization_id IS NULL")


@pytest.fixture
async def other(owner: Pool) -> Organization:
    """Another one, of which callers of the first must see nothing."""
    return await organization(owner)


async def organization(owner: Pool) -> Organization:
    """Insert one."""
    row = await owner.fetchrow(
        """
        WITH home AS (
            INSERT INTO organizations (id, slug, name)
            SELECT id, id::text, 'Home' FROM gen_random_uuid() AS id RETURNING id
        ), mentors AS (
            INSERT INTO peer_mentors (id, organization_id, display_name)
            SELECT gen_random_uuid(), home.id, name
            FROM home, unnest(ARRAY['Kari Nordmann', 'Ola Nordmann']) AS name
            RETURNING id, organization_id
        )
        SELECT organization_id::text AS id, array_agg(id::text ORDER BY id) AS mentors
        FROM mentors GROUP BY organization_id
        """
    )
    assert row is not None
    return Organization(row["id"], tuple(row["mentors"]))
