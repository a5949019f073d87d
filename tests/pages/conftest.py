"""Chromium, on the machine's own program, and the checker of accessibility."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from sinks.pool import Pool, create_pool
from tests.api.conftest import Organization, organization
from tests.api.service import Service, serving_api
from tests.pages.browser import launched
from tests.stack import Stack


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Coroutine tests and fixtures run on asyncio, in one loop for the whole run."""
    return "asyncio"


@pytest.fixture(scope="session")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    """Chromium, started once; each test opens a context of its own in it."""
    async with launched(chromium) as running:
        yield running


@pytest.fixture(scope="session")
def service(postgres: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The API on a migrated database, without Kafka and worker."""
    url = postgres.create_database()
    asyncio.run(postgres.migrate(url))
    with serving_api(postgres, url, tmp_path_factory.mktemp("pages") / "log") as running:
        yield running
    postgres.drop_database(url)


@pytest.fixture(scope="session")
async def owner(service: Service) -> AsyncIterator[Pool]:
    """Connections of the database's owner, who acts as the application does."""
    async with await create_pool(service.database_url, application_name="owner") as pool:
        yield pool


@pytest.fixture
async def mine(owner: Pool) -> Organization:
    """An organization of the test's own, with two mentors."""
    return await organization(owner)


@pytest.fixture
async def other(owner: Pool) -> Organization:
    """Another one."""
    return await organization(owner)
