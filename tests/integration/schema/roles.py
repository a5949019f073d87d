"""Sessions that act as another role, with the claims of somebody, for tests."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sinks.pool import Connection

SUPABASE_ROLES = ("anon", "authenticated", "service_role")


@asynccontextmanager
async def claiming(db: Connection, role: str, claims: Mapping[str, object]) -> AsyncIterator[None]:
    """Within, the connection acts as the role, with these claims, as PostgREST has it."""
    await db.execute(f"SET ROLE {role}")
    await db.execute("SELECT set_config('request.jwt.claims', $1, false)", json.dumps(claims))
    try:
        yield
    finally:
        await db.execute("RESET ROLE")
        await db.execute("RESET request.jwt.claims")


@asynccontextmanager
async def acting(
    db: Connection, role: str, organization: object = "", claimed: str = "coordinator"
) -> AsyncIterator[None]:
    """Within, the connection acts as the role, with claims of an organization and a role in it."""
    metadata = {"organization_id": str(organization), "role": claimed}
    async with claiming(db, role, {"sub": "someone", "app_metadata": metadata}):
        yield
