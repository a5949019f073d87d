"""A Postgres of an older version for tests, from programs that are installed on the machine."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

import asyncpg

from tests.stack import LIMIT_S, free_port_base, wait_for, when_free

HOST = "127.0.0.1"
OWNER = "postgres"


async def copy(server: str, name: str, model: str) -> None:
    """Copy a database of the server at a URL; Postgres waits 5 s for those who are leaving it."""
    statement = f'CREATE DATABASE "{name}" TEMPLATE "{model}"'
    await when_free(lambda: execute(f"{server}/postgres", statement))


class Server(Protocol):
    """A running Postgres that gives out databases."""

    def create_database(self) -> str:
        """Make an empty database; returns its owner's URL."""
        ...

    def drop_database(self, url: str) -> None:
        """Drop the database of that URL, whoever is connected."""
        ...

    def role_url(self, role: str, url: str | None = None) -> str:
        """Return the URL of that database for a role."""
        ...


class Installed:
    """A server that trusts everybody who connects from this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = count(1)

    def create_database(self) -> str:
        name = f"test_{next(self._numbers)}"
        statement = f'CREATE DATABASE "{name}"'
        asyncio.run(when_free(lambda: execute(self._url("postgres"), statement)))
        return self._url(name)

    def drop_database(self, url: str) -> None:
        name = url.rpartition("/")[2]
        statement = f'DROP DATABASE "{name}" WITH (FORCE)'
        asyncio.run(when_free(lambda: execute(self._url("postgres"), statement)))

    def role_url(self, role: str, url: str | None = None) -> str:
        return (url or self._url("postgres")).replace(f"//{OWNER}@", f"//{role}@")

    def _url(self, database: str) -> str:
        return f"postgresql://{OWNER}@{HOST}:{self._port}/{database}"


async def execute(url: str, *statements: str) -> None:
    """Run each statement in its own transaction."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def running(folder: Path) -> Iterator[Installed]:
    """Start a server of these programs on a free port; it ends, and its data goes, at the exit."""
    home = Path(tempfile.mkdtemp(prefix="badges-postgres-"))
    # Postgres refuses to run as root.
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    if user is not None:
        os.chown(home, user, -1)
    port = free_port_base()
    data = home / "data"
    subprocess.run(
        [folder / "initdb", "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C"],
        check=True,
        capture_output=True,
        cwd=home,
        user=user,
    )
    options = ["wal_level=logical", "fsync=off", f"listen_addresses={HOST}", "timezone=UTC"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                folder / "postgres", "-D", data, "-p", str(port), "-k", "",
                *(part for option in options for part in ("-c", option)),
            ],
            stdout=log,
            stderr=log,
            cwd=home,
            user=user,
        )  # fmt: skip
    try:
        wait_for(lambda: _answers(port), LIMIT_S, "an answer of Postgres")
        yield Installed(port)
    finally:
        process.terminate()
        process.wait(LIMIT_S)
        shutil.rmtree(home, ignore_errors=True)


def _answers(port: int) -> bool:
    try:
        asyncio.run(execute(f"postgresql://{OWNER}@{HOST}:{port}/postgres", "SELECT 1"))
    except (OSError, asyncpg.PostgresError):
        return False
    return True
