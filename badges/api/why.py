"""Why somebody holds a badge, in a sentence."""

from typing import Final

from badges.queries.held import Held
from tables.criteria.base import Proof
from tables.criteria.parsing import parse_saved
from tables.languages import Language, Text, spoken_date

_RULE: Final = "rule"
_EARNED: Final = Text("{what}, reached on {date}", "{what}, nådd {date}")
_UNKNOWN: Final = Text(
    "what the badge asked for then, reached on {date}", "det merket krevde den gang, nådd {date}"
)
_BY_HAND: Final = Text("given by hand by {who} on {date}", "tildelt for hånd av {who} {date}")


def why(award: Held, language: Language) -> str:
    """What earned it and when, or who gave it; without a full stop."""
    if award.awarded_by != _RULE:
        date = spoken_date(award.earned_on, language)
        return _BY_HAND(language, who=award.awarded_by, date=date)
    date = spoken_date(award.tier_earned_on or award.earned_on, language)
    what = _earned(award, language)
    return _EARNED(language, what=what, date=date) if what else _UNKNOWN(language, date=date)


def _earned(award: Held, language: Language) -> str | None:
    """What was asked for, by the version that gave it; None where nobody can tell any more."""
    criteria = parse_saved(award.criteria or "")
    if criteria is None or criteria.by_hand:
        return None
    return criteria.earned(Proof(language, frozenset(award.counted), award.tier))
