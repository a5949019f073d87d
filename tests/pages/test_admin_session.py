"""Signing in at the admin's page: what a token opens, where it is kept, and what is said of it."""

import time

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.api.conftest import Organization
from tests.api.definitions import created, definition
from tests.api.service import Service
from tests.pages.people import at, token

pytestmark = pytest.mark.anyio


async def paste(page: Page, text: str) -> None:
    await page.get_by_label("Token", exact=True).fill(text)
    await page.keyboard.press("Enter")


async def test_a_token_opens_the_page_and_stays_in_its_tab(
    browser: Browser, service: Service, mine: Organization
) -> None:
    pasted = token("admin", mine)
    async with at(browser, service.url, "/admin", None) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await expect(page.get_by_label("Token", exact=True)).to_be_focused()
        await paste(page, f"  Bearer {pasted}\n")
        await expect(page.get_by_role("heading", name="Badges", exact=True)).to_be_focused()
        await expect(page.locator("#session")).to_contain_text("the-admin, admin, Home")
        await page.reload()
        await expect(page.locator("#session")).to_contain_text("the-admin")

        assert asked
        assert not any(pasted in url for url in [*asked, page.url])
        assert await page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert await page.evaluate("sessionStorage.length") == 0
        await page.reload()
        await expect(page.get_by_label("Token", exact=True)).to_be_focused()


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("", "Paste a token first."),
        ("a b ø", "This is no token"),
        ("abc.def.ghi", "This token is not valid here"),
        ("expired", "This token has expired."),
    ],
)
async def test_what_is_wrong_with_a_token_is_said_at_its_field(
    browser: Browser, service: Service, mine: Organization, pasted: str, said: str
) -> None:
    if pasted == "expired":
        pasted = token("admin", mine, exp=int(time.time()) - 3600)
    async with at(browser, service.url, "/admin", None) as page:
        await paste(page, pasted)
        field = page.get_by_label("Token", exact=True)
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_be_focused()
        await expect(page.locator("#token-error")).to_contain_text(said)
        assert "token-error" in str(await field.get_attribute("aria-describedby"))
        assert await page.evaluate("sessionStorage.length") == 0


async def test_a_token_that_ends_is_asked_for_anew_and_nothing_written_is_lost(
    browser: Browser, service: Service, mine: Organization
) -> None:
    async with at(browser, service.url, "/admin", None) as page:
        await paste(page, token("admin", mine))
        await page.get_by_role("link", name="New badge").first.click()
        await expect(page.locator("#sentence")).not_to_be_empty()
        # What is typed is judged, so that is when it is found out.
        await page.route("**/v1/criteria/validate", refuse, times=1)
        await page.get_by_label("Name", exact=True).fill("Kept")
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("Your token does not count any more")
        await expect(dialog.get_by_label("Token", exact=True)).to_be_focused()
        await dialog.get_by_label("Token", exact=True).fill("wrong")
        await page.keyboard.press("Enter")
        await expect(dialog.get_by_role("alert")).to_contain_text("This token is not valid here")
        await dialog.get_by_label("Token", exact=True).fill(token("admin", mine))
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_hidden()
        await expect(page.get_by_label("Name", exact=True)).to_have_value("Kept")


async def test_what_somebody_began_is_not_sent_as_whoever_signs_in_next(
    browser: Browser, service: Service, mine: Organization, other: Organization
) -> None:
    async with at(browser, service.url, "/admin", None) as page:
        await paste(page, token("admin", mine))
        await expect(page.locator("#session")).to_contain_text("the-admin")
        await page.route("**/v1/badge-definitions", refuse, times=1)
        await page.evaluate(BEGIN, definition(name="Meant for home"))
        dialog = page.get_by_role("dialog")
        async with page.expect_event("load"):
            await dialog.get_by_label("Token", exact=True).fill(token("admin", other))
            await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Badges", exact=True)).to_be_focused()
    for organization in (mine, other):
        with service.client("admin", organization.id) as client:
            listed = client.get("/v1/badge-definitions").json()["items"]
            assert "Meant for home" not in {each["name"] for each in listed}


BEGIN = """
async (json) => {
  const { api } = await import("/assets/people-session.js");
  api("/v1/badge-definitions", { method: "POST", json });
}
"""


async def refuse(route: Route) -> None:
    """Answer as the API does once a token has ended."""
    problem = {"title": "Unauthorized", "status": 401, "detail": "The token has expired"}
    await route.fulfill(status=401, content_type="application/problem+json", json=problem)


async def test_a_coordinator_sees_and_changes_nothing(
    browser: Browser, service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        made = created(client, name="Three visits", status="active", description="For visitors")
    async with at(browser, service.url, "/admin", token("coordinator", mine)) as page:
        await page.get_by_role("link", name="Three visits").click()
        await expect(page.get_by_role("heading", name="Three visits")).to_be_focused()
        await expect(page.locator("#view")).to_contain_text("3 activities")
        await expect(page.locator("#view")).to_contain_text("For visitors")
        await expect(page.get_by_role("heading", name="History")).to_be_visible()
        for name in ("Save", "Retire", "Give it"):
            await expect(page.get_by_role("button", name=name)).to_have_count(0)
        await expect(page.get_by_role("link", name="New badge")).to_have_count(0)
        await page.goto(f"{service.url}/admin#/new")
        await expect(page.get_by_role("heading", name="Badges", exact=True)).to_be_visible()
        await page.goto(f"{service.url}/admin#/badge/{made['id']}")
        await expect(page.locator("#view form")).to_have_count(0)


async def test_a_mentor_is_led_to_their_own_page(
    browser: Browser, service: Service, mine: Organization
) -> None:
    own = token("mentor", mine, mine.mentors[0])
    async with at(browser, service.url, "/admin", own) as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text(
            "This page is for coordinators"
        )
        await expect(page.locator("#unlocks")).to_be_hidden()
        await page.get_by_role("link", name="Your own page").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Nordmann")
