"""What an error of Postgres means for a turn: the data are refused, or try again later."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from badges.sinks.base import Disconnected, Unavailable

REFUSALS = {
    "22": "data exception",
    "23": "integrity constraint violation",
    "44": "WITH CHECK OPTION violation",
    "54": "program limit exceeded",
    "P0": "an exception raised by a trigger or function",
}
"""SQLSTATE classes that blame the data: the same row would be refused again.

Everything else is Unavailable, for a turn is never lost to a missing right, a full disk or an
unknown error: lost connections (08), serialization and deadlocks (40), access (28, 42), too many
connections (53), timeouts and locks (55), shutdown and cancellation (57), and the rest.
"""


LOST = ("08", "57P")
"""SQLSTATE classes of lost connections and of a server that stops or starts."""


class Refused(Exception):
    """Postgres refuses what a turn wants to write; nothing was written."""


def is_refusal(error: asyncpg.PostgresError) -> bool:
    """Say whether the error blames the data."""
    return (error.sqlstate or "")[:2] in REFUSALS


def reason_of(error: asyncpg.PostgresError) -> str:
    """Name the error in one line, without the row's values that DETAIL may hold."""
    return f"{type(error).__name__}: {error.args[0] if error.args else ''} ({error.sqlstate})"


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of asyncpg and of the network into Refused or Unavailable."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if is_refusal(error):
            raise Refused(reason_of(error)) from error
        kind = Disconnected if (error.sqlstate or "").startswith(LOST) else Unavailable
        raise kind(f"Postgres cannot do this now: {reason_of(error)}") from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
        raise Disconnected(f"Postgres does not answer: {error or type(error).__name__}") from error
