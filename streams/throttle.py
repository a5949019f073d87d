"""New versions of rules are taken up by one partition of a worker after another, with pauses.

To take versions up is to decide every mentor of a partition: work that a database, or the rows that
arrive meanwhile, may want some rest from.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic


class Throttle:
    """Says when a partition of this process may take versions up. Without a pause always.

    What cannot wait (a log's first turn, a row that names a rule which is not known yet) does not
    ask; its time counts all the same.
    """

    def __init__(self, pause: float = 0.0, clock: Callable[[], float] = monotonic) -> None:
        """`pause` is how many seconds lie between the end of one and the beginning of the next."""
        self._pause = pause
        self._clock = clock
        self._under_way = 0
        self._free_at = clock()

    @property
    def is_open(self) -> bool:
        return not self._pause or (self._under_way == 0 and self._clock() >= self._free_at)

    @contextmanager
    def taking_up(self) -> Iterator[None]:
        """Around what a partition does to take versions up, whatever becomes of it."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._free_at = self._clock() + self._pause
