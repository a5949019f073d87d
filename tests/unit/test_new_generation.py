"""A new generation of the log finds what was decided in the table, and decides nothing anew."""

from random import Random

import msgspec.structs
import pytest

from reference.reference import Reference
from tables.types import Award
from tests.builders import (
    MENTOR,
    Happening,
    Put,
    Storyteller,
    TierTeller,
    Took,
    activity,
    mentor,
    organization,
    tiers,
)
from tests.seeds import seeds
from tests.unit.stories import Fold, tell, without_ids

STORIES = 300


def as_found(award: Award) -> Award:
    """An award as its row is found in the first snapshot."""
    on = award.derived_on if award.earned_on is None else award.earned_on
    return msgspec.structs.replace(award, earned_on=on, derived_on=None, changed_in=None)


class Told:
    """A story, as the fold and the reference have it at its end."""

    def __init__(self) -> None:
        self.fold, self.reference = Fold(), Reference(MENTOR)
        self._saved: list[Took] = []

    def tell(self, happening: Happening) -> None:
        self.fold.live(happening)
        tell(self.reference, happening)
        if isinstance(happening, Took):
            self._saved.append(happening)

    def anew(self) -> tuple[Fold, Reference]:
        """The two that begin with what is there: rows, awards and all versions at once."""
        fold, reference = Fold(), Reference(MENTOR)
        rows = [row for of_kind in self.reference.rows.values() for row in of_kind.values()]
        for row in [*rows, *map(as_found, self.fold.ledger.held.values())]:
            fold.fold(Put(row))
            reference.found(row)
        took = Took(tuple(version for each in self._saved for version in each.versions))
        fold.live(took)
        tell(reference, took)
        return fold, reference


@pytest.mark.parametrize("teller", [Storyteller, TierTeller])
def test_a_new_generation_decides_nothing(teller: type[Storyteller]) -> None:
    for seed in seeds(STORIES):
        told = Told()
        for happening in teller(Random(f"generation {seed}")).tell(40):
            told.tell(happening)
        fold, reference = told.anew()
        assert fold.decisions == [], seed
        assert reference.events == [], seed
        assert without_ids(fold.ledger.held) == without_ids(reference.awards), seed


def test_a_tier_keeps_the_rank_of_its_promotion() -> None:
    told = Told()
    story: list[Happening] = [
        Took((organization(), tiers(1, {"bronze": 2, "silver": 4}))),
        Put(mentor()),
        *(Put(activity(f"r{number}", number)) for number in (1, 2, 3)),
        Took((tiers(2, {"bronze": 2, "silver": 10}),)),
        *(Put(activity(f"r{number}", number)) for number in range(4, 12)),
        Took((tiers(3, {"bronze": 2, "mid": 5, "high": 12}),)),
    ]
    for happening in story:
        told.tell(happening)
    for fold, reference in [(told.fold, told.reference), told.anew()]:
        for award in (fold.ledger.held["a"], reference.awards["a"]):
            assert (award.tier, award.tier_version, award.definition_version) == ("silver", 2, 1)
