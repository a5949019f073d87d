"""The admin's page before the whole path: from a token to a badge that a mentor then earns."""

from pathlib import Path

from playwright.async_api import expect

from tests.api.service import serving_api, signed
from tests.integration.pipeline import Pipeline, Rig
from tests.pages.browser import launched
from tests.pages.people import at


def test_from_a_token_to_a_badge_that_a_mentor_then_earns(
    working: Rig, chromium: Path, tmp_path: Path
) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        await p.settle()
        settings = {"BADGES_PREFIX": p.site.prefix}
        with serving_api(p.stack, p.owner_url, tmp_path / "log", **settings) as service:
            async with (
                launched(chromium) as browser,
                at(browser, service.url, "/admin", None) as page,
            ):
                token = page.get_by_label("Token", exact=True)
                await token.fill(signed("admin", organization, "the-admin"))
                await token.press("Enter")
                await page.get_by_role("link", name="New badge").first.click()
                await page.get_by_label("Name", exact=True).fill("Two visits")
                await page.get_by_label("State", exact=True).select_option("active")
                await page.get_by_label("Type", exact=True).select_option("threshold")
                await page.get_by_label("What is counted").select_option("count")
                await page.get_by_label("At least").fill("2")
                await page.get_by_role("button", name="Who would hold it?").click()
                none = page.get_by_role("heading", name="0 mentors would hold it")
                await expect(none).to_be_visible()
                await page.get_by_role("button", name="Save").click()
                await expect(page.get_by_role("heading", name="Two visits")).to_be_focused()

                await p.activity(mentor, "2026-01-05")
                await p.activity(mentor, "2026-01-12")
                unlocked = page.locator("#unlocks li")
                await expect(unlocked).to_have_count(1)
                await expect(unlocked).to_contain_text("Nobody has earned Two visits.")
                await expect(unlocked).to_contain_text("12 January 2026")
                said = page.locator("#announcements")
                await expect(said).to_have_text("Nobody has earned Two visits.")
                await unlocked.get_by_role("link").click()
                await expect(page.get_by_role("heading", name="Nobody")).to_be_focused()
                badge = page.locator(".card")
                await expect(badge).to_contain_text("Two visits")
                await expect(badge).to_contain_text("reached on 12 January 2026")

    working.run(test)


def test_everything_of_this_file_agrees_with_the_reference(working: Rig) -> None:
    working.run(Pipeline.verify)
