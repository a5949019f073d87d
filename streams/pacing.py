"""Long work in short spells, so that the event loop never waits for one mentor or one batch.

What a record costs depends on the rules and on its mentor's history, so spells end by the clock.
A spell is not broken off inside one item.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from time import monotonic
from typing import Final, TypeVar

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

GC_THRESHOLDS: Final = (100_000, 50, 100)
"""A fold makes millions of objects that stay and few cycles: looking seldom saves its pauses."""

SPELL_SECONDS: Final = 0.01
"""For how long others wait at most, one item aside."""


async def in_spells(
    work: Callable[[Iterator[_Item]], _Answer | None], items: Iterable[_Item]
) -> _Answer | None:
    """Give the items to `work`, some at a time, until it finds something; what it found.

    It must take all that it is given, unless it finds something. Others have a turn after each
    spell.
    """
    left = iter(items)
    for item in left:
        found = work(_until(monotonic() + SPELL_SECONDS, chain((item,), left)))
        if found is not None:
            return found
        await asyncio.sleep(0)
    return None


def _until(end: float, items: Iterator[_Item]) -> Iterator[_Item]:
    """Items until it is so late, one at least."""
    for item in items:
        yield item
        if monotonic() >= end:
            return


class Pace:
    """Holds back whoever would do more than so many a second; `None` holds nobody back."""

    def __init__(self, most: float | None) -> None:
        self._most = most
        self._due = 0.0
        """When what was done so far may be done (the loop's time)."""

    async def did(self, number: int) -> None:
        """Return as soon as more may be done."""
        if self._most is None:
            return
        now = asyncio.get_running_loop().time()
        # What was not done while there was time is not caught up with later.
        self._due = max(self._due, now) + number / self._most
        await asyncio.sleep(self._due - now)
