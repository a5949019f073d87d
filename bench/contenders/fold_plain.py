"""The product's own fold without definitions: the job that frameworks are usually compared by.

Counts, minutes, types and the runs of days, weeks and months, late and deleted rows included.
"""

from bench.contenders.fold import fold
from bench.contenders.race import Lap, contend
from bench.definitions import versions
from bench.topic import Filled


async def race(filled: Filled) -> Lap:
    """Fold the whole topic into counters and streaks."""
    organization, *_ = versions()
    lap, _ = await fold(filled, [organization])
    return lap


if __name__ == "__main__":
    contend(race)
