"""The pipeline that the tests of the whole path share."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from badges.stack.infra import PARTS
from tests.integration import found
from tests.integration.pipeline import Rig, pipeline
from tests.reruns import FAILED
from tests.stack import Stack


class Rigs:
    """One pipeline at a time, made when it is asked for."""

    def __init__(self, stack: Stack, tables: str | None = None) -> None:
        """`tables` are SQL that an application ran before anything of ours was there."""
        self._stack = stack
        self._tables = tables
        self._resources = ExitStack()
        self._rig: Rig | None = None

    def current(self) -> Rig:
        """The pipeline that there is, or a new one."""
        if self._rig is None:
            before = None if self._tables else found.insert
            made = pipeline(self._stack, before, tables=self._tables)
            self._rig = self._resources.enter_context(made)
        return self._rig

    def discard(self) -> None:
        """Remove the pipeline, if there is one; for that all parts have to be there."""
        self._stack.repair(PARTS)
        self._rig = None
        self._resources.close()


@pytest.fixture(scope="module")
def rigs(stack: Stack) -> Iterator[Rigs]:
    """The pipelines of one file: a single one, unless a test fails."""
    made = Rigs(stack)
    yield made
    made.discard()


@pytest.fixture
def rig(rigs: Rigs, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A live generation of the log for one file, whose tests have people of their own in it.

    One in which a test has failed is not used again: what is wrong there would fail the next too.
    """
    yield rigs.current()
    if request.node.stash.get(FAILED, False):
        rigs.discard()


@pytest.fixture
def own(stack: Stack) -> Iterator[Rig]:
    """A pipeline of one test, whose generation or database does not stay as it is."""
    with pipeline(stack) as made:
        yield made


@pytest.fixture
def working(rig: Rig) -> Rig:
    """The pipeline with one worker, which nobody disturbs."""
    rig.pipeline.ensure_a_worker()
    return rig


@pytest.fixture
def unmanned(rig: Rig) -> Iterator[Rig]:
    """The pipeline without a worker; those that a test starts end with it."""
    rig.pipeline.end_workers()
    yield rig
    rig.pipeline.end_workers()
