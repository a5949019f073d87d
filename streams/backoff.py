"""How long to wait before asking again: from a twentieth of a second up to two, with jitter."""

import random
from collections.abc import Iterator

FIRST_SECONDS = 0.05
MOST_SECONDS = 2.0


def delays() -> Iterator[float]:
    """Yield delays in seconds, each twice the one before, spread so that workers do not march."""
    delay = FIRST_SECONDS
    while True:
        yield delay * random.uniform(0.5, 1.0)
        delay = min(delay * 2, MOST_SECONDS)
