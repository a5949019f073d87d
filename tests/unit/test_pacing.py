"""Others have a turn after some milliseconds of work, however dear or cheap its items are."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from streams import pacing
from streams.pacing import SPELL_SECONDS, in_spells


@dataclass
class Worked:
    """Work of which each item takes as long as a clock of its own says."""

    seconds: list[float]
    now: float = 0.0
    spells: list[list[int]] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)
    """When somebody else had a turn."""

    def work(self, items: Iterator[int]) -> int | None:
        self.spells.append([])
        for item in items:
            if self.seconds[item] < 0:
                return item
            self.now += self.seconds[item]
            self.spells[-1].append(item)
        return None

    def run(self, monkeypatch: pytest.MonkeyPatch) -> int | None:
        monkeypatch.setattr(pacing, "monotonic", lambda: self.now)

        async def somebody_else() -> None:
            while True:
                self.turns.append(self.now)
                await asyncio.sleep(0)

        async def both() -> int | None:
            other = asyncio.create_task(somebody_else())
            await asyncio.sleep(0)
            try:
                return await in_spells(self.work, range(len(self.seconds)))
            finally:
                other.cancel()

        return asyncio.run(both())


@pytest.mark.parametrize("share", [0.001, 0.1, 0.3, 1.0, 50.0])
def test_nobody_waits_longer_than_a_spell_and_an_item(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = share * SPELL_SECONDS
    worked = Worked([each] * 2_500)
    assert worked.run(monkeypatch) is None
    assert [item for spell in worked.spells for item in spell] == list(range(2_500))
    waits = [later - earlier for earlier, later in pairwise(worked.turns)]
    assert max(waits) <= SPELL_SECONDS + each * 1.01
    assert min(len(spell) * each for spell in worked.spells[:-1]) >= SPELL_SECONDS * 0.99


def test_it_ends_with_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    worked = Worked([0.6 * SPELL_SECONDS] * 5 + [-1.0, 1.0])
    assert worked.run(monkeypatch) == 5
    assert worked.spells == [[0, 1], [2, 3], [4]]


def test_without_items_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    worked = Worked([])
    assert worked.run(monkeypatch) is None
    assert worked.spells == []
