"""Where awards as the fold holds them and rows of badge_awards differ, and which of that counts.

A row that somebody has just changed differs until its record has come round through the log. So a
difference counts only if the very same is still there when the log has everything up to a moment
after it was seen first, and all of that is folded.
"""

from collections.abc import Iterable
from typing import TypeAlias

import msgspec.structs

from streams.partition import Partition
from tables.types import Award, Day

Pair: TypeAlias = tuple[Award | None, Award | None]
"""What the fold holds, and what was found."""

Differences: TypeAlias = dict[tuple[str, str], Pair]
"""By mentor and definition."""


def differences(state: Partition, mentors: Iterable[str], rows: Iterable[Award]) -> Differences:
    """What differs between the fold and the rows of these mentors."""
    found = {(row.peer_mentor_id, row.badge_definition_id): row for row in rows}
    held = {
        (mentor, badge): award
        for mentor in mentors
        if mentor in state.mentors
        for badge, award in state.mentors[mentor].ledger.held.items()
    }
    return {
        key: (held.get(key), found.get(key))
        for key in held.keys() | found.keys()
        if not agree(held.get(key), found.get(key))
    }


def lasting(seen: Differences, again: Differences) -> Differences:
    """Those seen again that are the very same, and so cannot have been rows on their way."""
    return {
        key: pair
        for key, pair in again.items()
        if key in seen and [*map(_bare, pair)] == [*map(_bare, seen[key])]
    }


def agree(held: Award | None, found: Award | None) -> bool:
    """Whether they say the same, a date aside that the log does not say."""
    if held is None or found is None:
        return held is found
    said: dict[str, Day | None] = {"earned_on": found.earned_on} if held.earned_on is None else {}
    if held.tier is not None and held.tier_earned_on is None:
        said["tier_earned_on"] = found.tier_earned_on
    return _bare(msgspec.structs.replace(held, **said)) == _bare(found)


def _bare(award: Award | None) -> Award | None:
    """What its row says, but for who wrote it last, and when: the worker and a person may agree."""
    if award is None:
        return None
    unsaid = {"changed_in": None, "derived_on": None, "tier_version": None}
    return msgspec.structs.replace(award, changed_by="", **unsaid)
