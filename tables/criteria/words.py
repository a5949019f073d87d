"""Pieces of the English sentences that criteria are said in.

Sentences are made of the criteria and of numbers alone, so that whoever measures, the fold or SQL,
can say the same.
"""

from collections.abc import Mapping
from typing import Final

from tables.measures.amounts import Metric

_UNITS: Final[Mapping[Metric, tuple[str, str]]] = {
    "count": ("activity", "activities"),
    "minutes": ("minute", "minutes"),
    "active_days": ("active day", "active days"),
    "distinct_types": ("type of activity", "types of activity"),
}


def unit(metric: Metric, number: int) -> str:
    """What a metric counts, as so many are called."""
    return _UNITS[metric][number != 1]


def of_types(types: list[str] | None) -> str:
    """Of which activity types; empty for all."""
    return "" if types is None else f" of type {listed(types, 'or')}"


def some_of(names: list[str], at_least: int | None, noun: str = "") -> str:
    """So many of some names; all of them when nobody says how many."""
    distinct = list(dict.fromkeys(names))
    noun = f"{noun}{'s' if len(distinct) > 1 else ''} " if noun else ""
    number = "" if at_least in (None, len(distinct)) else f"{at_least} of "
    return f"{number}{noun}{listed(distinct, 'and')}"


def listed(names: list[str], word: str) -> str:
    """Names with commas, and a word before the last."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"
