"""The form of criteria: a control for all that the schema has, and errors at their fields."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from sinks.pool import Pool
from tables.criteria.schema import json_schema
from tests.api.conftest import Organization
from tests.api.definitions import created
from tests.api.mentors import log
from tests.api.service import Service
from tests.pages.people import at, token

pytestmark = pytest.mark.anyio

SCHEMA = json_schema()
PART = {"type": "threshold", "metric": "minutes", "at_least": 60}
WHOLE: list[dict[str, Any]] = [
    {**PART, "activity_types": ["visit", "phone"], "window": {"rolling_days": 14}},
    {**PART, "metric": "active_days", "at_least": 2, "window": {"calendar": "quarter"}},
    {**PART, "window": {"from": "2026-01-31", "to": "2026-12-31"}},
    {
        "type": "streak", "period": "week", "length": 3, "metric": "minutes", "per_period": 20,
        "activity_types": ["visit"], "grace": 1,
    },
    {"type": "training", "courses": ["basic", "ethics", "safety"], "at_least": 2},
    {"type": "badges", "badges": ["first", "second"], "at_least": 1},
    {"type": "all", "of": [PART, {"type": "training", "courses": ["basic"]}]},
    {
        "type": "any", "at_least": 2,
        "of": [PART, {"type": "all", "of": [{"type": "any", "of": [PART]}]}],
    },
    {
        "type": "tier", "metric": "count", "activity_types": ["visit"],
        "window": {"calendar": "year"},
        "tiers": [{"name": "bronze", "at_least": 2}, {"name": "silver", "at_least": 5}],
    },
    {"type": "raw", "criteria_raw": {"by": ["jury", 1.5, None]}, "reason": "a jury chooses"},
]  # fmt: skip
"""Criteria with all that criteria may have."""


def keys(node: object) -> Iterator[str]:
    """Every key of an object, at any depth; what stands in raw criteria is no key of theirs."""
    if isinstance(node, list):
        for each in node:
            yield from keys(each)
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            if key != "criteria_raw":
                yield from keys(value)


def owners(node: object) -> Iterator[tuple[str, str]]:
    """Every type with each of its keys."""
    if isinstance(node, list):
        for each in node:
            yield from owners(each)
    if isinstance(node, dict):
        if "type" in node:
            yield from ((node["type"], key) for key in node)
        for key, value in node.items():
            if key != "criteria_raw":
                yield from owners(value)


def test_the_criteria_below_have_all_that_the_schema_has() -> None:
    described = {
        (each["properties"]["type"]["const"], key)
        for each in SCHEMA["$defs"].values()
        if "type" in each.get("properties", {})
        for key in each["properties"]
        if key != "version"
    }
    assert {*owners(WHOLE)} == described
    named = {key for each in SCHEMA["$defs"].values() for key in each.get("properties", {})}
    assert {*keys(WHOLE)} | {"version"} == named


async def test_what_is_saved_is_what_was_there_with_every_key(
    browser: Browser, service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        for key in ("first", "second"):
            created(client, key=key)
        made = [created(client, {"version": 1, **criteria}) for criteria in WHOLE]
    async with at(browser, service.url, "/admin", token("admin", mine)) as page:
        for each in made:
            await page.goto(f"{service.url}/admin#/badge/{each['id']}")
            await expect(page.locator("#sentence")).to_have_text(each["summary"])
            async with page.expect_request(lambda request: request.method == "PUT") as sent:
                await page.get_by_role("button", name="Save").click()
            body = json.loads((await sent.value).post_data or "")
            assert body["criteria"] == each["criteria"]
            await expect(page.get_by_text("Saved as version 1.")).to_be_visible()


async def test_every_word_of_the_schema_can_be_chosen(
    browser: Browser, service: Service, mine: Organization
) -> None:
    async with at(browser, service.url, "/admin#/new", token("admin", mine)) as page:
        kind = page.get_by_label("Type", exact=True).first
        for name, reference in SCHEMA["discriminator"]["mapping"].items():
            await kind.select_option(name)
            described = SCHEMA["$defs"][reference.rpartition("/")[2]]["properties"]
            offered = await texts_of_options(page)
            for field in described.values():
                if "enum" in field:
                    assert set(field["enum"]) in offered


async def texts_of_options(page: Page) -> list[set[str]]:
    """The values of each select of the criteria."""
    found: list[list[str]] = await page.locator("fieldset select").evaluate_all(
        "all => all.map(each => [...each.options].map(option => option.value).filter(Boolean))"
    )
    return [set(each) for each in found]


async def test_a_type_that_is_added_to_the_schema_has_its_form(
    browser: Browser, service: Service, mine: Organization
) -> None:
    novel = {
        "title": "Novel",
        "description": "Something new.",
        "type": "object",
        "required": ["type", "colour", "shades"],
        "properties": {
            "type": {"const": "novel", "type": "string", "title": "Type"},
            "colour": {"enum": ["red", "green"], "type": "string", "title": "Colour"},
            "shades": {"type": "integer", "minimum": 2, "maximum": 9, "title": "Shades"},
            "bright": {"type": "boolean", "default": False, "title": "Bright"},
            "on": {"type": "string", "format": "date", "title": "On"},
            "names": {
                "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
                "default": None,
                "title": "Names",
            },
        },
    }

    async def add(route: Route) -> None:
        response = await route.fetch()
        document = await response.json()
        schemas = document["components"]["schemas"]
        schemas["CriteriaNovel"] = novel
        for union in (schemas["Criteria"], schemas["CriteriaPart"]):
            union["oneOf"].append({"$ref": "#/components/schemas/CriteriaNovel"})
        await route.fulfill(response=response, json=document)

    async with at(browser, service.url, "/admin", token("admin", mine)) as page:
        await page.route("**/openapi.json", add)
        await page.get_by_role("link", name="New badge").first.click()
        await page.get_by_label("Type", exact=True).select_option("Novel")
        await page.get_by_label("Colour").select_option("green")
        await page.get_by_label("Shades").fill("3")
        await expect(page.get_by_text("From 2 to 9")).to_be_visible()
        await page.get_by_label("Bright").check()
        await page.get_by_label("On", exact=False).last.fill("2026-01-31")
        await page.get_by_role("button", name="Add: Names").click()
        async with page.expect_request(
            lambda request: "novel" in (request.post_data or "")
        ) as sent:
            await page.get_by_label("Names 1").fill("one")
        async with page.expect_request(lambda request: "two" in (request.post_data or "")) as sent:
            await page.get_by_label("Names 1").fill("two")
        assert json.loads((await sent.value).post_data or "") == {
            "type": "novel",
            "colour": "green",
            "shades": 3,
            "bright": True,
            "on": "2026-01-31",
            "names": ["two"],
        }


async def test_the_sentence_is_said_while_somebody_types(
    browser: Browser, service: Service, mine: Organization
) -> None:
    for language, said in (("en", "3 activities"), ("nb", "3 aktiviteter")):
        address = f"/admin?lang={language}#/new"
        async with at(browser, service.url, address, token("admin", mine)) as page:
            await page.locator("fieldset select").first.select_option("threshold")
            await page.locator("fieldset select").nth(1).select_option("count")
            await page.locator("fieldset input").first.fill("3")
            sentence = page.locator("#sentence")
            await expect(sentence).to_have_text(said)
            assert await sentence.get_attribute("role") == "status"


async def test_errors_are_tied_to_their_fields_at_any_depth(
    browser: Browser, service: Service, mine: Organization
) -> None:
    async with at(browser, service.url, "/admin#/new", token("admin", mine)) as page:
        await page.get_by_label("Name", exact=True).fill("Deep")
        inside: Locator = page.get_by_role("group", name="Criteria", exact=True)
        for _ in range(3):
            await inside.get_by_label("Type", exact=True).first.select_option("all")
            inside = inside.get_by_role("group", name="Part 1", exact=True).first
        await inside.get_by_label("Type", exact=True).select_option("training")
        await inside.get_by_role("button", name="Add: Course").click()
        await expect(inside.get_by_label("Course 2")).to_be_focused()
        await inside.get_by_label("Course 1").fill("basic")
        await page.get_by_role("button", name="Save").click()

        summary = page.locator(".summary")
        await expect(summary).to_be_focused()
        await expect(summary).to_contain_text("1 thing is to be mended")
        wrong = inside.get_by_label("Course 2")
        await expect(wrong).to_have_attribute("aria-invalid", "true")
        described = str(await wrong.get_attribute("aria-describedby")).split()
        said = await page.locator(f"#{described[-1]}").text_content()
        assert "expected a text that is not empty" in str(said)
        await summary.get_by_role("link").press("Enter")
        await expect(wrong).to_be_focused()
        await expect(inside.get_by_label("Course 1")).not_to_have_attribute("aria-invalid", "true")

        await wrong.fill("ethics")
        await expect(wrong).not_to_have_attribute("aria-invalid", "true")
        await expect(page.locator("#sentence")).to_contain_text("basic and ethics completed")
        await inside.get_by_role("button", name="Remove: Course 1").click()
        await expect(inside.get_by_label("Course 1")).to_have_value("ethics")
        await expect(inside.get_by_label("Course 1")).to_be_focused()


async def test_nothing_is_called_wrong_before_somebody_was_there(
    browser: Browser, service: Service, mine: Organization
) -> None:
    async with at(browser, service.url, "/admin#/new", token("admin", mine)) as page:
        await page.get_by_label("Type", exact=True).select_option("threshold")
        await expect(page.locator("#sentence")).to_contain_text("2 things are missing or wrong")
        await page.get_by_label("What is counted").focus()
        await expect(page.locator("[aria-invalid=true]")).to_have_count(0)
        await page.keyboard.press("Tab")
        await expect(page.locator("[aria-invalid=true]")).to_have_count(1)
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".summary li")).to_have_count(4)


async def test_names_that_the_organization_has_seen_are_suggested(
    browser: Browser, service: Service, owner: Pool, mine: Organization
) -> None:
    await log(owner, mine.mentors[0], "2026-01-01", activity_type="home visit")
    with service.client("admin", mine.id) as client:
        created(client, key="the-first")
    async with at(browser, service.url, "/admin#/new", token("admin", mine)) as page:
        for kind, add, label, suggested in (
            ("threshold", "Add: Type of activity", "Type of activity 1", "home visit"),
            ("badges", None, "Key of a badge 1", "the-first"),
        ):
            await page.get_by_label("Type", exact=True).select_option(kind)
            if add:
                await page.get_by_role("button", name=add).click()
            field = page.get_by_label(label)
            listed = await field.evaluate("it => [...it.list.options].map(each => each.value)")
            assert suggested in listed
