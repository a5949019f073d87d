"""The dashboard in each of its states, looks and languages: readable for everybody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Page, Route, expect

from streams.lag.stages import Lag
from tables.languages import Language
from tests.api.service import Service
from tests.pages import answers
from tests.pages.axe import axe
from tests.pages.browser import LIMIT_MS

pytestmark = pytest.mark.anyio

_State = Literal["good", "late", "kafka away", "postgres away", "unmeasured", "silent", "refused"]
HEADLINES: dict[tuple[_State, Language], str] = {
    ("good", "en"): "Badges are on time.",
    ("good", "nb"): "Merkene er i rute.",
    ("late", "en"): "Badges are late.",
    ("late", "nb"): "Merkene er forsinket.",
    ("kafka away", "en"): "Badges are late.",
    ("postgres away", "en"): "Badges are late.",
    ("unmeasured", "en"): "Asking how it goes.",
    ("silent", "en"): "No answer from the API since",
    ("silent", "nb"): "Ikke svar fra API-et siden",
    ("refused", "en"): "The API answers with an error.",
    ("refused", "nb"): "API-et svarer med en feil.",
}
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 320, "height": 640}
"""The second is also what 400 % zoom leaves of 1280 pixels."""
LOOKS: dict[str, tuple[Language, dict[str, Any]]] = {
    "light": ("en", {"color_scheme": "light"}),
    "dark": ("nb", {"color_scheme": "dark", "viewport": NARROW}),
    "forced colours": ("en", {"forced_colors": "active"}),
}


LAGS: dict[_State, Lag | None] = {
    "good": answers.GOOD,
    "late": answers.LATE,
    "kafka away": answers.KAFKA_AWAY,
    "postgres away": answers.POSTGRES_AWAY,
    "unmeasured": None,
}
"""What was measured where the API answers."""


async def answer(route: Route, state: _State, language: Language) -> None:
    """Answer as the API would in this state."""
    if state == "silent":
        await route.abort()
    elif state == "refused":
        problem = '{"status": 503, "detail": "The database does not answer now: try again soon"}'
        await route.fulfill(status=503, body=problem, content_type="application/problem+json")
    else:
        lag = LAGS[state]
        body = answers.as_json(answers.status(lag, language))
        await route.fulfill(body=body, content_type="application/json")


@asynccontextmanager
async def viewing(
    browser: Browser, service: Service, state: _State, language: Language = "en", **look: Any
) -> AsyncIterator[Page]:
    """The page once it says what it has to in a state."""
    options = {"locale": "en-GB", "viewport": WIDE, "reduced_motion": "reduce", **look}
    context = await browser.new_context(**options)
    context.set_default_timeout(LIMIT_MS)
    page = await context.new_page()
    await page.route("**/v1/status*", lambda route: answer(route, state, language))
    await page.goto(f"{service.url}/?lang={language}")
    await expect(page.locator("h1")).to_contain_text(HEADLINES[state, language])
    try:
        yield page
    finally:
        await context.close()


@pytest.mark.parametrize("state", ["good", "late", "silent", "refused"])
@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_and_nothing_is_cut_off(
    browser: Browser, service: Service, look: str, state: _State
) -> None:
    language, more = LOOKS[look]
    async with viewing(browser, service, state, language, **more) as page:
        await page.locator("summary").click()
        if state in {"good", "late"}:
            await expect(page.locator("#stage-rows tr").first).to_be_visible(timeout=LIMIT_MS)
        assert await axe(page) == []
        await page.set_viewport_size({"width": 320, "height": 640})
        assert await page.evaluate("document.documentElement.scrollWidth") == 320


async def test_what_matters_comes_first_and_in_words(browser: Browser, service: Service) -> None:
    async with viewing(browser, service, "late") as page:
        await expect(page.locator("#state")).to_have_text("Late")
        await expect(page.locator("#why")).to_have_text("Held up at: Worker, stopped.")
        await expect(page.locator("#behind")).to_have_text("17 s")
        await expect(page.locator("#behind-stage")).to_have_text("Worker")
        await expect(page.locator("#p50")).to_have_text("48 ms")
        await expect(page.locator("#p95")).to_contain_text("132 ms")
        await expect(page.locator("#unlocks")).to_have_text("37")
        alerts = page.locator("#alerts li")
        await expect(alerts).to_have_count(len(answers.KINDS))
        await expect(alerts.first).to_contain_text("badges worker")
        tops = [
            await page.locator(place).evaluate("place => place.getBoundingClientRect().top")
            for place in ("#verdict", "#behind", "#p50", "#unlocks", "#alerts-title")
        ]
        assert tops[:2] + tops[4:] == sorted(tops[:2] + tops[4:])
        assert all(each < WIDE["height"] for each in tops), "above the fold"
        await expect(page).to_have_title("Badges are late. · Badge streams")


NOT_KNOWN: dict[_State, set[str]] = {
    "good": set(),
    "kafka away": {"workers", "catch-up", "events"},
    "postgres away": {"catch-up", "backfill", "events", "definitions", "audit", "no-alerts"},
    "unmeasured": {
        *("behind-stage", "workers", "catch-up", "backfill"),
        *("events", "definitions", "audit", "no-alerts"),
    },
}


@pytest.mark.parametrize("state", NOT_KNOWN)
async def test_what_nobody_can_tell_is_not_known_and_not_none(
    browser: Browser, service: Service, state: _State
) -> None:
    places = set().union(*NOT_KNOWN.values())
    async with viewing(browser, service, state) as page:
        await expect(page.locator("#measured")).not_to_be_empty()
        said = {each: await page.locator(f"#{each}").text_content() for each in places}
    unknown = {each for each, text in said.items() if text == "not known"}
    assert unknown == NOT_KNOWN[state]
    if state == "good":
        assert said["backfill"] == "nothing to take up"
        assert said["catch-up"] == "nothing to catch up with"
    if state == "postgres away":
        assert said["workers"] == "1", "Kafka tells of those"


async def test_the_tables_say_what_the_plots_show(browser: Browser, service: Service) -> None:
    async with viewing(browser, service, "late") as page:
        lines = page.locator("#stage-plot path.line")
        await expect(lines).to_have_count(4)
        # What is not known is a gap.
        drawn = await lines.last.get_attribute("d")
        assert drawn is not None
        assert drawn.count("M") == 2
        await page.locator("summary").click()
        await expect(page.locator("#stage-heads th")).to_have_count(5)
        assert await page.locator("#stage-rows tr").count() in {15, 16}
        rows = page.locator("#partition-rows tr")
        await expect(rows).to_have_count(answers.PARTITIONS)
        await expect(rows.last.locator("td")).to_have_text(["11", "15.4 s", "7.3 s"])


async def test_while_it_is_paused_nothing_changes_and_nothing_is_announced(
    browser: Browser, service: Service
) -> None:
    async with viewing(browser, service, "good") as page:
        announced = page.locator("#announcements")
        await expect(announced).to_have_text("Badges are on time.")
        assert await announced.get_attribute("aria-live") == "polite"
        await page.get_by_role("button", name="Pause updates").click()
        # A page that had no time by then says so.
        shown = await page.locator("h1").inner_text()
        await page.unroute_all()
        await page.route("**/v1/status*", lambda route: answer(route, "late", "en"))
        for _ in range(2):  # the first may be the answer to what was asked before
            async with page.expect_response("**/v1/status*"):
                pass
        await expect(page.locator("h1")).to_have_text(shown)
        await expect(page.locator("#measured")).to_contain_text("Paused at")
        await page.get_by_role("button", name="Go on").click()
        await expect(page.locator("h1")).to_have_text("Badges are late.")
        await expect(announced).to_contain_text("Badges are late.")


async def test_announcements_are_the_newest_alone_and_no_more_often_than_allowed(
    browser: Browser, service: Service
) -> None:
    async with viewing(browser, service, "good") as page:
        said = await page.evaluate(
            """async () => {
                const { Announcer } = await import("/assets/page.js");
                const region = document.querySelector("#announcements");
                const said = [];
                const done = new Promise((resolve) => new MutationObserver(() => {
                    said.push([region.textContent, performance.now()]);
                    if (region.textContent === "three") resolve();
                }).observe(region, { childList: true }));
                const announcer = new Announcer(3000);
                announcer.say("one");
                await new Promise((resolve) => setTimeout(resolve, 50));
                for (const text of ["two", "one", "three", "three"]) announcer.say(text);
                await done;
                return said;
            }"""
        )
        of_it = [(text, at) for text, at in said if text in {"one", "two", "three"}]
        assert [text for text, _ in of_it] == ["one", "three"]
        assert of_it[1][1] - of_it[0][1] >= 2500


async def test_keys_alone_reach_everything_and_focus_is_seen(
    browser: Browser, service: Service
) -> None:
    async with viewing(browser, service, "good") as page:
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()
        await page.keyboard.press("Tab")
        pause = page.locator("#pause")
        await expect(pause).to_be_focused()
        assert await pause.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
        await page.keyboard.press("Enter")
        await expect(pause).to_have_text("Go on")


async def test_the_look_is_the_systems_until_somebody_chooses_one(
    browser: Browser, service: Service
) -> None:
    async def paper(page: Page) -> str:
        found: str = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        return found

    async with viewing(browser, service, "good", color_scheme="light") as page:
        light = await paper(page)
        await page.emulate_media(color_scheme="dark")
        dark = await paper(page)
        assert light != dark
        await page.get_by_label("Appearance").select_option("light")
        assert await paper(page) == light
        await page.reload()
        assert await paper(page) == light
        await page.get_by_label("Appearance").select_option("")
        assert await paper(page) == dark
        await page.get_by_role("link", name="Norsk").click()
        await expect(page.locator("html")).to_have_attribute("lang", "nb")
        await expect(page.locator("h1")).to_have_text("Merkene er i rute.")
