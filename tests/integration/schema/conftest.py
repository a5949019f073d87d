"""Databases for the schema's tests: empty ones and migrated ones, on every supported Postgres."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from schema import apply
from sinks.pool import Connection
from tests.integration.schema import postgres as installed
from tests.integration.schema.postgres import Server, copy, execute
from tests.integration.schema.roles import SUPABASE_ROLES
from tests.stack import Stack

PREFIX = "badges"
RELOAD = "SELECT pg_reload_conf()"
_NUMBERS = count(1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="package")
def oldest_postgres(postgres_15: Path) -> Iterator[Server]:
    """The oldest Postgres that is supported, if its programs are on this machine."""
    with installed.running(postgres_15.parent) as server:
        yield server


@pytest.fixture(scope="package")
def newest_postgres(postgres: Stack) -> Iterator[Server]:
    """Postgres 18 of the local stack, quick at making databases meanwhile."""
    asyncio.run(execute(postgres.database_url, "ALTER SYSTEM SET fsync = off", RELOAD))
    yield postgres
    asyncio.run(execute(postgres.database_url, "ALTER SYSTEM RESET fsync", RELOAD))


@pytest.fixture(scope="package", params=["newest", "oldest"])
def server(request: pytest.FixtureRequest) -> Server:
    """The newest Postgres that is supported, then the oldest."""
    chosen: Server = request.getfixturevalue(f"{request.param}_postgres")
    return chosen


@pytest.fixture
def empty_url(server: Server) -> Iterator[str]:
    """The owner's URL of an empty database."""
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture(scope="package")
def template(server: Server) -> Iterator[str]:
    """The URL of a migrated database to copy from; nobody may stay connected to it."""
    url = server.create_database()
    asyncio.run(_migrate(url))
    yield url
    server.drop_database(url)


@pytest.fixture
def url(server: Server, template: str) -> Iterator[str]:
    """The owner's URL of a migrated database without rows."""
    start, _, model = template.rpartition("/")
    name = f"migrated_{next(_NUMBERS)}"
    asyncio.run(copy(start, name, model))
    yield f"{start}/{name}"
    server.drop_database(f"{start}/{name}")


@pytest.fixture
async def db(url: str) -> AsyncIterator[Connection]:
    """The owner's connection to a migrated database without rows."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


@pytest.fixture
async def empty_db(empty_url: str) -> AsyncIterator[Connection]:
    """The owner's connection to an empty database."""
    connection = await asyncpg.connect(empty_url)
    yield connection
    await connection.close()


@pytest.fixture
async def supabase(empty_db: Connection) -> AsyncIterator[Connection]:
    """A migrated database with Supabase's roles and its default privileges."""
    names = ", ".join(SUPABASE_ROLES)
    await empty_db.execute(
        "".join(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role}; " for role in SUPABASE_ROLES)
    )
    try:
        await empty_db.execute("ALTER ROLE service_role BYPASSRLS")
        for kind in ("TABLES", "FUNCTIONS", "SEQUENCES"):
            await empty_db.execute(
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON {kind} TO {names}"
            )
        await apply.migrate(empty_db, prefix=PREFIX, role_passwords={})
        yield empty_db
    finally:
        await empty_db.execute(f"DROP OWNED BY {names}")
        await empty_db.execute(f"DROP ROLE {names}")


async def _migrate(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await apply.migrate(connection, prefix=PREFIX, role_passwords={})
    finally:
        await connection.close()
