"""Which pages there are, in each language, and the files that they load.

A page NAME is `static/NAME.html` (the contents of its <main>), NAME.css and NAME.js beside it, and
the texts `common`, NAME and those that it shares of `texts/`. `{{key}}` in HTML is one of these
texts. All of them are in the page once more, as JSON that page.js reads.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Final, Literal, TypeAlias

from tables.languages import Language

_Theme: TypeAlias = Literal["", "light", "dark"]
"""What somebody has chosen; nothing where the system's own choice holds."""

LANGUAGES: Final[Mapping[str, Language]] = {"en": "en", "nb": "nb"}
THEMES: Final[Mapping[str, _Theme]] = {"light": "light", "dark": "dark"}
"""What may be asked for, by its name."""


@dataclass(frozen=True)
class WebPage:
    """A page by the name of its files; `restricted` to the networks that need no token.

    `shares` are further names of texts, of scripts that several pages load.
    """

    name: str
    restricted: bool = False
    shares: tuple[str, ...] = ()


PAGES: Final[Mapping[str, WebPage]] = {
    "/": WebPage("dashboard", restricted=True),
    "/admin": WebPage("admin", shares=("people", "forms")),
    "/mentor": WebPage("mentor", shares=("people",)),
}
"""By path. A page that is not restricted holds nothing that needs a token: it asks for one."""
REFUSED: Final = WebPage("refused")
"""What is shown instead of a restricted page."""

_MEDIA_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_PIECE: Final = re.compile(r"\{\{(\w+)\}\}")
_HERE: Final = files("badges.pages")


@dataclass(frozen=True)
class File:
    """What is sent, as it is and compressed, under a tag that changes with it."""

    body: bytes
    compressed: bytes
    media_type: str
    etag: str


def words_of(page: WebPage) -> tuple[str, ...]:
    """The names of the texts that a page has."""
    return ("common", *page.shares, page.name)


@cache
def rendered(page: WebPage, language: Language, theme: _Theme) -> File:
    """The page in a language."""
    said = texts(language)
    words = {key: text for name in words_of(page) for key, text in said[name].items()}
    pieces = {key: escape(text) for key, text in words.items() if isinstance(text, str)}
    main = _filled(_read(f"{page.name}.html"), pieces)
    whole = _filled(
        _read("layout.html"),
        pieces
        | {"language": language, "theme": theme, "page": page.name, "main": main}
        # A text with a tag in it must not end the element that it stands in.
        | {"words": json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")},
    )
    return _file(whole.encode(), "text/html; charset=utf-8")


def asset(name: str) -> File | None:
    """A file that pages load, by its name; None when there is none of it.

    Of a name that there is not nothing is kept: anybody may ask for as many as they like.
    """
    media_type = _assets().get(name)
    return None if media_type is None else _asset(name, media_type)


@cache
def _asset(name: str, media_type: str) -> File:
    return _file(_read(name).encode(), f"{media_type}; charset=utf-8")


@cache
def texts(language: Language) -> Mapping[str, dict[str, Any]]:
    """By page, then by key: a text, or one for each plural category of the number in it."""
    found: Mapping[str, dict[str, Any]] = json.loads(
        (_HERE / "texts" / f"{language}.json").read_text("utf-8")
    )
    return found


@cache
def _assets() -> Mapping[str, str]:
    """The media type of each file that pages load, by its name."""
    names = [each.name for each in (_HERE / "static").iterdir()]
    endings = [(name, name.rpartition(".")[2]) for name in names]
    return {name: _MEDIA_TYPES[ending] for name, ending in endings if ending in _MEDIA_TYPES}


def _read(name: str) -> str:
    return (_HERE / "static" / name).read_text("utf-8")


def _filled(template: str, pieces: Mapping[str, str]) -> str:
    """Raises KeyError for a piece that there is not."""
    return _PIECE.sub(lambda found: pieces[found[1]], template)


def _file(body: bytes, media_type: str) -> File:
    etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    return File(body, gzip.compress(body, mtime=0), media_type, etag)
