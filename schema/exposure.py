"""What applications' users may read themselves, through PostgREST and Realtime, once exposed."""

from collections.abc import Mapping

import asyncpg

from schema.database import first_line
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Failure

EXPOSABLE = (
    "public.badge_awards",
    "public.badge_award_events",
    "public.peer_mentor_stats",
    "public.badge_definitions",
    "public.peer_mentor_stats_current",
    "public.peer_mentor_streaks_at_risk",
    "public.badge_progress(uuid)",
    "public.peer_mentor_streaks(uuid)",
    "public.unlocks_since(text)",
    "badges_private.claimed_organization()",
    "badges_private.claimed_role()",
    "badges_private.visible_mentors()",
    "badges_private.streaks_now(uuid,integer,date,integer,date,integer,date)",
)
"""All that can be: as badges_private.exposable() says. What policies and views call comes last."""


async def expose(connection: Connection, claims: Mapping[str, str]) -> list[str]:
    """Let `authenticated` read awards, events, stats and definitions; what was given to it.

    `claims` are the dotted paths in a token that lead to mentor, organization and role. Safe to do
    again. Raises Failure, with nothing exposed, where that role is missing or everybody would read
    all definitions.
    """
    try:
        async with connection.transaction():
            for claim, path in claims.items():
                await connection.execute(
                    "UPDATE badges_private.claim_paths SET path = $2 WHERE claim = $1", claim, path
                )
            await connection.execute("SELECT badges_private.expose()")
            return await _given(connection)
    except (asyncpg.UndefinedObjectError, asyncpg.ObjectNotInPrerequisiteStateError) as error:
        raise Failure(
            f"nothing was exposed: {first_line(error)}", hint=error.hint, code=FOUND_A_PROBLEM
        ) from error


async def conceal(connection: Connection) -> list[str]:
    """Take back all that was exposed; what was taken."""
    async with connection.transaction():
        given = await _given(connection)
        await connection.execute("SELECT badges_private.conceal()")
        return given


async def _given(connection: Connection) -> list[str]:
    rows = await connection.fetch(
        "SELECT given FROM badges_private.exposed "
        "WHERE given LIKE 'public.%' ORDER BY array_position(badges_private.exposable(), given)"
    )
    return [row["given"].removeprefix("public.") for row in rows]
