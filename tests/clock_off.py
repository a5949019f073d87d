"""The `badges` command by a wrong clock: `python -m tests.clock_off worker`, and so on.

BADGES_TEST_CLOCK_AHEAD says by how many seconds it is ahead, less than 0 for behind. On SIGUSR1
what was ahead is behind from then on. Only the date is wrong: monotonic clocks never are.
"""

import datetime
import os
import signal
import sys
import time
from datetime import datetime as RightDatetime  # noqa: N812
from typing import Any

from badges import worker_process
from badges.cli import commands
from badges.cli.main import main
from streams import batching

AHEAD = "BADGES_TEST_CLOCK_AHEAD"

LOADED_LATER = (commands, worker_process, batching)
"""Modules that the worker would load later: their annotations must name the right classes."""

_right_time, _right_time_ns = time.time, time.time_ns


class Clock:
    """By how much the clock of this process is ahead."""

    ahead = datetime.timedelta()


def wrong_time() -> float:
    return _right_time() + Clock.ahead.total_seconds()


def wrong_time_ns() -> int:
    return _right_time_ns() + int(Clock.ahead.total_seconds()) * 10**9


class _AnyDatetime(type):
    """Makes a right instant an instance of the wrong class too: libraries ask."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, RightDatetime)


class WrongDatetime(RightDatetime, metaclass=_AnyDatetime):
    """Reads the wrong clock; what it makes is of the right class."""

    def __new__(cls, *args: Any, **named: Any) -> Any:
        return RightDatetime(*args, **named)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return RightDatetime.now(tz) + Clock.ahead

    @classmethod
    def utcnow(cls) -> Any:
        return RightDatetime.utcnow() + Clock.ahead


def put_wrong(seconds: float) -> None:
    """Let every module that is loaded, or will be, read the wrong clock."""
    Clock.ahead = datetime.timedelta(seconds=seconds)
    wrong = {
        id(_right_time): wrong_time,
        id(_right_time_ns): wrong_time_ns,
        id(RightDatetime): WrongDatetime,
    }
    for module in list(sys.modules.values()):
        if module is not sys.modules[__name__]:
            for name, value in list(vars(module).items()):
                if id(value) in wrong:
                    setattr(module, name, wrong[id(value)])


def turn_back(*_: object) -> None:
    """What was ahead is behind, and the other way round."""
    Clock.ahead = -Clock.ahead


if __name__ == "__main__":
    put_wrong(float(os.environ[AHEAD]))
    signal.signal(signal.SIGUSR1, turn_back)
    main()
