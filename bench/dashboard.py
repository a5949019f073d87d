"""How much the dashboard weighs, and how soon it shows something: in Chromium, nothing cached."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from bench.figures import Figure, percentile
from bench.site import Bench
from streams.errors import Failure
from tests import programs
from tests.api.service import serving_api
from tests.pages.browser import launched
from tests.stack import Stack

LOADED = """
() => new Promise((resolve) => {
    const files = () => [
        ...performance.getEntriesByType("navigation"),
        ...performance.getEntriesByType("resource").filter(({ name }) => !name.includes("/v1/")),
    ];
    new PerformanceObserver((paints, observer) => {
        const paint = paints.getEntriesByName("first-contentful-paint")[0];
        if (paint === undefined) return;
        observer.disconnect();
        const sum = (name) => files().reduce((total, each) => total + each[name], 0);
        resolve({
            paint: paint.startTime, files: files().length,
            sent: sum("transferSize"), plain: sum("decodedBodySize"),
        });
    }).observe({ type: "paint", buffered: true });
})
"""
"""Milliseconds from the navigation's start, and bytes: with their headers, and unpacked."""


def measure(bench: Bench) -> list[Figure]:
    """Open the page again and again, each time as somebody who has never seen it."""
    program = programs.find("chromium")
    if program is None:
        raise Failure("Chromium is not installed", hint="Install it to measure the dashboard")
    with _serving(bench.postgres) as address:
        loads = asyncio.run(_loads(program, address, bench.size(20, 3)))
    paints = [load["paint"] / 1000 for load in loads]
    files, sent, plain = (loads[0][name] for name in ("files", "sent", "plain"))
    about = f"{files} files of the dashboard"
    shown = "from the navigation's start to the first text, nothing cached"
    return [
        Figure("dashboard_bytes", sent, "bytes", f"{about}, compressed, with headers"),
        Figure("dashboard_bytes_plain", plain, "bytes", f"{about}, unpacked"),
        Figure("dashboard_first_paint_p50", percentile(paints, 0.5), "ms", shown),
        Figure("dashboard_first_paint_p95", percentile(paints, 0.95), "ms", shown),
    ]


@contextmanager
def _serving(stack: Stack) -> Iterator[str]:
    """The API on a database without rows; its address."""
    url = stack.create_database()
    asyncio.run(stack.migrate(url))
    with (
        tempfile.TemporaryDirectory() as folder,
        serving_api(stack, url, Path(folder) / "log") as service,
    ):
        yield service.url
    stack.drop_database(url)


async def _loads(program: Path, address: str, times: int) -> list[dict[str, Any]]:
    async with launched(program) as browser:
        await _load(browser, address)  # which starts what Chromium starts with its first page
        return [await _load(browser, address) for _ in range(times)]


async def _load(browser: Browser, address: str) -> dict[str, Any]:
    """Open it in a context of its own, which has no cache of the others."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(address, wait_until="load")
        found: dict[str, Any] = await page.evaluate(LOADED)
        return found
    finally:
        await context.close()
