"""A test that hangs ends its process, with the stacks of all threads, and fails; the rest go on.

Nothing that it waits for can be trusted to end, its loop and its fixtures included, so it is the
process that ends. `tests/scheduling.py` gives what it still had to do to others.
"""

import faulthandler
from collections.abc import Generator

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

LIMIT_S = 600.0
"""For a test's fixtures, the test itself and their end, each: many times what the longest takes."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Stop counting with the very end of a test."""
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


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
    told = item.config.stash[fault_handler_stderr_fd_key]
    faulthandler.dump_traceback_later(LIMIT_S, exit=True, file=told)
