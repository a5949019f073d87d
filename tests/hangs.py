"""A test that hangs ends its process, with the stacks of all threads, and fails; the rest go on.

Nothing that it waits for can be trusted to end, its loop and its fixtures included, so it is the
process that ends. `tests/scheduling.py` gives what it still had to do to others. What threads and
coroutines were at is kept in build/hung/, and told with the failure.
"""

import asyncio
import faulthandler
import gc
import os
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

LIMIT_S = 600.0
"""For a test's fixtures, the test itself and their end, each: many times what the longest takes."""
_TO_TELL_S = 60.0
"""After so long the process ends, whether everything is written down or not."""


class _Watch:
    """Writes down what this process is at, and ends it, where a part of a test takes too long."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._test, self._stderr = "", 2
        self._at = float("inf")
        self._one_at_a_time = threading.Lock()
        threading.Thread(target=self._look, daemon=True).start()

    def begin(self, test: str, stderr: int) -> None:
        """Count from now, for a part of that test; errors go where that leads."""
        with self._one_at_a_time:
            self._test, self._stderr = test, stderr
            self._at = time.monotonic() + LIMIT_S
            self._end_after(LIMIT_S + _TO_TELL_S)

    def end(self) -> None:
        """Count no more."""
        with self._one_at_a_time:
            self._at = float("inf")
            faulthandler.cancel_dump_traceback_later()

    def _end_after(self, seconds: float) -> None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._stderr)

    def _look(self) -> None:
        while True:
            time.sleep(1)
            with self._one_at_a_time:
                if time.monotonic() > self._at:
                    self._at = float("inf")
                    self._tell()
                    self._end_after(0.01)

    def _tell(self) -> None:
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        # Line by line: the process may be ended at any.
        with self._kept.open("w", buffering=1) as file:
            print(self._test, file=file)
            faulthandler.dump_traceback(file)
            # Some of what the collector knows fails when it is asked for its class.
            for each in gc.get_objects():
                if issubclass(type(each), asyncio.Task) and not each.done():
                    print(f"\n{each.get_name()}:", *_places(each.get_coro()), sep="\n  ", file=file)


def _places(awaited: Any) -> Iterator[str]:
    """Where a coroutine is at, and each that it waits for in turn."""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is None:
            yield repr(awaited)
            return
        yield f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


_WATCH = pytest.StashKey[_Watch]()


def _kept(config: pytest.Config, process: str) -> Path:
    """Where a process of a run (gw0, gw1, ...) writes down what it was at."""
    return config.rootpath / "build" / "hung" / f"{process}.txt"


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch."""
    kept = _kept(config, os.environ.get("PYTEST_XDIST_WORKER", "alone"))
    kept.unlink(missing_ok=True)
    config.stash[_WATCH] = _Watch(kept)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Stop counting with the very end of a test."""
    try:
        return (yield)
    finally:
        item.config.stash[_WATCH].end()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _begin(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    _begin(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    _begin(item)


def _begin(item: pytest.Item) -> None:
    # pytest keeps where errors went before it began to capture them.
    stderr = item.config.stash[fault_handler_stderr_fd_key]
    item.config.stash[_WATCH].begin(item.nodeid, stderr)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(report: Any, sched: Any) -> None:
    """Tell of a test whose process has ended what that was at."""
    kept = _kept(sched.config, report.node.gateway.id)
    if kept.exists():
        report.sections.append(("where it hung", kept.read_text()))
