"""/v1/badge-definitions/{id}: its versions, and who holds the badge."""

from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from badges.api import definitions
from badges.api.callers import Coordinator
from badges.api.database import acting
from badges.api.languages import AnswersIn
from badges.api.paging import Limit, Page, page
from badges.api.verbatim import answer, verbatim
from badges.queries.dates import near_date, near_instant
from badges.queries.tenancy import applies, is_own
from badges.queries.verdicts import judge_alone

router = APIRouter(prefix="/v1/badge-definitions/{definition_id}", tags=["badge definitions"])

# Nobody of another organization sees the versions that a definition had before it was theirs.
_VERSIONS: Final = f"""
    SELECT version, saved_at, saved_by, deleted, key, coalesce(name, '') AS name,
           coalesce(description, '') AS description, icon,
           coalesce(criteria::text, 'null') AS criteria,
           {near_date("counts_from")} AS counts_from, coalesce(revocable, false) AS revocable,
           coalesce(status, 'draft') AS status
    FROM badge_definition_versions v
    WHERE id = $1 AND ($2::int IS NULL OR version < $2) AND {applies("v")}
    ORDER BY version DESC LIMIT $3
"""

_AWARDS: Final = f"""
    SELECT m.id AS peer_mentor_id, m.display_name, a.tier,
           {near_date("a.earned_on")} AS earned_on, {near_instant("a.earned_at")} AS earned_at,
           {near_date("a.tier_earned_on")} AS tier_earned_on, a.awarded_by,
           {near_instant("a.awarded_at")} AS awarded_at, a.definition_version
    FROM badge_awards a JOIN peer_mentors m ON m.id = a.peer_mentor_id
    WHERE a.badge_definition_id = $1 AND a.revoked_at IS NULL
        AND {is_own("m")} AND ($2::uuid IS NULL OR m.id > $2)
    ORDER BY m.id LIMIT $3
"""


class DefinitionVersion(definitions.Content):
    """A definition as it was saved once."""

    version: int
    saved_at: datetime
    saved_by: str
    deleted: bool
    """Whether this version is that it was deleted."""
    summary: str | None


class Holder(BaseModel):
    """A mentor of the organization who holds the badge."""

    peer_mentor_id: UUID
    display_name: str | None
    tier: str | None
    earned_on: date
    earned_at: datetime
    tier_earned_on: date | None
    awarded_by: str
    awarded_at: datetime
    definition_version: int | None


@router.get("/versions", response_model=Page[DefinitionVersion])
async def versions(
    request: Request,
    caller: Coordinator,
    language: AnswersIn,
    definition_id: UUID,
    limit: Limit = 100,
    after: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Every version, the newest first, also of a definition that was deleted."""
    async with acting(request, caller) as connection:
        rows = await connection.fetch(_VERSIONS, definition_id, after, limit + 1)
        if not rows and after is None:
            await definitions.find(connection, definition_id)
    found = [
        DefinitionVersion(
            **{**row, "criteria": verbatim(row["criteria"])},
            summary=judge_alone(row["criteria"], language).summary,
        )
        for row in rows
    ]
    return answer(page(found, limit, lambda each: each.version))


@router.get("/awards")
async def awards(
    request: Request,
    caller: Coordinator,
    definition_id: UUID,
    limit: Limit = 100,
    after: UUID | None = None,
) -> Page[Holder]:
    """The organization's mentors who hold the badge, by id."""
    async with acting(request, caller) as connection:
        await definitions.find(connection, definition_id)
        rows = await connection.fetch(_AWARDS, definition_id, after, limit + 1)
    found = [Holder(**row) for row in rows]
    return page(found, limit, lambda each: each.peer_mentor_id)
