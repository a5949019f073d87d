"""Keeps the worker and the API running, as compose's `restart: unless-stopped` does."""

import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from badges.stack import processes, services
from badges.stack.addresses import SERVICES
from badges.stack.infra import Infra
from streams.errors import Failure

_FIRST_WAIT = 0.1
LONGEST_WAIT = 30.0
_STEADY = 10.0
"""Seconds that a process must have run for the next wait to begin small again."""


@dataclass
class Restart:
    """When a process that died may be started again: at once, then after twice as long."""

    wait: float = _FIRST_WAIT
    started: float = 0.0
    due: float = 0.0

    def died(self, now: float) -> None:
        """Note the death at `now` (monotonic seconds) and set when it is due again."""
        self.wait = (
            _FIRST_WAIT if now - self.started > _STEADY else min(self.wait * 2, LONGEST_WAIT)
        )
        self.due = now + self.wait

    def begun(self, now: float) -> None:
        """Note the start at `now` (monotonic seconds)."""
        self.started, self.due = now, 0.0


def supervise(infra: Infra) -> None:
    """Start what does not run, watch it, and stop it at SIGTERM; returns after that."""
    ending = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: ending.set())
    restarts = {name: Restart() for name in SERVICES}
    while not ending.wait(0.1):
        for name, restart in restarts.items():
            _look_after(infra, name, restart)
    for name in reversed(SERVICES):
        process = infra.process(name)
        if process is not None:
            processes.stop(process, patience=10)


def _look_after(infra: Infra, name: str, restart: Restart) -> None:
    if infra.process(name) is not None:
        return
    now = time.monotonic()
    if restart.started and not restart.due:
        restart.died(now)
        _say(f"{name} ended; starting it again in {restart.wait:.1f} s")
    if now >= restart.due:
        restart.begun(now)
        try:
            processes.spawn(infra.layout, services.command(infra, name))
        except (Failure, OSError) as error:
            restart.died(now)
            _say(f"{error}; trying again in {restart.wait:.1f} s")


def _say(line: str) -> None:
    # Where the disk is full nobody can be told, and all the same it goes on.
    with suppress(OSError):
        print(line, flush=True)
