"""Saving at the admin's page: one request at a time, and saved is what was sent, no more."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, Request, Route, expect

from tests.api.conftest import Organization
from tests.api.definitions import PATH, created
from tests.api.service import Service
from tests.pages.people import at, token, write_badge
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio

ONLY_THAT = "Saved as version {}. What was written besides is not saved yet."


class Saves:
    """The requests of a page that save, which wait until they are let go."""

    def __init__(self) -> None:
        self.sent: list[Request] = []
        self._came, self._go = asyncio.Event(), asyncio.Event()

    async def hold(self, route: Route) -> None:
        """Let what only reads pass."""
        if route.request.method in {"POST", "PUT"}:
            self.sent.append(route.request)
            self._came.set()
            await self._go.wait()
        await route.fallback()

    async def one(self) -> None:
        """Wait until one was sent."""
        async with asyncio.timeout(LIMIT_S):
            await self._came.wait()

    def let_go(self) -> None:
        self._go.set()


@asynccontextmanager
async def slowly(page: Page) -> AsyncIterator[Saves]:
    """Saving takes long, until it is let go."""
    saves = Saves()
    await page.route(f"**{PATH}**", saves.hold)
    try:
        yield saves
    finally:
        saves.let_go()


async def test_what_is_written_while_a_new_badge_is_saved_is_kept_and_is_not_called_saved(
    browser: Browser, service: Service, mine: Organization
) -> None:
    async with at(browser, service.url, "/admin#/new", token("admin", mine)) as page:
        name, save = page.get_by_label("Name", exact=True), page.get_by_role("button", name="Save")
        await write_badge(page, "Once")
        async with slowly(page) as saves:
            await save.click()
            await saves.one()
            await name.fill("Once more")
            saves.let_go()
            await expect(page.get_by_text(ONLY_THAT.format(1), exact=True)).to_be_visible()
        await expect(page.get_by_role("heading", name="Once", exact=True)).to_be_visible()
        await expect(name).to_have_value("Once more")
        await expect(page.get_by_label("Key", exact=True)).to_have_value("once")
        await save.click()
        await expect(page.get_by_role("heading", name="Once more")).to_be_focused()
        await expect(page).to_have_url(re.compile("#/badge/"))
    with service.client("admin", mine.id) as client:
        [made] = client.get(PATH).json()["items"]
    assert (made["key"], made["name"], made["version"]) == ("once", "Once more", 2)


async def test_what_is_written_while_a_badge_is_saved_is_not_lost_unasked(
    browser: Browser, service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        made = created(client)
    path = f"/admin#/badge/{made['id']}"
    async with at(browser, service.url, path, token("admin", mine)) as page:
        name = page.get_by_label("Name", exact=True)
        await name.fill("Sent")
        async with slowly(page) as saves:
            await page.get_by_role("button", name="Save").click()
            await saves.one()
            await name.fill("Written meanwhile")
            saves.let_go()
            await expect(page.get_by_text(ONLY_THAT.format(2), exact=True)).to_be_visible()
        await page.get_by_role("link", name="Badges", exact=True).click()
        await expect(page.get_by_role("dialog")).to_contain_text("Leave without saving?")


@pytest.mark.parametrize("is_new", [True, False])
async def test_a_save_that_is_under_way_is_not_begun_again(
    browser: Browser, service: Service, mine: Organization, *, is_new: bool
) -> None:
    path = "/admin#/new"
    if not is_new:
        with service.client("admin", mine.id) as client:
            path = f"/admin#/badge/{created(client)['id']}"
    async with at(browser, service.url, path, token("admin", mine)) as page:
        save = page.get_by_role("button", name="Save")
        if is_new:
            await write_badge(page, "Once")
        async with slowly(page) as saves:
            await save.click()
            await saves.one()
            await page.get_by_label("Name", exact=True).fill("Another name")
            await save.press("Enter")
            status = page.get_by_text("It is being saved. Wait for that first.")
            await expect(status).to_be_visible()
            await expect(status).to_have_role("status")
            await expect(save).to_be_focused()
            saves.let_go()
            await expect(page.get_by_text(re.compile("^Saved as version"))).to_be_visible()
        await expect(page.get_by_role("dialog")).to_have_count(0)
    assert len(saves.sent) == 1
    with service.client("admin", mine.id) as client:
        assert len(client.get(PATH).json()["items"]) == 1


async def test_a_badge_that_was_left_while_it_is_saved_does_not_come_back(
    browser: Browser, service: Service, mine: Organization
) -> None:
    async with at(browser, service.url, "/admin#/new", token("admin", mine)) as page:
        await write_badge(page, "Left")
        async with slowly(page) as saves:
            await page.get_by_role("button", name="Save").click()
            await saves.one()
            await page.get_by_role("link", name="Badges", exact=True).click()
            await page.get_by_role("button", name="Leave, and lose the changes").click()
            await expect(page.get_by_role("heading", name="Badges", exact=True)).to_be_focused()
            async with page.expect_response(
                lambda answer: answer.request.method == "POST" and answer.url.endswith(PATH)
            ):
                saves.let_go()
        await page.get_by_label("Show", exact=True).select_option("draft")
        await expect(page.locator("#view tbody tr")).to_have_text(re.compile("Left"))
        await expect(page).to_have_url(re.compile("#/$"))


async def test_retiring_saves_nothing_of_what_is_written(
    browser: Browser, service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        made = created(client, name="As it was", status="active")
        path = f"/admin#/badge/{made['id']}"
        async with at(browser, service.url, path, token("admin", mine)) as page:
            await page.get_by_label("Name", exact=True).fill("Not saved")
            await page.get_by_role("button", name="Retire").click()
            dialog = page.get_by_role("dialog")
            await dialog.get_by_role("button", name="Retire").click()
            said = "Retired, as version 2. What was written besides is not saved yet."
            await expect(page.get_by_text(said, exact=True)).to_be_visible()
            await expect(page.get_by_role("heading", name="As it was")).to_be_visible()
            await page.get_by_role("link", name="Badges", exact=True).click()
            await expect(dialog).to_contain_text("Leave without saving?")
            await dialog.get_by_role("button", name="Stay").click()
            await page.get_by_role("button", name="Save").click()
            await expect(page.get_by_text("Saved as version 3.", exact=True)).to_be_visible()
        now = client.get(f"{PATH}/{made['id']}").json()
    assert (now["name"], now["status"]) == ("Not saved", "retired")


LONG = (
    r'{"a": 12345678901234567890.10, "b": [-0.1234567890123456789, 1e30, 7], "c": "\"1e400, \\", '
    r'"d": {"e": 1.50, "12345678901234567890": "\u00e5"}}'
)
"""What JavaScript's numbers would change, and texts that only look like it."""


async def test_numbers_of_raw_criteria_keep_every_digit(
    browser: Browser, service: Service, mine: Organization
) -> None:
    criteria = f'{{"version": 1, "type": "raw", "reason": "a jury", "criteria_raw": {LONG}}}'
    body = f'{{"key": "long", "name": "Long numbers", "criteria": {criteria}}}'
    with service.client("admin", mine.id) as client:
        made = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
        assert made.status_code == 201, made.text
        address = f"{PATH}/{made.json()['id']}"
        kept = raw_of(client.get(address).text)
        assert all(each in kept for each in ("12345678901234567890.10", "-0.1234567890123456789"))
        path = f"/admin#/badge/{made.json()['id']}"
        async with at(browser, service.url, path, token("admin", mine)) as page:
            shown = page.get_by_label("What is asked for")
            await expect(shown).to_have_value(re.compile(r"12345678901234567890\.10,"))
            await page.get_by_label("Name", exact=True).fill("Another name")
            await page.get_by_role("button", name="Save").click()
            await expect(page.get_by_text("Saved as version 2.", exact=True)).to_be_visible()
            assert raw_of(client.get(address).text) == kept
            await shown.fill("[98765432109876543210, 0.10]")
            await page.get_by_role("button", name="Save").click()
            await expect(page.get_by_text("Saved as version 3.", exact=True)).to_be_visible()
            assert raw_of(client.get(address).text) == "[98765432109876543210, 0.10]"
            await shown.fill("[01]")
            await page.get_by_role("button", name="Save").click()
            await expect(page.get_by_text("Saved as version 4.", exact=True)).to_be_visible()
            assert raw_of(client.get(address).text) == '"[01]"'


def raw_of(answer: str) -> str:
    """What stands in the raw criteria of a definition, as it was written."""
    found = re.search(r'"criteria_raw": (.*?)(, "(reason|type|version)"|\}, *"counts_from)', answer)
    assert found is not None, answer
    return found[1]
