"""What tiers asked for before: a held one keeps its rank when its definition names them anew."""

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import Final, TypeAlias

from tables.criteria.parsing import parse_saved

_Levels: TypeAlias = Mapping[str, int]
"""What each tier asks for at least, by its name."""

NO_TIERS: Final[_Levels] = MappingProxyType({})


class Tiers:
    """The tiers that one definition had, version after version, since it was last deleted.

    Kept is only where they change.
    """

    __slots__ = ("_changes",)

    def __init__(self) -> None:
        self._changes: list[tuple[int, _Levels]] = []

    def note(self, version: int, levels: _Levels) -> None:
        """The tiers of a version, which must be higher than those before."""
        if levels != (self._changes[-1][1] if self._changes else NO_TIERS):
            self._changes.append((version, levels))

    def level(self, name: str, given_by: int | None) -> int:
        """What a tier of this name asked for in the version that gave it.

        Where nobody knows which did, or that version has no such tier, the newest one counts that
        had one. A name that no version had stands below every tier: 0.
        """
        newest_first = [levels for _, levels in reversed(self._changes)]
        if given_by is not None:
            newest_first.insert(0, self._in_version(given_by))
        return next((levels[name] for levels in newest_first if name in levels), 0)

    def _in_version(self, version: int) -> _Levels:
        place = bisect_right(self._changes, version, key=itemgetter(0))
        return self._changes[place - 1][1] if place else NO_TIERS


@lru_cache(maxsize=1 << 10)
def levels_in(criteria: str) -> _Levels:
    """The tiers that criteria define; none where they are not valid, or have none."""
    # Most are of another type, which need not be parsed to tell. JSON may spell it with escapes.
    if "tier" not in criteria and "\\u" not in criteria:
        return NO_TIERS
    parsed = parse_saved(criteria)
    if parsed is None:
        return NO_TIERS
    return {name: reached.level for name, reached in parsed.steps(None)}
