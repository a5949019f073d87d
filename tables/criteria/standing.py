"""How far a mentor is with some criteria, and what is missing, whoever measured it."""

from collections.abc import Mapping

from msgspec import Struct

from tables.criteria.base import Criterion
from tables.languages import Language


class Standing(Struct, frozen=True):
    """How far one criterion is: `done` of `needed`, and each part of it the same.

    `all` and `any` count the parts that hold, and their percentage is that of the nearest parts.
    A tier badge holds from its lowest tier on, and counts towards the next one.
    """

    path: str
    """The criterion's JSON path."""
    type: str
    done: int
    needed: int
    unit: str
    """What they count, as several are called."""
    percent: int
    """100 exactly when the criterion holds."""
    missing: str | None
    """A sentence without its full stop; None exactly when the criterion holds."""
    next_tier: str | None
    """The tier that `needed` is asked for."""
    parts: tuple["Standing", ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing is missing."""
        return self.missing is None


def standing(
    criteria: Criterion,
    amounts: Mapping[str, int],
    language: Language = "en",
    *,
    tier: str | None = None,
    path: str = "$",
) -> Standing:
    """How far criteria are, given what those without parts amount to now, by their JSON paths.

    What nobody measured amounts to nothing. `tier` is the one that is held, if one is: it never
    sinks, so that the next one is above it whatever there is now.
    """
    parts = tuple(
        standing(part, amounts, language, path=f"{path}.of[{index}]")
        for index, part in enumerate(criteria.parts)
    )
    amount = sum(part.holds for part in parts) if parts else amounts.get(path, 0)
    reached = amount if tier is None else max(amount, criteria.level(tier))
    needed, least = criteria.needed(reached), criteria.needed(0)
    holds = amount >= least
    return Standing(
        path=path,
        type=criteria.type,
        done=min(amount, needed),
        needed=needed,
        unit=criteria.unit(language),
        percent=100 if holds else _percent(amount, least, parts),
        missing=None if holds else criteria.missing(amount, least, language),
        next_tier=criteria.next_tier(reached),
        parts=parts,
    )


def _percent(amount: int, least: int, parts: tuple[Standing, ...]) -> int:
    """How far it is with what does not hold: below 100, for it is rounded down."""
    if not parts:
        return 100 * amount // least
    nearest = sorted((part.percent for part in parts), reverse=True)[:least]
    return sum(nearest) // least
