"""Fixtures of the tests that need no stack."""

import pytest
from hypothesis import settings

from tests.doubles.memory_log import MemoryLog
from tests.records import Writer
from tests.seeds import seeds

settings.register_profile("seeds", max_examples=len(seeds(settings().max_examples)))
settings.load_profile("seeds")


@pytest.fixture
def writer() -> Writer:
    """Appends rows to a log of one partition."""
    return Writer(MemoryLog())
