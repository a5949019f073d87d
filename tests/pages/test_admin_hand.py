"""What admins do by hand, and the unlocks that they see as they happen."""

import httpx
import pytest
from playwright.async_api import Browser, Route, expect

from tests.api.conftest import Organization
from tests.api.definitions import created
from tests.api.service import Service
from tests.pages.people import at, token

pytestmark = pytest.mark.anyio


async def test_a_badge_is_given_and_taken_with_a_reason(
    browser: Browser, service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        made = created(client, name="Thanks", status="active")
        path = f"/admin#/badge/{made['id']}"
        async with at(browser, service.url, path, token("admin", mine)) as page:
            await expect(page.locator("#unlocks")).to_contain_text("None since")
            await page.get_by_label("Name, or a part of it").fill("kari")
            await page.get_by_role("button", name="Search").click()
            await expect(page.get_by_text("1 mentor found")).to_be_visible()
            give = page.get_by_role("button", name="Give it to Kari Nordmann")
            await give.click()
            dialog = page.get_by_role("dialog")
            await expect(dialog.get_by_label("Reason")).to_be_focused()
            await dialog.get_by_label("Reason").fill("For the summer")
            await dialog.get_by_role("button", name="Give it").click()
            await expect(page.get_by_text("Kari Nordmann holds Thanks.")).to_be_visible()
            await expect(give).to_be_focused()
            holders = page.get_by_role("region", name="Who holds it").locator("tbody tr")
            await expect(holders).to_have_count(1)
            await expect(holders).to_contain_text("by hand, the-admin")

            await page.get_by_role("button", name="Take it from Kari Nordmann").click()
            await dialog.get_by_label("Reason").fill("A mistake")
            await dialog.get_by_role("button", name="Take it away").click()
            await expect(holders).to_have_count(0)
            await expect(page.get_by_role("heading", name="Who holds it")).to_be_focused()
        [mentor] = client.get("/v1/peer-mentors", params={"search": "kari"}).json()["items"]
        path = f"/v1/peer-mentors/{mentor['peer_mentor_id']}/badges"
        [held] = client.get(path, params={"include": "revoked"}).json()["items"]
        assert held["revoked_by"] == "the-admin"


async def test_unlocks_arrive_newest_first_and_stand_still_when_asked_to(
    browser: Browser, service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        made = created(client, name="Thanks", status="active")
        # Without a token first: an answer to the page before the reload would be taken for it.
        async with at(browser, service.url, "/admin", None) as page:
            await page.evaluate(f"sessionStorage.setItem('token', {token('coordinator', mine)!r})")
            async with page.expect_response(
                lambda answer: answer.url.endswith("/v1/unlocks") and answer.ok
            ):
                await page.reload()
            listed = page.locator("#unlocks li")
            paths = [f"/v1/peer-mentors/{each}/badges" for each in mine.mentors]
            body = {"badge_definition_id": made["id"]}
            assert client.post(paths[0], json=body).is_success
            await expect(listed).to_have_count(1)
            await expect(listed).to_contain_text("has earned Thanks.")
            await expect(page.locator("#announcements")).to_contain_text("has earned Thanks.")

            pause = page.get_by_role("button", name="Pause")
            await pause.click()
            await expect(pause).to_have_attribute("aria-pressed", "true")
            assert client.post(paths[1], json=body).is_success
            await expect(page.get_by_text("Paused: 1 waits.")).to_be_visible()
            await expect(listed).to_have_count(1)
            await pause.click()
            await expect(listed).to_have_count(2)
            assert client.delete(f"{paths[0]}/{made['id']}").is_success
            await expect(listed.first).to_contain_text("no longer has Thanks.")


async def test_a_feed_that_ends_is_read_again_from_where_it_ended(
    browser: Browser, service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        made = created(client, name="Thanks", status="active")
        cursor = place_in_the_feed(client)
        body = {"badge_definition_id": made["id"]}
        assert client.post(f"/v1/peer-mentors/{mine.mentors[0]}/badges", json=body).is_success

        async def end(route: Route) -> None:
            await route.fulfill(content_type="text/event-stream", body=f"id: {cursor}\n\n")

        async with at(browser, service.url, "/admin", None) as page:
            await page.evaluate(f"sessionStorage.setItem('token', {token('admin', mine)!r})")
            await page.route("**/v1/unlocks", end, times=1)
            await page.reload()
            await expect(page.locator("#unlocks li")).to_have_count(1)
            await expect(page.locator("#unlocks li")).to_contain_text("has earned Thanks.")


def place_in_the_feed(client: httpx.Client) -> str:
    """Where a reader of the feed is that begins now."""
    with client.stream("GET", "/v1/unlocks") as answer:
        return next(line[4:] for line in answer.iter_lines() if line.startswith("id: "))
