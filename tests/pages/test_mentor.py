"""A mentor's page: what is held and why, how far the rest is, and who may see it."""

from datetime import date

import pytest
from playwright.async_api import Browser, expect

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.mentors import COUNT, define, grant, log
from tests.api.service import Service
from tests.pages.people import at, token

pytestmark = pytest.mark.anyio


async def test_a_coordinator_finds_a_mentor_and_sees_how_far_they_are(
    browser: Browser, service: Service, owner: Pool, mine: Organization
) -> None:
    mentor = mine.mentors[0]
    name = await owner.fetchval("SELECT display_name FROM peer_mentors WHERE id = $1", mentor)
    course = {"type": "training", "courses": ["basic"]}
    both = {"type": "all", "of": [COUNT, course]}
    await define(owner, mine.id, COUNT, name="Four visits")
    await define(owner, mine.id, both, name="Visits and a course")
    held = await define(owner, mine.id, {**COUNT, "at_least": 1}, name="First visit")
    await log(owner, mentor, "2026-01-05", "2026-01-06", "2026-01-07")
    evidence = {"counts": {"$": 1}}
    await grant(owner, mentor, held, date(2026, 1, 5).isoformat(), evidence)
    async with at(browser, service.url, "/mentor", token("coordinator", mine)) as page:
        await page.get_by_label("Name, or a part of it").fill(str(name).split()[0])
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name=str(name)).click()
        await expect(page.get_by_role("heading", name=str(name))).to_be_focused()
        badges = page.get_by_role("region", name="Badges").locator(".card")
        await expect(badges).to_have_count(1)
        await expect(badges).to_contain_text("First visit")
        await expect(badges).to_contain_text("1 activity, reached on 5 January 2026")
        ahead = page.get_by_role("region", name="On the way").locator(".card")
        await expect(ahead).to_have_count(2)
        visits = ahead.filter(has=page.get_by_role("heading", name="Four visits"))
        await expect(visits).to_contain_text("3 of 4 activities (75 %)")
        bar = visits.get_by_role("progressbar")
        await expect(bar).to_have_attribute("value", "75")
        await expect(bar).to_have_accessible_name("How far: Four visits")
        deep = ahead.filter(has=page.get_by_role("heading", name="Visits and a course"))
        await expect(deep.get_by_role("progressbar")).to_have_count(3)
        await expect(deep.locator(".parts")).to_contain_text("0 of 1 course")
        await expect(page.get_by_role("region", name="In all")).to_contain_text("Activities")


async def test_a_mentor_sees_their_own_page_and_no_other(
    browser: Browser, service: Service, mine: Organization
) -> None:
    own, another = mine.mentors
    async with at(browser, service.url, "/mentor", token("mentor", mine, own)) as page:
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Nordmann")
        await expect(page.get_by_text("No badge yet.")).to_be_visible()
        await expect(page.locator("#views")).to_be_hidden()
        await expect(page.get_by_role("search")).to_have_count(0)
        await page.goto(f"{service.url}/mentor#/{another}")
        await expect(page.get_by_role("heading", level=1)).to_have_text("This cannot be shown")
        await expect(page.get_by_role("alert")).to_contain_text("No mentor of your organization")
