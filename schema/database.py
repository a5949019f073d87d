"""One connection to Postgres, and errors of the database as one clear line."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg

from sinks.failures import UNREACHED
from sinks.pool import KEEPALIVES, Connection
from streams.errors import Failure

CONNECT_TIMEOUT_S = 30
_CLOSE_TIMEOUT_S = 5
_PORT = re.compile(r"\]?:[0-9]+$")

OWN_SETTINGS = {
    "statement_timeout": "0",
    # Where our tables are.
    "search_path": "public",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    **KEEPALIVES,
}
"""What a command needs, whatever the database, the role or the URL says of it."""


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Connection]:
    """A connection that is closed at the end. Raises Failure when Postgres does not answer."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except (*UNREACHED, ValueError, asyncpg.PostgresError) as error:
        raise Failure(
            f"Postgres at {where(url)} refuses the connection: {first_line(error)}",
            hint="Check BADGES_DATABASE_URL and that the server runs.",
        ) from error
    try:
        for setting, value in OWN_SETTINGS.items():
            await connection.execute(f"SET {setting} = {value}")
        if connection.get_server_version() >= (17, 0):
            await connection.execute("SET transaction_timeout = 0")
        yield connection
    finally:
        # A server that hangs is not waited for: asyncpg gives the connection up.
        with suppress(TimeoutError):
            await connection.close(timeout=_CLOSE_TIMEOUT_S)


def first_line(error: BaseException) -> str:
    """What the error says in one line, or its kind when it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def advice(error: BaseException) -> str:
    """The error in one line, with its hint; it ends as a sentence does."""
    hint = getattr(error, "hint", None)
    words = f"{first_line(error)}. {hint}" if hint else first_line(error)
    return words if words.endswith((".", ";")) else f"{words}."


def where(url: str) -> str:
    """HOST:PORT/DATABASE of a URL, for people; nothing of who connects."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    hosts = unquote(parts.netloc.rpartition("@")[2]) or query.get("host", "localhost")
    alone = not hosts.startswith("/") and "," not in hosts and not _PORT.search(hosts)
    port = f":{query.get('port', '5432')}" if alone else ""
    return f"{hosts}{port}{parts.path}"
