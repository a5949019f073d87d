"""How a contender is started, what it is told, and what it answers."""

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping

import msgspec
from msgspec import Struct

from bench.topic import Filled
from streams.errors import FOUND_A_PROBLEM, Failure
from streams.pacing import GC_THRESHOLDS
from tests.stack import ROOT

PATIENCE = 600
"""Seconds that a contender may take."""


class Lap(Struct, frozen=True):
    """What a contender did: records read, in how many seconds of wall and of its own CPU time.

    `details` are figures of its own.
    """

    records: int
    seconds: float
    cpu_seconds: float
    details: Mapping[str, float] = {}

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds


class Watch:
    """Wall and CPU time of this process, from the moment it is made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def lap(self, records: int) -> Lap:
        """What was done since."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Lap(records, wall, cpu)


def run(name: str, filled: Filled) -> Lap:
    """Run a contender to its end. Raises Failure with its own words when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", f"bench.contenders.{name}", msgspec.json.encode(filled).decode()],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=PATIENCE,
    )
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()[-2000:]
        raise Failure(f"{name} failed ({done.returncode}): {words}", code=FOUND_A_PROBLEM)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Lap)


def contend(race: Callable[[Filled], Coroutine[None, None, Lap]]) -> None:
    """Be a contender, collecting garbage as a worker does: read what is told, print the lap."""
    gc.set_threshold(*GC_THRESHOLDS)
    filled = msgspec.json.decode(sys.argv[1], type=Filled)
    print(msgspec.json.encode(asyncio.run(race(filled))).decode(), flush=True)
