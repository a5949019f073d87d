"""What an application may do to the worker's writes, and what is seen of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from tests.integration.pipeline import Pipeline

RAISES = "RAISE EXCEPTION 'the webhook failed' USING ERRCODE = '{}'"
CALLS_WHAT_IS_NOT_THERE = "PERFORM public.no_such_function(1)"
REFUSALS = {
    "P0001": RAISES.format("P0001"),
    "23514": RAISES.format("23514"),
    "42501": RAISES.format("42501"),
    "42883": CALLS_WHAT_IS_NOT_THERE,
    "09000": "RETURN NULL",
}
"""What a trigger does, by the SQLSTATE that comes of it; one that returns NULL comes before."""


@asynccontextmanager
async def refusing(p: Pipeline, badge: UUID, sqlstate: str = "P0001") -> AsyncIterator[None]:
    """Within, a trigger of the application fails for every new award of a badge."""
    when = "BEFORE" if sqlstate == "09000" else "AFTER"
    await p.pool.execute(
        f"""
        CREATE FUNCTION app_notify() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.badge_definition_id = '{badge}' THEN {REFUSALS[sqlstate]}; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER app_notify {when} INSERT ON badge_awards
            FOR EACH ROW EXECUTE FUNCTION app_notify();
        """
    )
    try:
        yield
    finally:
        await p.pool.execute("DROP FUNCTION app_notify CASCADE")


async def waiting(p: Pipeline, mentor: UUID) -> list[asyncpg.Record]:
    """What waits about a mentor, in its order."""
    return await p.pool.fetch(
        "SELECT * FROM badge_refused_writes WHERE peer_mentor_id = $1 ORDER BY id", mentor
    )
