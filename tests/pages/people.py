"""Somebody at a page: a tab of the browser with a token in it, and people to look at."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Error, Page, Route

from tests.api.conftest import Organization
from tests.api.service import signed
from tests.pages.browser import LIMIT_MS

ANSWERED = re.compile(r"/v1/(?!unlocks)")
"""What is asked of the API but its feed, whose answer has no end."""

HOSTILE = '<img src=x onerror="document.title=1">'
"""A name that would run if a page took it for HTML."""


@asynccontextmanager
async def at(
    browser: Browser,
    address: str,
    path: str,
    token: str | None,
    *,
    tolerated: str | None = None,
    **context: Any,
) -> AsyncIterator[Page]:
    """A page with a token in its tab. It breaks no policy, throws nothing and asks nobody else.

    What the test itself does to the page may break its policy: `tolerated` is in what is said then.
    """
    options = {"locale": "en-GB", "viewport": {"width": 1100, "height": 900}, **context}
    opened = await browser.new_context(**options)
    opened.set_default_timeout(LIMIT_MS)
    await opened.route(ANSWERED, patiently)
    if token is not None:
        await opened.add_init_script(f"sessionStorage.setItem('token', {token!r})")
    page = await opened.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if is_wrong(message) else None)
    page.on(
        "request",
        lambda request: None if request.url.startswith(address) else wrong.append(request.url),
    )
    await page.goto(f"{address}{path}")
    try:
        yield page
    finally:
        await opened.unroute_all(behavior="ignoreErrors")
        await opened.close()
    wrong = [each for each in wrong if tolerated is None or tolerated not in each]
    assert not wrong, wrong


TRIES = 10
"""More are not the machine's: the API is at fault."""


async def patiently(route: Route) -> None:
    """Ask the API again while it has no time, where that changes nothing: a page does not."""
    again = TRIES if route.request.method == "GET" or "/criteria/" in route.request.url else 0
    try:
        answer = await route.fetch(timeout=LIMIT_MS, max_retries=min(again, 3))
        while answer.status == 503 and again:
            again -= 1
            await asyncio.sleep(1)
            answer = await route.fetch(timeout=LIMIT_MS, max_retries=3)
    except Error:
        await route.abort()
    else:
        await route.fulfill(response=answer)


def is_wrong(message: Any) -> bool:
    """Answers that are errors are said by the page itself."""
    return message.type == "error" and "Failed to load resource" not in message.text


def token(role: str, organization: Organization, sub: str | None = None, **claims: Any) -> str:
    """A token of somebody of an organization."""
    return signed(role, organization.id, sub or f"the-{role}", **claims)


async def write_badge(page: Page, name: str, number: str = "3") -> None:
    """Fill in the form of a badge for so many activities."""
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Type", exact=True).select_option("threshold")
    await page.get_by_label("What is counted").select_option("count")
    await page.get_by_label("At least").fill(number)
