"""How Postgres carries out what functions of ours do within a statement."""

from typing import Any

import asyncpg

from sinks.pool import Connection


async def plans(db: Connection, query: str, *values: Any) -> list[str]:
    """How activities are read in the course of a statement, once for each time."""
    found: list[str] = []

    def listen(_: object, message: asyncpg.PostgresLogMessage) -> None:
        found.append(str(message))

    await db.execute("LOAD 'auto_explain'")
    await db.execute("SET auto_explain.log_min_duration = 0")
    await db.execute("SET auto_explain.log_nested_statements = on")
    db.add_log_listener(listen)
    await db.execute("SET client_min_messages = log")
    await db.fetch(query, *values)
    await db.execute("RESET client_min_messages")
    db.remove_log_listener(listen)
    return [plan for plan in found if "on activities" in plan or "on public.activities" in plan]
