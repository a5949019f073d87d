"""/v1/me: whose token it is, so that a page shows what its user may do."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from badges.api.callers import AnyCaller, Caller
from badges.api.database import acting, acting_for
from badges.api.problem import responses
from badges.queries.tenancy import is_own
from badges.roles import Role
from sinks.pool import Connection

router = APIRouter(prefix="/v1/me", tags=["callers"])

_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

_NAMES: Final = f"""
    SELECT (SELECT name FROM organizations WHERE id = $1) AS organization_name,
           (SELECT display_name FROM peer_mentors m WHERE id = $2 AND {is_own("m")}) AS display_name
"""


class Me(BaseModel):
    """The caller, as the token says it, with the names that belong to the ids."""

    sub: str
    role: Role
    organization_id: UUID
    organization_name: str | None
    peer_mentor_id: UUID | None = Field(description="of a mentor")
    display_name: str | None = Field(description="a mentor's")
    expires_at: datetime = Field(
        description="of the token; the end of the year 9999 for every time after it"
    )


@router.get("", responses=responses(HTTPStatus.NOT_FOUND))
async def read_me(request: Request, caller: AnyCaller) -> Me:
    """Who calls, of which organization, in which role, and until when the token counts."""
    async with _acting(request, caller) as connection:
        names = await connection.fetchrow(_NAMES, caller.organization_id, caller.mentor_id)
    assert names is not None
    return Me(
        sub=caller.sub,
        role=caller.role,
        organization_id=caller.organization_id,
        peer_mentor_id=caller.mentor_id,
        expires_at=_instant(caller.expires_at),
        **names,
    )


def _instant(seconds: float) -> datetime:
    """A time since 1970, the last that there is a datetime for where it lies beyond."""
    return datetime.fromtimestamp(min(seconds, _LAST.timestamp()), UTC)


def _acting(request: Request, caller: Caller) -> AbstractAsyncContextManager[Connection]:
    """As the caller; 404 where a mentor's token is of somebody whom the organization has not."""
    if caller.mentor_id is None:
        return acting(request, caller)
    return acting_for(request, caller, caller.mentor_id)
