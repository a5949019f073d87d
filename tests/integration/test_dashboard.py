"""The dashboard in a real browser, before the whole path: what goes wrong in mid-view shows."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, expect

from badges.pages import site
from badges.remedies import REMEDIES
from tests import pressure
from tests.integration.pipeline import Pipeline, Rig
from tests.integration.serving import served
from tests.pages.browser import LIMIT_MS, launched
from tests.stack import free_port_base

SAYS_WITHIN_S = 5.0
"""The page's promise; how long it takes is measured some times, for other processes take turns."""
TRIES = 4

ON_TIME = "Badges are on time."
SLOT = site.texts("en")["dashboard"]["stage_slot"]
LATE = "Badges are late."


@asynccontextmanager
async def viewing(program: Path, address: str) -> AsyncIterator[Page]:
    """The dashboard as somebody looks at it, once it says that badges are on time."""
    async with launched(program) as browser:
        page = await browser.new_page(locale="en-GB")
        page.set_default_timeout(LIMIT_MS)
        await page.goto(address)
        await says(page, ON_TIME)
        yield page


async def says(page: Page, headline: str) -> None:
    """Wait until this is the headline."""
    await expect(page.locator("h1")).to_have_text(headline)


def test_a_worker_that_is_stopped_in_mid_view_shows_within_5_seconds(
    unmanned: Rig, chromium: Path
) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        await p.settle()
        took: list[float] = []
        late: list[float] = []
        with served(p) as address:
            async with viewing(chromium, address) as page:
                while not late or (min(late) > SAYS_WITHIN_S and len(late) < TRIES):
                    worker.pause()
                    began, before = time.monotonic(), pressure.waited()
                    try:
                        await says(page, LATE)
                        took.append(time.monotonic() - began)
                        forgiven = min(pressure.since(before), SAYS_WITHIN_S)
                        late.append(took[-1] - forgiven)
                        await expect(page.locator("#why")).to_contain_text("Worker")
                        await expect(page.locator("#behind-stage")).to_have_text("Worker")
                        await expect(page.locator("#announcements")).to_contain_text(LATE)
                    finally:
                        worker.resume()
                    await says(page, ON_TIME)
        print("told after", *(f"{each:.1f} s" for each in took))
        assert min(late) <= SAYS_WITHIN_S, (took, late)

    unmanned.run(test)


def test_an_api_that_goes_away_is_told_and_what_it_says_shows_again(
    working: Rig, chromium: Path
) -> None:
    async def test(p: Pipeline) -> None:
        await p.settle()
        port = free_port_base()
        async with AsyncExitStack() as looking:
            with served(p, port) as address:
                page = await looking.enter_async_context(viewing(chromium, address))
            headline = page.locator("h1")
            silent = "No answer from the API since"
            await expect(headline).to_contain_text(silent)
            with served(p, port):
                await says(page, ON_TIME)

    working.run(test)


def test_a_postgres_that_stops_in_mid_view_is_told_and_so_is_its_return(
    working: Rig, chromium: Path
) -> None:
    async def test(p: Pipeline) -> None:
        await p.settle()
        with served(p) as address:
            async with viewing(chromium, address) as page:
                p.stack.stop("postgres")
                await says(page, LATE)
                await expect(page.locator("#behind-stage")).to_have_text(SLOT)
                away = REMEDIES["log_unreachable"].what.en
                await expect(page.locator("#alerts")).to_contain_text(away)
                p.stack.start("postgres")
                await says(page, ON_TIME)

    working.run(test)
