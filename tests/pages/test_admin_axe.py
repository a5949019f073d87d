"""Every view and state of the admin's and the mentor's page, as axe and a narrow window see it."""

from itertools import product
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import RAW, VISITS, created
from tests.api.mentors import log
from tests.api.service import Service
from tests.pages.axe import axe
from tests.pages.people import at, token

pytestmark = pytest.mark.anyio

NARROW = {"width": 320, "height": 640}
AXE_STYLES = "Applying inline style"
"""axe sets styles while it looks, which the page's policy blocks, as it should."""
WIDE = {"width": 1280, "height": 900}

WIDER = """
() => document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
    [...document.querySelectorAll("body *")]
        .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth)
        .map(each => `${each.tagName} ${each.className} ${each.textContent.slice(0, 40)}`)
"""
"""What makes a page scroll sideways."""

DEEP = {
    "version": 1, "type": "all",
    "of": [
        {"type": "any", "of": [{"type": "threshold", "metric": "count", "at_least": 1}]},
        {"type": "training", "courses": ["basic", "ethics"]},
    ],
}  # fmt: skip


async def is_sound(page: Page, what: str) -> None:
    """axe finds nothing, and nothing but a table is wider than the window."""
    assert await axe(page) == [], what
    wide: list[str] = await page.evaluate(WIDER)
    assert wide == [], what


@pytest.mark.parametrize(
    ("language", "scheme", "size"),
    [
        pytest.param(language, scheme, size, id=f"{language}-{scheme}-{size['width']}")
        for language, (scheme, size) in product(
            ("en", "nb"), (("light", WIDE), ("dark", NARROW), ("light", NARROW), ("dark", WIDE))
        )
    ],
)
async def test_every_view_is_accessible(
    browser: Browser,
    service: Service,
    owner: Pool,
    mine: Organization,
    language: str,
    scheme: str,
    size: dict[str, int],
) -> None:
    await log(owner, mine.mentors[0], "2026-01-01", "2026-01-02")
    look: dict[str, Any] = {
        "tolerated": AXE_STYLES,
        "color_scheme": scheme,
        "viewport": size,
        "reduced_motion": "reduce",
    }
    with service.client("admin", mine.id) as client:
        made = created(client, DEEP, name="Deep", status="active", description="All of it")
        created(client, RAW, name="By a jury")
        created(client, VISITS, name="Old", status="retired")
        body = {"badge_definition_id": made["id"], "reason": "Thanks"}
        assert client.post(f"/v1/peer-mentors/{mine.mentors[1]}/badges", json=body).is_success

    async with at(browser, service.url, f"/admin?lang={language}", None, **look) as page:
        await expect(page.locator("h1")).to_be_visible()
        await page.keyboard.press("Enter")
        await expect(page.locator("#token-error")).to_be_visible()
        await is_sound(page, "sign-in with an error")

    signed = token("admin", mine)
    async with at(browser, service.url, f"/admin?lang={language}", signed, **look) as page:
        await expect(page.locator("#view tbody tr")).to_have_count(3)
        await is_sound(page, "list")
        await page.goto(f"{service.url}/admin?lang={language}#/new")
        await expect(page.locator("#sentence")).not_to_be_empty()
        await is_sound(page, "new badge")
        await page.locator("button[value=save]").click()
        await expect(page.locator(".summary")).to_be_focused()
        await is_sound(page, "errors")
        await page.goto(f"{service.url}/admin?lang={language}#/badge/{made['id']}")
        await expect(page.locator("#view tbody tr")).to_have_count(2)
        await page.locator("button[value=preview]").click()
        await expect(page.locator("#preview-heading")).to_contain_text("0")
        await page.locator(".search button").click()
        await expect(page.locator(".mentors li")).to_have_count(2)
        await is_sound(page, "badge with preview and search")
        await page.locator(".mentors button").first.click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await is_sound(page, "dialog")
        await page.keyboard.press("Escape")
        await page.goto(f"{service.url}/mentor?lang={language}")
        await page.locator(".search button").click()
        await expect(page.locator(".mentors li")).to_have_count(2)
        await is_sound(page, "search for mentors")
        await page.goto(f"{service.url}/mentor?lang={language}#/{mine.mentors[1]}")
        await expect(page.locator(".card")).to_have_count(1)
        await expect(page.locator("dd")).not_to_have_count(0)
        await is_sound(page, "mentor with a badge")
        await page.goto(f"{service.url}/mentor?lang={language}#/{mine.mentors[0]}")
        await expect(page.locator("progress")).not_to_have_count(0)
        await expect(page.locator("dd")).not_to_have_count(0)
        await is_sound(page, "mentor on the way")


async def test_in_forced_colours_what_is_wrong_is_still_to_be_seen(
    browser: Browser, service: Service, mine: Organization
) -> None:
    look = {"tolerated": AXE_STYLES, "forced_colors": "active"}
    async with at(browser, service.url, "/admin#/new", token("admin", mine), **look) as page:
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".summary")).to_be_focused()
        name = page.get_by_label("Name", exact=True)
        for element in (page.locator(".summary"), name):
            border = await element.evaluate("it => getComputedStyle(it).borderTopWidth")
            assert border == "2px"
        await expect(page.get_by_text("Name is needed.").first).to_be_visible()
        assert await axe(page) == []
