"""The languages that people are spoken to in, and what is said alike in all of them."""

from collections.abc import Iterable
from datetime import date
from typing import Final, Literal, NamedTuple, TypeAlias

Language: TypeAlias = Literal["en", "nb"]
"""English, or Norwegian Bokmaal."""


class Text(NamedTuple):
    """The same words in every language, with {names} where pieces go in.

    A piece is as it is, a number, or a text in both languages itself.
    """

    en: str
    nb: str

    def __call__(self, language: Language, **pieces: "str | int | Text") -> str:
        template = self.nb if language == "nb" else self.en
        if not pieces:
            return template
        return template.format_map({name: _said(each, language) for name, each in pieces.items()})

    def filled(self, **pieces: "str | int | Text") -> "Text":
        """The same with its pieces in it."""
        return Text(self("en", **pieces), self("nb", **pieces))


class Noun(NamedTuple):
    """What one of something is called, and what several are."""

    one: Text
    many: Text

    def __call__(self, language: Language, number: int) -> str:
        return (self.one if number == 1 else self.many)(language)


_AND: Final = Text(en="and", nb="og")
_OR: Final = Text(en="or", nb="eller")
_DATE: Final = Text(en="{day} {month} {year}", nb="{day}. {month} {year}")
_MONTHS: Final = (
    Text("January", "januar"),
    Text("February", "februar"),
    Text("March", "mars"),
    Text("April", "april"),
    Text("May", "mai"),
    Text("June", "juni"),
    Text("July", "juli"),
    Text("August", "august"),
    Text("September", "september"),
    Text("October", "oktober"),
    Text("November", "november"),
    Text("December", "desember"),
)


def _said(piece: str | int | Text, language: Language) -> str:
    if isinstance(piece, Text):
        return piece(language)
    return number(piece, language) if isinstance(piece, int) else piece


def number(value: int, language: Language) -> str:
    """A number with its thousands set apart: by a comma, or by a blank that no line breaks at."""
    separator = "\N{NO-BREAK SPACE}" if language == "nb" else ","
    return f"{value:,}".replace(",", separator)


def spoken_date(on: date, language: Language) -> str:
    """A date as people write it."""
    return _DATE(language, day=on.day, month=_MONTHS[on.month - 1](language), year=str(on.year))


def all_of(names: Iterable[str], language: Language) -> str:
    """Each name once, with commas, and "and" before the last."""
    return _listed(names, _AND(language))


def either_of(names: Iterable[str], language: Language) -> str:
    """Each name once, with commas, and "or" before the last."""
    return _listed(names, _OR(language))


def _listed(names: Iterable[str], word: str) -> str:
    *before, last = dict.fromkeys(names)
    return f"{', '.join(before)} {word} {last}" if before else last
