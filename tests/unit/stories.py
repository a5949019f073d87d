"""A story told to the fold and to the reference alike, compared after every event."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import msgspec.structs

from reference.reference import Event, Reference
from tables.decisions import Cause, Decision
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.rules import RuleBook
from tables.types import Activity, Award, Mentor, Pause, TrainingCompletion
from tables.watchlist import Watchlist
from tests.builders import MENTOR, Gone, Happening, Put, Storyteller, Took


class Fold:
    """The fold, driven as a partition drives it."""

    def __init__(self) -> None:
        self.book = RuleBook()
        self.ledger = Ledger(MENTOR)
        self.watchlist = Watchlist(self.ledger, self.book)
        self.decisions: list[Decision] = []
        self._offset = 0

    def live(self, happening: Happening) -> list[Decision]:
        """One event: fold it, and decide if it changed anything."""
        self._offset += 1
        turn = None
        if isinstance(happening, Took):
            self.book.apply(happening.versions)
            turn = self._offset
        elif not self.fold(happening):
            return []
        decisions = evaluate(self.watchlist, Cause("log", 0, self._offset, turn))
        for decision in decisions:
            if decision.kind == "granted":
                # As the reference names it, so that a row that somebody writes is the same one.
                decision.after.id = decision.after.badge_definition_id
        self.decisions += decisions
        return decisions

    def fold(self, happening: Put | Gone) -> bool:
        """Fold a row without deciding."""
        ledger = self.ledger
        if isinstance(happening, Put):
            put, _ = _TABLES[type(happening.row)]
            return put(ledger, happening.row)
        row_id = happening.row_id
        if happening.kind is Award:
            award = ledger.held.get(row_id)
            row_id = award.id if award else ""
        _, drop = _TABLES[happening.kind]
        return drop(ledger, row_id)


_TABLES: dict[type, tuple[Callable[[Ledger, Any], bool], Callable[[Ledger, str], bool]]] = {
    Mentor: (Ledger.put_mentor, lambda ledger, _: ledger.drop_mentor()),
    Activity: (Ledger.put_activity, Ledger.drop_activity),
    TrainingCompletion: (Ledger.put_training, Ledger.drop_training),
    Pause: (Ledger.put_pause, Ledger.drop_pause),
    Award: (Ledger.put_award, Ledger.drop_award),
}


def tell(reference: Reference, happening: Happening) -> None:
    """Tell the reference the same event."""
    if isinstance(happening, Took):
        reference.apply(happening.versions)
    elif isinstance(happening, Put):
        reference.put(happening.row)
    else:
        lose(reference, happening)
        reference.evaluate()


def lose(reference: Reference, happening: Gone) -> None:
    """Tell the reference of a row that went; an award of the rule goes by its definition's id."""
    award = reference.awards.get(happening.row_id)
    award_id = award.id if award else ""
    reference.lost(happening.kind, award_id if happening.kind is Award else happening.row_id)


def without_ids(awards: Mapping[str, Award]) -> dict[str, Award]:
    """Awards as the contract compares them: their ids aside."""
    return {
        definition_id: msgspec.structs.replace(award, id="")
        for definition_id, award in awards.items()
    }


def happened(decision: Decision) -> Event:
    """What badge_award_events is told of a decision."""
    after = decision.after
    return Event(decision.kind, after.badge_definition_id, after.tier, decision.definition_version)


def told(*happenings: Happening) -> Mapping[str, Award]:
    """What a mentor holds after a story, on which fold and reference agree after every event."""
    fold, reference = Fold(), Reference(MENTOR)
    for happening in happenings:
        fold.live(happening)
        tell(reference, happening)
        assert without_ids(fold.ledger.held) == without_ids(reference.awards), happening
    assert fold.ledger.stats() == reference.stats()
    return fold.ledger.held


def compare(seed: int, length: int) -> Fold:
    """Tell the story of a seed and fail at the first event after which the two differ."""
    return compare_told(Random(seed), length)


def compare_told(
    random: Random, length: int, teller: Callable[[Random], Storyteller] = Storyteller
) -> Fold:
    """Tell a random story and fail at the first event after which the two differ."""
    fold, reference = Fold(), Reference(MENTOR)
    for happening in teller(random).tell(length):
        told = len(reference.events)
        decisions = fold.live(happening)
        tell(reference, happening)
        assert without_ids(fold.ledger.held) == without_ids(reference.awards), happening
        key = [happened(decision) for decision in decisions]
        assert sorted(key, key=repr) == sorted(reference.events[told:], key=repr), happening
        if random.random() < 0.3:
            assert fold.ledger.stats() == reference.stats(), happening
    assert fold.ledger.stats() == reference.stats()
    return fold
