"""Pictures of the pages, of a real stack with rows of invented people."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize

from tests.acceptance.faults import Machine
from tests.acceptance.looking import opened
from tests.acceptance.people import HERE
from tests.stack import LIMIT_S, ROOT

SHOWN = ROOT / "docs" / "screens"
"""Those in the README; WRITE_SCREENS=1 writes them."""
DRAWN = ROOT / "build" / "screens"
SIZE: ViewportSize = {"width": 1200, "height": 800}

Theme = Literal["light", "dark"]

_NEWCOMERS = f"""
WITH newcomer AS (
    INSERT INTO peer_mentors (id, organization_id, display_name)
    SELECT gen_random_uuid(), id, 'Newcomer ' || n
    FROM organizations, generate_series(1, 12) AS n WHERE slug = '{HERE.slug}'
    RETURNING id
)
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
SELECT gen_random_uuid(), id, 'visit', current_date - n, 60
FROM newcomer, generate_series(0, 11) AS n
"""


def live(machine: Machine) -> None:
    """Have badges, and mentors who earn them by what they do now."""
    machine.badges("catalogue", "apply", HERE.slug, "--activate", "--lang", "en")
    machine.execute(_NEWCOMERS)


def page_of(machine: Machine, browser: Browser, path: str, theme: Theme) -> Page:
    """A page in English."""
    return opened(
        browser,
        machine.settings["BADGES_API_URL"] + path,
        viewport=SIZE,
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
        assert box["y"] < SIZE["height"], (region, box)


def brightness(page: Page) -> float:
    """How light the page's background is, 0 to 255."""
    rgb = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    return float(sum(rgb[:3]) / 3)


def draw(page: Page, name: str) -> Path:
    """Write the picture of what is on the screen; the one of that name in the README."""
    picture = page.screenshot()
    for folder in (DRAWN, SHOWN) if os.environ.get("WRITE_SCREENS") else (DRAWN,):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(picture)
    assert size_of(DRAWN / f"{name}.png") == (SIZE["width"], SIZE["height"])
    return SHOWN / f"{name}.png"


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height
