"""Criteria and what is missing, as plain English sentences.

Sentences are made of the criteria's nodes and of numbers alone, so that whoever measures, the fold
or SQL, can say the same.
"""

from collections.abc import Mapping
from typing import Final

from tables.criteria import (
    All,
    AnyOf,
    Badges,
    Calendar,
    Criteria,
    Fixed,
    Metric,
    Raw,
    Rolling,
    Streak,
    Threshold,
    Tier,
    Training,
    Window,
)

_UNITS: Final[Mapping[Metric, tuple[str, str]]] = {
    "count": ("activity", "activities"),
    "minutes": ("minute", "minutes"),
    "active_days": ("active day", "active days"),
    "distinct_types": ("type of activity", "types of activity"),
}


def summary(criteria: Criteria) -> str:
    """What criteria ask for, in one sentence without its full stop."""
    if isinstance(criteria, All | AnyOf):
        return _joined(criteria)
    if isinstance(criteria, Threshold):
        return amount(criteria, criteria.at_least)
    if isinstance(criteria, Tier):
        steps = ", ".join(f"{step.name} from {step.at_least:,}" for step in criteria.tiers)
        kind = _UNITS[criteria.metric][1] + _types(criteria.activity_types)
        return f"tiers by {kind}{_within(criteria.window)}: {steps}"
    if isinstance(criteria, Streak):
        return f"{_run(criteria, criteria.length)}{_each(criteria)}"
    if isinstance(criteria, Raw):
        return f"awarded by hand ({criteria.reason})"
    return _enough(criteria)


def _joined(criteria: All | AnyOf) -> str:
    parts = [_nested(part) for part in criteria.of]
    if isinstance(criteria, All) or len(parts) == 1:
        return " and ".join(parts)
    if criteria.at_least == 1:
        return " or ".join(parts)
    return f"{criteria.at_least} of: {'; '.join(parts)}"


def _enough(criteria: Training | Badges) -> str:
    if isinstance(criteria, Training):
        return f"{_of(criteria.courses, criteria.at_least)} completed"
    return f"{_of(criteria.badges, criteria.at_least, 'badge')} held"


def _nested(part: Criteria) -> str:
    text = summary(part)
    return f"({text})" if isinstance(part, All | AnyOf) and len(part.of) > 1 else text


def amount(node: Threshold | Tier, number: int) -> str:
    """So many activities, minutes, days or types, of the types and in the window asked for."""
    unit = _UNITS[node.metric][number != 1]
    return f"{number:,} {unit}{_types(node.activity_types)}{_within(node.window)}"


def _types(types: list[str] | None) -> str:
    return "" if types is None else f" of type {_listed(types, 'or')}"


def _within(window: Window | None) -> str:
    if isinstance(window, Rolling):
        days = window.rolling_days
        return " on one day" if days == 1 else f" within any {days:,} days"
    if isinstance(window, Calendar):
        return f" within one {window.calendar}"
    if isinstance(window, Fixed):
        return f" from {window.from_} to {window.to}"
    return ""


def _run(node: Streak, length: int) -> str:
    return f"{length:,} {node.period}{'s' if length != 1 else ''} in a row"


def _each(node: Streak) -> str:
    unit = _UNITS[node.metric][node.per_period != 1]
    each = f" with {node.per_period:,} {unit}{_types(node.activity_types)} each"
    if not node.grace:
        return each
    return f"{each}, up to {node.grace} missed in between"


def _of(names: list[str], at_least: int | None, noun: str = "") -> str:
    listed = list(dict.fromkeys(names))
    noun = f"{noun}{'s' if len(listed) > 1 else ''} " if noun else ""
    if at_least is None or at_least == len(listed):
        return f"{noun}{_listed(listed, 'and')}"
    return f"{at_least} of {noun}{_listed(listed, 'and')}"


def _listed(names: list[str], word: str) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def missing(node: Criteria, done: int, needed: int) -> str:
    """What one criterion lacks, given how far it is: '3 more visits ...'. Empty when it holds."""
    lacks = needed - done
    if lacks <= 0:
        return ""
    if isinstance(node, Threshold | Tier):
        unit = _UNITS[node.metric][lacks != 1]
        return f"{lacks:,} more {unit}{_types(node.activity_types)}{_within(node.window)}"
    if isinstance(node, Streak):
        return f"{_run(node, needed)}{_each(node)}: the longest so far is {done:,}"
    if isinstance(node, Training | Badges):
        names = node.courses if isinstance(node, Training) else node.badges
        kind = "courses" if isinstance(node, Training) else "badges"
        return f"{lacks} more of the {kind} {_listed(list(dict.fromkeys(names)), 'and')}"
    if isinstance(node, Raw):
        return "somebody who awards it by hand"
    return f"{lacks} more of {len(node.of)} parts"
