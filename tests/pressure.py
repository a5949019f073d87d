"""For how long somebody on this machine has waited for a core or a disk, by what Linux counts.

A promise in seconds is one of a machine that has time: tests run several stacks on two cores.
"""

from math import isnan
from pathlib import Path

MOST_S = 30.0
"""What is forgiven at most, and all of it where the machine does not tell how long that was."""
_COUNTED = (Path("/proc/pressure/cpu"), Path("/proc/pressure/io"))


def waited() -> float:
    """So many seconds until now; nan where the machine does not tell."""
    try:
        lines = [path.read_text().splitlines()[0] for path in _COUNTED]
    except OSError:
        return float("nan")
    return sum(int(line.rpartition("total=")[2]) / 1e6 for line in lines)


def since(before: float) -> float:
    """So many seconds since `waited` said `before`."""
    more = waited() - before
    return MOST_S if isnan(more) else min(more, MOST_S)
