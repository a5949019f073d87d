"""What an error of Postgres means: it refuses something, or it has to be asked again later."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import asyncpg
from msgspec import Struct

from sinks.cancellation import is_cancelled
from sinks.errors import Disconnected, Refused, Unavailable

REFUSALS = {
    "22": "data exception",
    "23": "integrity constraint violation",
    "44": "WITH CHECK OPTION violation",
    "54": "program limit exceeded",
    "P0": "an exception raised by a trigger or function",
}
"""SQLSTATE classes that say no to what is to be written, whoever asks, and however often.

Everything else is Unavailable: lost connections (08), serialization and deadlocks (40), access
(28, 42), too many connections (53), timeouts and locks (55), shutdown and cancellation (57), and
the rest.
"""

LATER = ("08", "25", "28", "40", "53", "57P", "58", "F0")
"""SQLSTATE classes of a server, session or transaction in trouble: never about one row of many."""

LOST = ("08", "57P")
"""SQLSTATE classes of lost connections and of a server that stops or starts."""

LOCKED = "55P03"
"""The SQLSTATE of a lock that somebody else holds for too long."""

LONGEST_MESSAGE = 1_000

UNREACHED = (
    OSError,  # a TimeoutError is one
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What asyncpg raises for a server that is away, or was lost; what it says is a PostgresError."""

_OURS = "badges_private."
_NAME = r"(?:\"[^\"]+\"|[\w$]+)"
_CALL = re.compile(rf"{_NAME}(?:\.{_NAME})*\([^()]*\)")
_QUOTED = re.compile(r"\"([^\"]+)\"")


_Operation: TypeAlias = Literal["INSERT", "UPDATE", "INSERT or UPDATE", "DELETE"]


class Suppressed(asyncpg.TriggeredActionError):
    """A BEFORE trigger has returned NULL for a row, so that was not written, without an error.

    It is raised as if Postgres had: what refuses is rolled back, and waits.
    """

    def __init__(self, table: str, operation: _Operation) -> None:
        super().__init__(f"a trigger returned NULL, so the {operation} on {table} was not done")
        self.table = table
        self.operation = operation


class Refusal(Struct, frozen=True):
    """Why Postgres refuses something.

    `by` names what refuses, where the error tells: a function of the application (as
    to_regprocedure reads it), a constraint or a lock. It is `of_rows` when it may well be about
    some rows and not about others; otherwise one row that is written proves that.
    """

    sqlstate: str
    message: str
    by: str | None = None
    of_rows: bool = True


def refusal_of(error: asyncpg.PostgresError) -> Refusal | None:
    """What the error says about the rows of one statement; None: nothing, try again later."""
    sqlstate = error.sqlstate or ""
    if not sqlstate or sqlstate.startswith(LATER):
        return None
    message = f"{error.args[0] if error.args else ''}"[:LONGEST_MESSAGE].replace("\x00", "")
    by = _function(error.context or "") or _constraint(error)
    of_rows = by is not None or sqlstate[:2] in REFUSALS or sqlstate == LOCKED
    return Refusal(sqlstate, message, by, of_rows)


def _is_refusal(error: asyncpg.PostgresError) -> bool:
    return (error.sqlstate or "")[:2] in REFUSALS


def reason_of(error: asyncpg.PostgresError) -> str:
    """Name the error in one line, without the row's values that DETAIL may hold."""
    return f"{type(error).__name__}: {error.args[0] if error.args else ''} ({error.sqlstate})"


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of asyncpg and of the network into Refused or Unavailable.

    In a task that is cancelled they come of that, and in its place: the cancellation goes on.
    """
    try:
        yield
    except (asyncpg.PostgresError, *UNREACHED) as error:
        if is_cancelled():
            raise asyncio.CancelledError from error
        raise _translation(error) from error


def _translation(error: Exception) -> Refused | Unavailable:
    if isinstance(error, asyncpg.PostgresError):
        if _is_refusal(error):
            return Refused(reason_of(error), sqlstate=error.sqlstate)
        kind = Disconnected if (error.sqlstate or "").startswith(LOST) else Unavailable
        reason = f"Postgres cannot do this now: {reason_of(error)}"
        return kind(reason, sqlstate=error.sqlstate)
    return Disconnected(f"Postgres does not answer: {str(error) or type(error).__name__}")


def _function(context: str) -> str | None:
    """The innermost function that is not ours; a line of CONTEXT is in the server's language."""
    for line in context.splitlines():
        if "PL/" not in line:
            continue
        call, quoted = _CALL.search(line), _QUOTED.search(line)
        name = call[0] if call else quoted[1] if quoted else ""
        if name and not name.startswith(_OURS):
            return name
    return None


def _constraint(error: asyncpg.PostgresError) -> str | None:
    name, table = error.constraint_name, error.table_name
    return f"constraint {name} on {table}" if name and table else None
