"""A skyline against a number for each day."""

from random import Random

import pytest

from tables.measures import skyline
from tables.measures.skyline import Skyline
from tests.seeds import seeds

DAYS = 60


class Plain:
    """The same, day by day."""

    def __init__(self) -> None:
        self.numbers = [0] * (2 * DAYS)
        self.past = -1

    def add(self, first: int, after: int, by: int) -> None:
        for day in range(first, after):
            self.numbers[day] += by

    def reaching(self, level: int) -> int:
        return next(day for day, number in enumerate(self.numbers) if number >= level)


@pytest.mark.parametrize("block", [2, 3, 5, 64])
@pytest.mark.parametrize("seed", seeds(40))
def test_every_day_is_as_high_as_what_was_added(
    seed: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skyline, "BLOCK", block)
    random = Random(seed)
    found, plain = Skyline(), Plain()
    added: list[tuple[int, int, int]] = []
    newest = random.choice([0, DAYS // 2])
    for _ in range(150):
        if added and random.random() < 0.4:
            first, after, by = added.pop(random.randrange(len(added)))
            by = -by
        else:
            newest = min(newest + random.choice([0, 0, 0, 1, 1, 2, 7]), DAYS - 1)
            late = random.randrange(newest + 1) if random.random() < 0.4 else 0
            first, by = newest - late, random.randint(1, 3)
            after = first + random.randint(1, 20)
            added.append((first, after, by))
            plain.past = max(plain.past, first)
            found.come_to(first)
        found.add(first, after, by)
        plain.add(first, after, by)
        assert found.highest == max(plain.numbers)
        assert found.newest == plain.numbers[plain.past]
        for level in range(1, found.highest + 1):
            assert found.reaching(level) == plain.reaching(level)
    for first, after, by in added:
        found.add(first, after, -by)
    assert found.highest == found.newest == 0
    assert found.changes == 0


@pytest.mark.parametrize("block", [2, 3, 5, 64])
@pytest.mark.parametrize("seed", seeds(40))
def test_many_days_together_are_as_high_as_one_after_the_other(
    seed: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skyline, "BLOCK", block)
    random = Random(seed)
    found, plain, days = Skyline(), Plain(), random.choice([1, 2, 7, 30])
    amounts = dict.fromkeys(range(DAYS), 0)
    newest = 0
    for _ in range(60):
        newest = min(newest + random.choice([0, 1, 2, 5, days]), DAYS - 1)
        changes: dict[int, int] = {}
        for day in random.sample(range(newest + 1), min(newest + 1, random.randint(1, 4))):
            changes[day] = random.randint(-amounts[day], 3) or 1
            amounts[day] += changes[day]
            plain.add(day, day + days, changes[day])
        found.put(sorted(changes.items()), days)
        plain.past = max(plain.past, *changes)
        assert found.highest == max(plain.numbers)
        assert found.newest == plain.numbers[plain.past]
        for level in range(1, found.highest + 1):
            assert found.reaching(level) == plain.reaching(level)
    found.put([(day, -amount) for day, amount in amounts.items() if amount], days)
    assert found.highest == 0
    assert found.changes == 0
