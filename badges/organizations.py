"""Organizations as people at a prompt name them."""

from typing import Final
from uuid import UUID

from msgspec import Struct

from sinks.pool import Connection
from streams.errors import Failure
from tables.documents import nearest, shown

_FIND: Final = """
    SELECT id, slug FROM public.organizations WHERE slug = $1 OR id::text = lower($1)
    ORDER BY slug = $1 DESC LIMIT 1
"""
_SLUGS: Final = "SELECT slug FROM public.organizations WHERE slug IS NOT NULL ORDER BY slug"
_ACT_FOR: Final = "SELECT set_config('badges.organization', $1, true)"


class Organization(Struct, frozen=True):
    """One organization."""

    id: UUID
    slug: str | None


async def find(connection: Connection, name: str) -> Organization:
    """The organization of a slug or an id. Raises Failure where there is none."""
    row = await connection.fetchrow(_FIND, name)
    if row is not None:
        return Organization(row["id"], row["slug"])
    slugs = [each["slug"] for each in await connection.fetch(_SLUGS)]
    close = nearest(name, slugs)
    raise Failure(
        f"no organization has the slug or id {shown(name)}{f' ({close})' if close else ''}",
        hint="SELECT slug, id FROM organizations lists them",
    )


async def act_for(connection: Connection, organization_id: UUID) -> None:
    """Let what asks for the organization of the claims ask for this one, in this transaction."""
    await connection.execute(_ACT_FOR, str(organization_id))
