"""An admin's work on badges: writing one by the keyboard alone, trying it, and what others save."""

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import PATH, RAW, VISITS, created, saved
from tests.api.mentors import log
from tests.api.service import Service
from tests.pages.people import HOSTILE, at, token, write_badge

pytestmark = pytest.mark.anyio

MOST_TABS = 60


async def tab_to(page: Page, label: str) -> None:
    """Go on with the tab key until something of this name has the focus."""
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        name = await page.evaluate(
            "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()"
        )
        if name.startswith(label):
            return
    raise AssertionError(f"{MOST_TABS} times Tab never came to {label}")


async def choose(page: Page, text: str) -> None:
    """Choose what begins so, by typing; a browser without time between two letters begins anew."""
    chosen = "document.activeElement.selectedOptions[0].text"
    for _ in range(10):
        await page.keyboard.type(text)
        if str(await page.evaluate(chosen)).startswith(text):
            return
        await asyncio.sleep(1.1)  # it has forgotten the letters by then
    raise AssertionError(text)


async def test_from_the_token_to_a_saved_badge_by_the_keyboard_alone(
    browser: Browser, service: Service, owner: Pool, mine: Organization
) -> None:
    await log(owner, mine.mentors[0], "2026-01-01", "2026-01-02")
    async with at(browser, service.url, "/admin", None) as page:
        await expect(page.get_by_label("Token", exact=True)).to_be_focused()
        await page.keyboard.insert_text(token("admin", mine))
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Badges", exact=True)).to_be_focused()
        await tab_to(page, "New badge")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="New badge")).to_be_focused()
        await tab_to(page, "Name")
        await page.keyboard.type("To besøk på Åsen")
        await tab_to(page, "State")
        await page.keyboard.type("act")
        await tab_to(page, "Type")
        await choose(page, "Reach")
        await tab_to(page, "What is counted")
        await choose(page, "activities")
        await tab_to(page, "At least")
        await page.keyboard.type("2")
        await expect(page.locator("#sentence")).to_have_text("2 activities")
        await tab_to(page, "Who would hold it?")
        await page.keyboard.press("Enter")
        found = page.get_by_role("heading", name="1 mentor would hold it")
        await expect(found).to_be_focused()
        while await focused(page) != "Save":
            await page.keyboard.press("Shift+Tab")
            assert await focused(page) != "Type", "the button was passed over"
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="To besøk på Åsen")).to_be_focused()
    with service.client("admin", mine.id) as client:
        [made] = client.get(PATH).json()["items"]
    assert (made["key"], made["status"]) == ("to-besok-pa-asen", "active")
    assert made["criteria"] == {"version": 1, "type": "threshold", "metric": "count", "at_least": 2}


async def focused(page: Page) -> str:
    """What the element says that has the focus."""
    found: str = await page.evaluate("document.activeElement.textContent")
    return found


async def test_a_preview_tells_who_comes_and_who_goes_by_pages(
    browser: Browser, service: Service, owner: Pool, mine: Organization
) -> None:
    mentors = await owner.fetch(
        "INSERT INTO peer_mentors (id, organization_id, display_name) "
        "SELECT gen_random_uuid(), $1, 'Mentor ' || n FROM generate_series(1, 25) AS n "
        "RETURNING id::text",
        mine.id,
    )
    for each in mentors:
        await log(owner, each["id"], "2026-01-01", "2026-01-02")
    await log(owner, mine.mentors[0], "2026-01-01", duration_minutes=500)
    with service.client("admin", mine.id) as client:
        made = created(client, {**VISITS, "at_least": 2}, status="active")
    path = f"/admin#/badge/{made['id']}"
    async with at(browser, service.url, path, token("admin", mine)) as page:
        preview = page.get_by_role("button", name="Who would hold it?")
        await preview.click()
        await expect(page.get_by_role("heading", name="25 mentors would hold it")).to_be_focused()
        shown = page.locator(".preview tbody tr")
        await expect(shown).to_have_count(20)
        await page.get_by_role("button", name="Show more").first.click()
        await expect(shown).to_have_count(25)
        await expect(shown.nth(20)).to_be_focused()
        await expect(page.get_by_role("button", name="Show more")).to_be_hidden()

        await page.get_by_label("What is counted").select_option("minutes")
        await page.get_by_label("At least").fill("400")
        await preview.click()
        await expect(page.get_by_role("heading", name="1 mentor would hold it")).to_be_focused()
        section = page.locator(".preview")
        await expect(section).to_contain_text("Compared with version 1, which is saved:")
        await expect(section).to_contain_text("1 mentor more would have it.")
        await expect(section).to_contain_text("For 25 mentors it would no longer hold.")
        await expect(section).to_contain_text("Who has the badge already keeps it")
        await page.get_by_label("Can be lost again").check()
        await preview.click()
        await expect(section).to_contain_text("For 25 mentors it would no longer hold.")
        await expect(section).not_to_contain_text("Who has the badge already keeps it")


async def test_what_somebody_else_saved_is_shown_and_nobody_loses_a_change_unasked(
    browser: Browser, service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id, "another admin") as client:
        made = created(client, name="Before")
        path = f"/admin#/badge/{made['id']}"
        async with at(browser, service.url, path, token("admin", mine)) as page:
            await page.get_by_label("Name", exact=True).fill("Mine")
            theirs = saved(client, made, name="Theirs", icon="star").json()
            await page.get_by_role("button", name="Save").click()
            dialog = page.get_by_role("dialog")
            await expect(dialog).to_contain_text("another admin saved version 2")
            differences = dialog.get_by_role("row")
            await expect(differences.filter(has_text="Name")).to_contain_text("Theirs")
            await expect(differences.filter(has_text="Icon")).to_contain_text("star")
            await expect(differences).to_have_count(3)
            await page.keyboard.press("Escape")
            await expect(dialog).to_have_count(0)
            assert client.get(f"{PATH}/{made['id']}").json() == theirs

            await page.get_by_role("button", name="Save").click()
            await dialog.get_by_label("Mine: it is saved over the other").check()
            await dialog.get_by_role("button", name="Go on").click()
            await expect(page.get_by_text("Saved as version 3.")).to_be_visible()
            assert client.get(f"{PATH}/{made['id']}").json()["name"] == "Mine"

            saved(client, client.get(f"{PATH}/{made['id']}").json(), name="Theirs again")
            await page.get_by_label("Name", exact=True).fill("Given up")
            await page.get_by_role("button", name="Save").click()
            await dialog.get_by_role("button", name="Go on").click()
            await expect(page.get_by_label("Name", exact=True)).to_have_value("Theirs again")


async def test_a_save_that_is_sent_twice_makes_one_badge(
    browser: Browser, service: Service, mine: Organization
) -> None:
    sent: list[str | None] = []
    async with at(browser, service.url, "/admin#/new", token("admin", mine)) as page:

        async def lose(route: Any) -> None:
            sent.append(await route.request.header_value("Idempotency-Key"))
            await route.fetch()
            await route.abort()

        await page.route(f"**{PATH}", lose, times=1)
        await write_badge(page, "Once")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".summary")).to_contain_text("The service does not answer")
        async with page.expect_request(
            lambda request: request.method == "POST" and PATH in request.url
        ) as again:
            await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", name="Once")).to_be_focused()
        sent.append(await (await again.value).header_value("Idempotency-Key"))
    assert sent[0]
    assert sent[0] == sent[1]
    with service.client("admin", mine.id) as client:
        assert [each["name"] for each in client.get(PATH).json()["items"]] == ["Once"]


async def test_what_the_api_refuses_is_told_at_the_field(
    browser: Browser, service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        created(client, key="taken")
    async with at(browser, service.url, "/admin#/new", token("admin", mine)) as page:
        await write_badge(page, "Taken")
        await page.get_by_role("button", name="Save").click()
        summary = page.locator(".summary")
        await expect(summary).to_be_focused()
        await expect(summary).to_contain_text("The key taken is that of the badge definition")
        await summary.get_by_role("link").click()
        await expect(page.get_by_label("Key", exact=True)).to_be_focused()
        await page.get_by_label("Key", exact=True).fill("free")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", name="Taken")).to_be_focused()


async def test_a_badge_is_retired_and_its_history_told(
    browser: Browser, service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id, "somebody") as client:
        made = created(client, name="Old", status="active")
    path = f"/admin#/badge/{made['id']}"
    async with at(browser, service.url, path, token("admin", mine)) as page:
        retire = page.get_by_role("button", name="Retire")
        await retire.click()
        await page.keyboard.press("Escape")
        await expect(retire).to_be_focused()
        await retire.click()
        await page.get_by_role("dialog").get_by_role("button", name="Retire").click()
        await expect(page.get_by_text("Retired, as version 2.", exact=True)).to_be_visible()
        await expect(page.get_by_label("State", exact=True)).to_have_value("retired")
        history = page.get_by_role("region", name="History").get_by_role("row")
        await expect(history).to_have_count(3)
        await expect(history.nth(1)).to_contain_text("the-admin")
        await expect(history.nth(1)).to_contain_text("retired")
        await expect(history.nth(2)).to_contain_text("somebody")
        await page.get_by_role("link", name="Badges", exact=True).click()
        await page.get_by_label("Show", exact=True).select_option("retired")
        await expect(page.locator("#view tbody tr")).to_have_count(1)
        await page.get_by_label("Show", exact=True).select_option("active")
        await expect(page.get_by_text("There is none.")).to_be_visible()


async def test_raw_criteria_warn_and_wait_in_the_list(
    browser: Browser, service: Service, owner: Pool, mine: Organization
) -> None:
    await owner.execute(
        "INSERT INTO badge_definitions (organization_id, key, name, criteria, status) "
        "VALUES ($1, 'broken', 'Broken', $2, 'active')",
        mine.id,
        {"version": 1, "type": "threshold"},
    )
    async with at(browser, service.url, "/admin#/new", token("admin", mine)) as page:
        await page.get_by_label("Name", exact=True).fill("By a jury")
        await page.get_by_label("Type", exact=True).select_option("raw")
        await page.get_by_label("What is asked for").fill(json.dumps(RAW["criteria_raw"]))
        await page.get_by_label("Reason").fill("a jury chooses")
        await expect(page.locator("#sentence")).to_have_text("awarded by hand (a jury chooses)")
        await expect(page.locator(".verdict .notice")).to_have_count(1)
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", name="By a jury")).to_be_focused()
        await page.get_by_role("link", name="Badges", exact=True).click()
        listed = page.locator("#view tbody tr")
        for state, name in (("raw", "By a jury"), ("invalid", "Broken")):
            await page.get_by_label("Show", exact=True).select_option(state)
            await expect(listed).to_have_count(1)
            await expect(listed).to_contain_text(name)


async def test_names_are_text_and_nothing_of_them_runs(
    browser: Browser, service: Service, owner: Pool, mine: Organization
) -> None:
    await owner.execute(
        "UPDATE peer_mentors SET display_name = $2 WHERE id = $1", mine.mentors[0], HOSTILE
    )
    await log(owner, mine.mentors[0], "2026-01-01", activity_type=HOSTILE)
    with service.client("admin", mine.id) as client:
        criteria = {**VISITS, "at_least": 1, "activity_types": [HOSTILE]}
        made = created(
            client, criteria, name=HOSTILE, description=HOSTILE, icon=HOSTILE, status="active"
        )
        body = {"badge_definition_id": made["id"], "reason": HOSTILE}
        assert client.post(f"/v1/peer-mentors/{mine.mentors[0]}/badges", json=body).is_success
    mentor = f"/mentor#/{mine.mentors[0]}"
    for path, places in (("/admin", 1), (f"/admin#/badge/{made['id']}", 3), (mentor, 2)):
        async with at(browser, service.url, path, token("admin", mine)) as page:
            if "badge" in path:
                await page.get_by_role("button", name="Who would hold it?").click()
                await expect(page.locator(".preview tbody tr")).to_have_count(1)
            await expect(page.get_by_text(HOSTILE).nth(places - 1)).to_be_visible()
            await expect(page.locator("main img")).to_have_count(0)
            assert HOSTILE in await page.title() or path == "/admin"


async def test_nothing_that_is_written_is_lost_unasked(
    browser: Browser, service: Service, mine: Organization
) -> None:
    async with at(browser, service.url, "/admin#/new", token("admin", mine)) as page:
        await write_badge(page, "Unsaved")
        await page.get_by_role("link", name="Badges", exact=True).click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("Leave without saving?")
        await dialog.get_by_role("button", name="Stay").click()
        await expect(page.get_by_label("Name", exact=True)).to_have_value("Unsaved")
        await page.get_by_role("link", name="Badges", exact=True).click()
        await dialog.get_by_role("button", name="Leave, and lose the changes").click()
        await expect(page.get_by_role("heading", name="Badges", exact=True)).to_be_focused()
