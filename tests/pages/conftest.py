"""Chromium, on the machine's own program, before the API that tests of the API have."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.api.conftest import anyio_backend, mine, other, owner, owners, service
from tests.pages.browser import launched

__all__ = ["anyio_backend", "mine", "other", "owner", "owners", "service"]


@pytest.fixture(scope="session")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    """Chromium, started once; each test opens a context of its own in it."""
    async with launched(chromium) as running:
        yield running
