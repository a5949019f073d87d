"""axe-core, which finds what of WCAG 2.2 AA a machine can find."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

SOURCE = Path(__file__).parents[2] / ".venv/node/node_modules/axe-core/axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@cache
def _source() -> str:
    if not SOURCE.exists():
        pytest.skip("axe-core is not installed")
    return SOURCE.read_text("utf-8")


async def axe(page: Page) -> list[str]:
    """What axe finds wrong with the page as it is now: the rule, the element and why."""
    await page.evaluate(_source())
    found: dict[str, Any] = await page.evaluate(
        "rules => axe.run({runOnly: {type: 'tag', values: rules}})", list(RULES)
    )
    assert found["passes"], "axe looked at nothing"
    return [
        f"{violation['id']}: {node['html']}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
