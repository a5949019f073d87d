"""How long to wait before asking again: longer each time up to a bound, with jitter."""

import random
from collections.abc import Iterator

_FIRST_SECONDS = 0.05
_MOST_SECONDS = 2.0


def delays(first: float = _FIRST_SECONDS, most: float = _MOST_SECONDS) -> Iterator[float]:
    """Yield delays in seconds, each twice the one before, spread so that not all ask at once.

    They never end: whoever tries until it succeeds takes the `next` of them.
    """
    delay = first
    while True:
        yield delay * random.uniform(0.5, 1.0)
        delay = min(delay * 2, most)
