"""The words of the pages: the same in each language, and each of them used."""

import gc
import re
import weakref
from collections.abc import Iterator

import pytest

from badges.pages.site import LANGUAGES, PAGES, REFUSED, asset, rendered, texts, words_of
from tests.unit.test_house import ROOT

STATIC = ROOT / "badges" / "pages" / "static"
SHARED = sorted({name for page in PAGES.values() for name in page.shares})
NAMES = sorted({REFUSED.name, *(page.name for page in PAGES.values())})
IN_HTML = re.compile(r"\{\{(\w+)\}\}")
SAID = re.compile(r"""\bsay\(\s*([^;]*)""")
LITERAL = re.compile(r'"(\w+)"')
PREFIX = re.compile(r"`(\w+_)\$\{")
PIECE = re.compile(r"\{(\w+)\}")


def keys(language: str) -> Iterator[tuple[str, str]]:
    for page, words in texts(LANGUAGES[language]).items():
        yield from ((page, key) for key in words)


def forms(text: str | dict[str, str]) -> dict[str, str]:
    return {"other": text} if isinstance(text, str) else text


def test_every_page_has_the_same_words_in_each_language() -> None:
    assert set(keys("en")) == set(keys("nb"))
    assert {page for page, _ in keys("en")} == {"common", *SHARED, *NAMES}
    for page, key in keys("en"):
        english, norwegian = (forms(texts(LANGUAGES[each])[page][key]) for each in LANGUAGES)
        assert english.keys() == norwegian.keys(), key
        for form, text in english.items():
            assert text.strip(), key
            pieces = set(PIECE.findall(text))
            assert pieces == set(PIECE.findall(norwegian[form])), key
            assert form == "other" or "other" in english, key


def used(name: str) -> tuple[set[str], tuple[str, ...]]:
    """The keys that the files of a page name, and how those begin that it puts together."""
    html = "".join(each.read_text() for each in STATIC.glob(f"{name}*.html"))
    script = "".join(each.read_text() for each in STATIC.glob(f"{name}*.js"))
    return {*IN_HTML.findall(html), *LITERAL.findall(script)}, tuple(PREFIX.findall(script))


@pytest.mark.parametrize("name", ["common", *SHARED, *NAMES])
def test_every_text_is_used(name: str) -> None:
    sharing = tuple(page.name for page in PAGES.values() if name in page.shares)
    files = ("layout", "page") if name == "common" else (name, *sharing)
    # Of the layout's, each page has its own title.
    found = [used(each) for each in (*files, "layout")]
    literals = {literal for more, _ in found for literal in more}
    prefixes = tuple(prefix for _, more in found for prefix in more)
    for page, key in keys("en"):
        if page == name:
            assert key in literals or key.startswith(prefixes), key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_text_that_a_page_names_is_there(name: str, language: str) -> None:
    page = {each.name: each for each in (*PAGES.values(), REFUSED)}[name]
    shown = rendered(page, LANGUAGES[language], "").body.decode()
    assert "{{" not in shown
    said = {key for each in words_of(page) for key in texts(LANGUAGES[language])[each]}
    for script in STATIC.glob(f"{name}*.js"):
        for call in SAID.findall(script.read_text()):
            for key in re.findall(r'^"(\w+)"', call):
                assert key in said, f"{script.name} says {key}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SHARED)
def test_what_pages_share_says_what_it_brings_along(name: str, language: str) -> None:
    said = texts(LANGUAGES[language])
    brought = {*said[name], *said["common"]}
    for script in STATIC.glob(f"{name}*.js"):
        for call in SAID.findall(script.read_text()):
            for key in re.findall(r'^"(\w+)"', call):
                assert key in brought, f"{script.name} says {key}"


def test_no_text_hides_another_of_its_page() -> None:
    for page in (*PAGES.values(), REFUSED):
        all_keys = [key for each in words_of(page) for key in texts("en")[each]]
        assert len(all_keys) == len(set(all_keys)), page.name


class Name(str):
    """A text of which can be told whether somebody keeps it."""

    __slots__ = ("__weakref__",)


def test_nothing_is_kept_of_a_file_that_there_is_not() -> None:
    name = Name("nothing.js")
    kept = weakref.ref(name)
    assert asset(name) is None
    del name
    gc.collect()
    assert kept() is None
    assert asset("base.css") is asset("base.css")
