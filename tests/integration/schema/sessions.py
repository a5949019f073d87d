"""Sessions as a restore has them, and values as people have them, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from string import ascii_letters, digits

from schema import apply
from sinks.pool import Connection


def long_text(length: int, seed: int = 0) -> str:
    """Text that cannot be compressed, so that Postgres stores it out of line."""
    return "".join(Random(seed).choices(ascii_letters + digits, k=length))


@asynccontextmanager
async def triggers_off(db: Connection) -> AsyncIterator[None]:
    """A session as a restore has it, or who loads seeds."""
    await db.execute("SET session_replication_role = replica")
    try:
        yield
    finally:
        await db.execute("RESET session_replication_role")


async def migrate(db: Connection) -> apply.Report:
    """Migrate as the command does."""
    return await apply.migrate(db, prefix="badges", role_passwords={})
