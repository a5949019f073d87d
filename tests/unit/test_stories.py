"""Fold and reference agree about every random story, after every event."""

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference.reference import Reference
from tables import ledger
from tables.types import Version
from tests.builders import MENTOR, Put, Storyteller, TierTeller, Took
from tests.explain import explain
from tests.seeds import seeds
from tests.unit.stories import Fold, compare, compare_told, lose, tell, without_ids


@settings(max_examples=len(seeds(60)), deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False), length=st.integers(0, 25))
def test_the_fold_says_what_the_reference_says(random: Random, length: int) -> None:
    compare_told(random, length)


@pytest.mark.parametrize("seed", seeds(100))
def test_long_stories_too(seed: int) -> None:
    compare(seed, 40)


@settings(max_examples=len(seeds(60)), deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False), length=st.integers(0, 40))
def test_tiers_that_are_named_anew_keep_their_rank(random: Random, length: int) -> None:
    compare_told(random, length, TierTeller)


@pytest.mark.parametrize("seed", seeds(60))
def test_long_stories_of_tiers_too(seed: int) -> None:
    compare_told(Random(f"tiers {seed}"), 60, TierTeller)


@pytest.mark.parametrize("seed", seeds(50))
def test_a_full_journal_changes_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "FULL", 2 + seed % 5)
    compare(5000 + seed, 40)


def test_stories_are_worth_telling() -> None:
    kinds = Counter(
        decision.kind for seed in range(60) for decision in compare(seed + 1000, 60).decisions
    )
    assert min(kinds[kind] for kind in ("granted", "promoted", "revoked", "restored")) > 5, kinds


@pytest.mark.parametrize("seed", seeds(30))
def test_who_looks_on_and_when_changes_no_decision(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stats, explanations and full journals build and read measures early: evidence included."""
    story = list(Storyteller(Random(seed)).tell(50))
    plain, watched = Fold(), Fold()
    for happening in story:
        plain.live(happening)
    monkeypatch.setattr(ledger, "FULL", 3)
    for happening in story:
        # An award has a date once the mentor was decided with it.
        if all(each.earned_on or each.derived_on for each in watched.ledger.held.values()):
            explain(watched.ledger, watched.book)
        watched.live(happening)
        watched.ledger.stats()
    assert watched.decisions == plain.decisions


@pytest.mark.parametrize("seed", seeds(60))
def test_rows_from_before_the_start_are_decided_once(seed: int) -> None:
    story = list(Storyteller(Random(seed)).tell(40))
    fold, reference = Fold(), Reference(MENTOR)
    start = len(story) // 2
    versions: list[Version] = []
    for happening in story[:start]:
        if isinstance(happening, Took):
            versions += happening.versions
        elif isinstance(happening, Put):
            fold.fold(happening)
            reference.found(happening.row)
        else:
            fold.fold(happening)
            lose(reference, happening)
    for happening in [Took(tuple(versions)), *story[start:]]:
        fold.live(happening)
        tell(reference, happening)
        assert without_ids(fold.ledger.held) == without_ids(reference.awards), happening
    assert fold.ledger.stats() == reference.stats()
