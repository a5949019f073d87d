"""For how long somebody on this machine has waited for a core or a disk, by what Linux counts.

What the machine's own host gave to others counts too: nobody here is seen to wait for that.

A promise in seconds is one of a machine that has time: tests run several stacks on two cores.
"""

import os
from math import isnan
from pathlib import Path

import psutil

MOST_S = 30.0
"""What is forgiven at most, and all of it where the machine does not tell how long that was."""
_COUNTED = (Path("/proc/pressure/cpu"), Path("/proc/pressure/io"))


def waited() -> float:
    """So many seconds until now; nan where the machine does not tell."""
    try:
        lines = [path.read_text().splitlines()[0] for path in _COUNTED]
    except OSError:
        return float("nan")
    stolen = psutil.cpu_times().steal / (os.cpu_count() or 1)
    return stolen + sum(int(line.rpartition("total=")[2]) / 1e6 for line in lines)


def since(before: float) -> float:
    """So many seconds since `waited` said `before`."""
    more = waited() - before
    return MOST_S if isnan(more) else min(more, MOST_S)
