"""Pieces of the sentences that criteria are said in.

Sentences are made of the criteria and of numbers alone, so that whoever measures, the fold or SQL,
can say the same.
"""

from collections.abc import Mapping
from typing import Final

from tables.languages import Language, Noun, Text, all_of, either_of, number
from tables.measures.amounts import Metric

_UNITS: Final[Mapping[Metric, Noun]] = {
    "count": Noun(Text("activity", "aktivitet"), Text("activities", "aktiviteter")),
    "minutes": Noun(Text("minute", "minutt"), Text("minutes", "minutter")),
    "active_days": Noun(Text("active day", "aktiv dag"), Text("active days", "aktive dager")),
    "distinct_types": Noun(
        Text("type of activity", "aktivitetstype"), Text("types of activity", "aktivitetstyper")
    ),
}
_PERIODS: Final[Mapping[str, Noun]] = {
    "day": Noun(Text("day", "dag"), Text("days", "dager")),
    "week": Noun(Text("week", "uke"), Text("weeks", "uker")),
    "month": Noun(Text("month", "måned"), Text("months", "måneder")),
}
_OF_TYPES: Final[Mapping[Metric, Text]] = {
    "count": Text(" of type {either}", " av typen {either}"),
    "minutes": Text(" of activities of type {either}", " med aktiviteter av typen {either}"),
    "active_days": Text(" with activities of type {either}", " med aktiviteter av typen {either}"),
    "distinct_types": Text(" among {all}", " blant {all}"),
}
_SOME_OF: Final = Text("{number} of {nouns} {names}", "{number} av {nouns} {names}")
_MORE_OF: Final = Text(
    "{number} more of {nouns} {names}", "ytterligere {number} av {nouns} {names}"
)
_MORE: Final = Text("{number} more {things}", "ytterligere {number} {things}")


def unit(metric: Metric, how_many: int, language: Language) -> str:
    """What a metric counts, as so many are called."""
    return _UNITS[metric](language, how_many)


def of_types(metric: Metric, types: list[str] | None, language: Language) -> str:
    """Of which activity types, to follow the metric's unit; empty for all."""
    if types is None:
        return ""
    either, every = either_of(types, language), all_of(types, language)
    return _OF_TYPES[metric](language, either=either, all=every)


def periods(period: str, how_many: int, language: Language) -> str:
    """So many days, weeks or months."""
    return f"{number(how_many, language)} {_PERIODS[period](language, how_many)}"


def more(how_many: int, things: str, language: Language) -> str:
    """So many things besides those that are there."""
    return _MORE(language, number=how_many, things=things)


def some_of(noun: Noun, names: list[str], how_many: int, language: Language) -> str:
    """So many of some names, which the noun introduces: "2 of the courses a, b and c"."""
    return _chosen(_SOME_OF, noun, names, how_many, language)


def more_of(noun: Noun, names: list[str], how_many: int, language: Language) -> str:
    """So many of some names besides those that are there."""
    return _chosen(_MORE_OF, noun, names, how_many, language)


def _chosen(some: Text, noun: Noun, names: list[str], how_many: int, language: Language) -> str:
    there_are = len(set(names))
    nouns, listed = noun(language, there_are), all_of(names, language)
    if how_many == there_are:
        return f"{nouns} {listed}"
    return some(language, number=how_many, nouns=nouns, names=listed)
