"""/v1/peer-mentors: the organization's mentors, for those who coordinate, and each for oneself."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from badges.api.callers import AnyCaller, Coordinator
from badges.api.database import acting, acting_for
from badges.api.paging import Limit, Page, page
from badges.queries.tenancy import is_own

router = APIRouter(prefix="/v1/peer-mentors", tags=["peer mentors"])

_FIND = f"""
    SELECT id AS peer_mentor_id, display_name, active FROM peer_mentors m
    WHERE {is_own("m")}
        AND ($1 = '' OR strpos(lower(display_name), lower($1)) > 0)
        AND ($2::uuid IS NULL OR id > $2)
    ORDER BY id LIMIT $3
"""

_ONE = "SELECT id AS peer_mentor_id, display_name, active FROM peer_mentors WHERE id = $1"


class PeerMentor(BaseModel):
    """One mentor."""

    peer_mentor_id: UUID
    display_name: str | None
    active: bool


@router.get("")
async def find(
    request: Request,
    caller: Coordinator,
    search: Annotated[str, Query(max_length=200)] = "",
    limit: Limit = 100,
    after: UUID | None = None,
) -> Page[PeerMentor]:
    """The mentors whose name has `search` in it, by id."""
    async with acting(request, caller) as connection:
        rows = await connection.fetch(_FIND, search, after, limit + 1)
    found = [PeerMentor(**row) for row in rows]
    return page(found, limit, lambda each: each.peer_mentor_id)


@router.get("/{peer_mentor_id}")
async def read_one(request: Request, caller: AnyCaller, peer_mentor_id: UUID) -> PeerMentor:
    """One mentor, for whoever may read what the mentor has earned."""
    async with acting_for(request, caller, peer_mentor_id) as connection:
        row = await connection.fetchrow(_ONE, peer_mentor_id)
    assert row is not None
    return PeerMentor(**row)
