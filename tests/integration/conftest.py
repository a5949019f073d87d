"""The pipeline that the tests of the whole path share."""

from collections.abc import Iterator

import pytest

from tests.integration import found
from tests.integration.pipeline import Rig, pipeline
from tests.stack import Stack


@pytest.fixture(scope="module")
def rig(stack: Stack) -> Iterator[Rig]:
    """A live generation of the log for one file, whose tests have people of their own in it."""
    with pipeline(stack, found.insert) as made:
        yield made


@pytest.fixture(scope="module")
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
