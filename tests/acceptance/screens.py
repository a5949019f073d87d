"""Pictures of the pages, of a real stack with rows of invented people."""

import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, Route, ViewportSize

from tests.acceptance.faults import Machine
from tests.acceptance.looking import opened
from tests.acceptance.people import HERE
from tests.stack import LIMIT_S, ROOT

SHOWN = ROOT / "docs" / "screens"
"""Those in the README; WRITE_SCREENS=1 writes them."""
DRAWN = ROOT / "build" / "screens"
SIZE: ViewportSize = {"width": 1200, "height": 800}
TALL: ViewportSize = {"width": 1200, "height": 1240}

Theme = Literal["light", "dark"]

_NAMES = (
    "Aslak Bakke", "Dina Eide", "Embla Foss", "Gaute Haug", "Ingvild Jordal", "Kasper Lie",
    "Maren Nes", "Odin Pedersen", "Ragna Sande", "Tiril Ulven", "Vetle Wold", "Ylva Aasen",
)  # fmt: skip
"""People whom nobody knows, each with one walk more than the one before."""

WALKERS = _NAMES[7:]
"""Those who have walked often enough."""

_NEWCOMER = """
WITH newcomer AS (
    INSERT INTO peer_mentors (id, organization_id, display_name)
    SELECT gen_random_uuid(), id, '{name}' FROM organizations WHERE slug = '{slug}'
    RETURNING id
)
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
SELECT gen_random_uuid(), id, 'walk', current_date - n, 60
FROM newcomer, generate_series(1, {walks}) AS n
"""


def live(machine: Machine) -> None:
    """Have people who, one after another, earn badges by what they do now."""
    for walks, name in enumerate(_NAMES, start=1):
        machine.execute(_NEWCOMER.format(name=name, slug=HERE.slug, walks=walks))


def admin_token(machine: Machine) -> str:
    """What an admin of theirs pastes into the admin's page."""
    return machine.stack.badges("token", "--role", "admin", "--organization", HERE.slug).strip()


def write_badge(page: Page) -> None:
    """Write a badge into the form, and ask who would hold it."""
    page.route("**/v1/criteria/*", patiently)
    page.get_by_label("Name", exact=True).fill("Eight walks")
    page.get_by_label("Type", exact=True).select_option("threshold")
    page.get_by_label("What is counted", exact=True).select_option("count")
    page.get_by_label("At least", exact=True).fill("8")
    page.get_by_role("button", name="Add: Type of activity").click()
    page.get_by_label("Type of activity 1", exact=True).fill("walk")
    page.get_by_text("8 activities of type walk").wait_for()
    page.locator("button[value=preview]").click()
    for name in WALKERS:
        page.locator(".preview").get_by_text(name).wait_for()
    page.evaluate("scrollTo(0, document.querySelector('#view form > fieldset').offsetTop - 12)")


TRIES = 10


def patiently(route: Route) -> None:
    """Ask the API again while it has no time, some times: a page says that, and does not."""
    answer = route.fetch(timeout=1000 * LIMIT_S)
    for _ in range(TRIES):
        if answer.status != 503:
            break
        time.sleep(1)
        answer = route.fetch(timeout=1000 * LIMIT_S)
    route.fulfill(response=answer)


def page_of(
    machine: Machine,
    browser: Browser,
    path: str,
    theme: Theme,
    token: str = "",
    size: ViewportSize = SIZE,
) -> Page:
    """A page in English, with a token in its tab."""
    return opened(
        browser,
        machine.settings["BADGES_API_URL"] + path,
        token,
        viewport=size,
        color_scheme=theme,
        reduced_motion="reduce",
        locale="en-GB",
    )


def in_sight(page: Page, regions: Sequence[str]) -> None:
    """Fail unless each of the regions is on the screen, and has some size."""
    for region in regions:
        page.locator(region).first.wait_for(timeout=1000 * LIMIT_S)
        box = page.locator(region).first.bounding_box()
        assert box is not None, region
        assert min(box["width"], box["height"]) > 10, (region, box)
        assert page.viewport_size is not None
        assert 0 <= box["y"] < page.viewport_size["height"], (region, box)


def brightness(page: Page) -> float:
    """How light the page's background is, 0 to 255."""
    rgb = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    return float(sum(rgb[:3]) / 3)


def draw(page: Page, name: str, theme: Theme) -> Path:
    """Write the picture of what is on the screen; the one of that name in the README."""
    assert (brightness(page) > 128) is (theme == "light")
    picture = page.screenshot()
    for folder in (DRAWN, SHOWN) if os.environ.get("WRITE_SCREENS") else (DRAWN,):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}-{theme}.png").write_bytes(picture)
    drawn, shown = (folder / f"{name}-{theme}.png" for folder in (DRAWN, SHOWN))
    assert page.viewport_size is not None
    assert size_of(drawn) == tuple(page.viewport_size.values())
    assert size_of(shown) == size_of(drawn)
    return shown


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height
