"""Ctrl-C while the processes of a replay begin: heard afterwards, and by this process alone."""

import multiprocessing
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest

from badges.upkeep.replaying import ctrl_c_waits


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Every SIGINT that is heard."""
    signals: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: signals.append(number))
    yield signals
    signal.signal(signal.SIGINT, before)


def _interrupt(pipe: "Connection[Any, Any]") -> None:
    signal.raise_signal(signal.SIGINT)
    pipe.send("alive")


def test_ctrl_c_waits_here_and_is_never_heard_by_those_that_begin_meanwhile(
    heard: list[int],
) -> None:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_interrupt, args=(theirs,))
    with ctrl_c_waits():
        process.start()
        signal.raise_signal(signal.SIGINT)
        assert heard == []
    assert heard == [signal.SIGINT]
    theirs.close()
    assert ours.recv() == "alive"
    process.join()
