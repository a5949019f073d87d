"""New versions of rules are taken up by one partition of a worker after another.

To take versions up is to decide every mentor of a partition, and its own rows wait for that. So the
partitions take turns: rows wait for their own partition alone. With a pause between them, a
database has some rest too.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LONGEST_S = 30.0
"""For how long one keeps others waiting that does not come to an end: Postgres is away, say."""


class Throttle:
    """Says when a partition of this process may take versions up.

    What cannot wait (a log's first turn, a row that names a rule which is not known yet) does not
    ask; the next one waits for it all the same.
    """

    def __init__(self, pause: float = 0.0) -> None:
        """`pause` is how many seconds lie between the end of one and the beginning of the next."""
        self._pause = pause
        self._opens: asyncio.TimerHandle | None = None
        self._waiting: set[Callable[[], None]] = set()

    def may_begin(self, wake: Callable[[], None]) -> bool:
        """Whether a partition may begin now; else `wake` is called when it may ask again."""
        if self._opens is None:
            return True
        self._waiting.add(wake)
        return False

    @contextmanager
    def taking_up(self) -> Iterator[None]:
        """Around what a partition does to take versions up, whatever becomes of it."""
        self._close(_LONGEST_S)
        try:
            yield
        finally:
            self._close(self._pause)

    def _close(self, seconds: float) -> None:
        if self._opens is not None:
            self._opens.cancel()
        self._opens = asyncio.get_running_loop().call_later(seconds, self._open)

    def _open(self) -> None:
        self._opens = None
        waiting, self._waiting = self._waiting, set()
        for wake in waiting:
            wake()
