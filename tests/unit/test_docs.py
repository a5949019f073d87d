"""The documentation keeps up with the code: links, settings and alerts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from badges.settings import Settings
from badges.stack.layout import LayoutSettings
from schema.wanted import TABLES
from sinks.alerts import ALERTS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPERATING = ROOT / "docs" / "operating"
LINK = re.compile(r"""\]\(([^)\s]+)\)|\b(?:src|srcset|href)="([^"\s]+)\"""")
"""Where a page leads and what it shows: Markdown's links and images, and those in HTML."""
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
ROOMS = "tables|sinks|streams|schema|reference|badges|tests|bench|docs|deploy"
FILE = re.compile(rf"`((?:{ROOMS})/[\w./-]*|[\w-]+\.(?:py|md|toml|yml|lock))`")
"""What is named in backticks and can only be a file or a folder of the repository."""
NAMES = {path.name for room in ROOMS.split("|") for path in (ROOT / room).rglob("*.*")}


def anchors(page: Path) -> set[str]:
    """The names by which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """What a page links to within the repository: the file, and the anchor in it or nothing."""
    for markdown, html in LINK.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = (markdown or html).partition("#")
        if "://" not in path:
            yield (page.parent / path).resolve() if path else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {target}#{anchor}"


def test_links_and_images_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        'See [it](a.md#one), ![shown](b.png) and <img alt="x" src="c.png">, and\n'
        '<source media="(prefers-color-scheme: dark)" srcset="d.png">.\n```\n[no](e.md)\n```\n'
        "[Elsewhere](https://example.org/f.md), [here](#two)\n"
    )

    found = [(target.name, anchor) for target, anchor in links(page)]

    named = [("a.md", "one"), ("b.png", ""), ("c.png", ""), ("d.png", ""), ("page.md", "two")]
    assert found == named


def test_every_page_is_reached_from_the_first() -> None:
    reached, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        leads_to = {target for target, _ in links(page)} - reached
        ahead += [target for target in leads_to if target.suffix == ".md" and target not in ahead]

    assert set(PAGES) <= reached


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_page_begins_with_a_sentence(page: Path) -> None:
    title, _, rest = page.read_text(encoding="utf-8").partition("\n")

    assert title.startswith("# ")
    first = re.sub(r"<!--.*?-->", "", rest, flags=re.DOTALL).strip().partition("\n\n")[0]
    assert re.match(r"[A-Z`*\[]", first), f"{page.name} begins with what it answers"
    assert not first.startswith("```")
    assert first.rstrip("*").endswith((".", ":"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page: Path) -> None:
    """From the root of the repository or from beside the page; a name alone, anywhere."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for path in FILE.findall(text):
        there = (ROOT / path).exists() or (page.parent / path).exists() or path in NAMES
        assert there, f"{page.name}: {path}"


def test_every_page_is_in_the_index() -> None:
    for folder in (ROOT / "docs", OPERATING, ROOT / "docs" / "decisions"):
        index = (folder / "README.md").read_text(encoding="utf-8")
        pages = {page.name for page in folder.glob("*.md")} - {"README.md"}
        missing = {page for page in pages if f"({page})" not in index}
        assert missing == set(), f"{folder.name}/README.md lists every page"


def test_every_setting_is_in_the_table_once() -> None:
    page = (OPERATING / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`BADGES_.+?) \|", page, re.MULTILINE)

    names = {*Settings.model_fields, *LayoutSettings.model_fields}
    told = [name for row in rows for name in row.split(", ")]
    assert sorted(told) == sorted(f"`BADGES_{name.upper()}`" for name in names)


def test_every_alert_is_in_the_table_of_kinds_once() -> None:
    table = (OPERATING / "alerts.md").read_text(encoding="utf-8").partition("\n## ")[0]
    rows = re.findall(r"^\| \[.+?\| (.+?) \|$", table, re.MULTILINE)
    told = [kind for row in rows for kind in row.split(", ")]

    assert sorted(told) == sorted(f"[`{kind}`](#{kind})" for kind in ALERTS)


def test_what_each_table_of_ours_grows_with_is_said() -> None:
    section = (OPERATING / "growth.md").read_text(encoding="utf-8").partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+(?:\.\w+)?)`", row)}

    applications = {"organizations", "peer_mentors", "activities"}
    applications |= {"training_completions", "mentor_pauses"}
    ours = {name for name in TABLES if name not in applications}
    assert ours <= told, "docs/operating/growth.md says of every table what bounds it"
