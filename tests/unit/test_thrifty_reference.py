"""The thrifty reference ends where the plain one does."""

from collections import Counter
from random import Random
from typing import TypeVar

import msgspec.structs
import pytest

from reference.reference import Reference
from tables.types import Activity, Award, Mentor
from tests import thrifty_reference
from tests.builders import MENTOR, Gone, Happening, Put, Storyteller, Took
from tests.thrifty_reference import ThriftyReference

Told = TypeVar("Told", bound=Reference)


class Counting(ThriftyReference):
    evaluations = 0

    def evaluate(self) -> None:
        self.evaluations += 1
        super().evaluate()


def tell_in_order(random: Random, appended: int, deleted: int) -> list[Happening]:
    """A story with a long run of activities in the order of their dates, and of deletions."""
    told = list(Storyteller(random).tell(40))
    story: list[Happening] = [each for each in told if not _is_of(Award, each)]
    rows = [Activity(f"run {n}", MENTOR, "visit", 19_700 + n // 3, n) for n in range(appended)]
    gone = random.sample([row.id for row in rows], deleted)
    place = random.randrange(2, len(story))
    story[place:place] = [Put(row) for row in rows]
    place = random.randrange(place + appended, len(story) + 1)
    story[place:place] = [Gone(Activity, row_id) for row_id in gone]
    return [*story, Put(msgspec.structs.replace(_home(story), active=True))]


def _is_of(kind: type, happening: Happening) -> bool:
    if isinstance(happening, Put):
        return isinstance(happening.row, kind)
    return isinstance(happening, Gone) and happening.kind is kind


def _is_run(happening: Happening) -> bool:
    return isinstance(happening, Put) and happening.row.id.startswith("run ")


def _home(story: list[Happening]) -> Mentor:
    rows = [each.row for each in story if isinstance(each, Put) and isinstance(each.row, Mentor)]
    return rows[-1]


def play(reference: Told, story: list[Happening]) -> Told:
    for happening in story:
        if isinstance(happening, Took):
            reference.apply(happening.versions)
        elif isinstance(happening, Put):
            reference.put(happening.row)
        else:
            reference.delete(happening.kind, happening.row_id)
    return reference


def test_it_ends_where_the_plain_reference_does(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: Counter[str] = Counter()
    spared: Counter[int] = Counter()
    for seed in range(100):
        story = tell_in_order(Random(f"thrifty {seed}"), 30, 20)
        plain = play(Reference(MENTOR), story)
        for many in (0, 8):
            monkeypatch.setattr(thrifty_reference, "MANY", many)
            thrifty = play(Counting(MENTOR), story)
            assert thrifty.awards == plain.awards, seed
            assert thrifty.stats() == plain.stats()
            spared[many] += len(story) - thrifty.evaluations
        ends.update(str(award.revoked_by) for award in plain.awards.values())
    assert min(ends["None"], ends["rule"]) > 5
    assert min(spared.values()) > 100 * 20


def test_a_story_may_end_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thrifty_reference, "MANY", 0)
    decided_late = 0
    for seed in range(60):
        story = tell_in_order(Random(f"cut {seed}"), 30, 20)
        last = max(n for n, each in enumerate(story) if _is_run(each))
        plain = play(Reference(MENTOR), story[: last + 1])
        thrifty = play(ThriftyReference(MENTOR), story[: last + 1])
        told = len(thrifty.events)
        assert thrifty.awards == plain.awards, seed
        decided_late += len(thrifty.events) > told
    assert decided_late > 0
