"""Fixtures that every test may use: the real stack, and an empty database in it."""

import signal
from collections.abc import Iterator

import pytest

from tests.stack import Stack, running_postgres


def pytest_configure() -> None:
    """Let SIGTERM end a run as ctrl-C does, so that fixtures are torn down."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Stack]:
    """Postgres 18 alone, started once for the run."""
    with running_postgres() as stack:
        yield stack


@pytest.fixture(scope="session")
def stack(postgres: Stack) -> Stack:
    """Postgres, Kafka and Connect, started once for the run.

    A test that stops or pauses a part starts it again.
    """
    postgres.start()
    return postgres


@pytest.fixture
def database_url(postgres: Stack) -> Iterator[str]:
    """An empty database of the test's own; the URL is its owner's."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)
