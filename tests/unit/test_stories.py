"""Fold and reference agree about every random story, after every event."""

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badges.tables import agenda
from tests.unit.stories import compare, compare_told


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False), length=st.integers(0, 25))
def test_the_fold_says_what_the_reference_says(random: Random, length: int) -> None:
    compare_told(random, length)


@pytest.mark.parametrize("seed", range(100))
def test_long_stories_too(seed: int) -> None:
    compare(seed, 40)


@pytest.mark.parametrize("seed", range(50))
def test_a_full_journal_changes_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agenda, "FULL", 2 + seed % 5)
    compare(5000 + seed, 40)


def test_stories_are_worth_telling() -> None:
    kinds = Counter(
        decision.kind for seed in range(60) for decision in compare(seed + 1000, 60).decisions
    )
    assert min(kinds[kind] for kind in ("granted", "promoted", "revoked", "restored")) > 5, kinds
