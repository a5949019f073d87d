"""raw: criteria that no type fits, awarded by hand."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NoReturn

from typing_extensions import override

from tables.criteria.base import Criterion
from tables.criteria.fields import Expects, Name
from tables.languages import Language, Text
from tables.types import Day

_ANYTHING: Final = Expects("any JSON value", "en JSON-verdi")
_WHY: Final = Expects(
    "a text that says why no type fits", "en tekst som sier hvorfor ingen type passer"
)
_BY_HAND: Final = Text("awarded by hand ({reason})", "tildeles for hånd ({reason})")
_UNIT: Final = Text("awards by hand", "tildelinger for hånd")
_MISSING: Final = Text("somebody who awards it by hand", "noen som tildeler det for hånd")
_WARNING: Final = Text(
    "raw criteria are never evaluated: the badge is awarded by hand until replaced",
    "råkriterier blir aldri vurdert: merket tildeles for hånd til de er erstattet",
)


class Raw(Criterion):
    """Criteria that no type fits: kept, never evaluated, awarded by hand."""

    root_only = True
    by_hand = True
    examples = ({"type": "raw", "criteria_raw": {"chosen": "by jury"}, "reason": "a jury chooses"},)

    type: Literal["raw"]
    criteria_raw: Annotated[Any, _ANYTHING]
    reason: Annotated[Name, _WHY]

    @override
    def summary(self, language: Language = "en") -> str:
        return _BY_HAND(language, reason=self.reason)

    @override
    def needed(self, amount: int) -> int:
        return 1

    @override
    def missing(self, done: int, needed: int, language: Language = "en") -> str:
        return _MISSING(language)

    @override
    def unit(self, language: Language = "en") -> str:
        return _UNIT(language)

    @override
    def condition(self, since: Day | None, badges: Mapping[str, str]) -> NoReturn:
        raise TypeError("raw criteria are never evaluated")

    @override
    def warnings(self, language: Language = "en") -> list[str]:
        return [_WARNING(language)]
