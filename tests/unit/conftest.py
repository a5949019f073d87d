"""Fixtures of the tests that need no stack."""

import pytest

from tests.doubles.memory_log import MemoryLog
from tests.records import Writer


@pytest.fixture
def writer() -> Writer:
    """Appends rows to a log of one partition."""
    return Writer(MemoryLog())
