"""Chromium as tests use it: the machine's own program, without its window."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright, expect

from tests.stack import LIMIT_S

LIMIT_MS = 1000 * LIMIT_S

ARGUMENTS = (
    # Where /dev/shm is small.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    # Its sandbox is not for root.
    *(() if os.getuid() else ("--no-sandbox",)),
)


@asynccontextmanager
async def launched(program: Path) -> AsyncIterator[Browser]:
    """A browser in the running event loop, ended with the block."""
    expect.set_options(timeout=LIMIT_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=ARGUMENTS, timeout=LIMIT_MS
        )
        try:
            yield browser
        finally:
            await browser.close()
