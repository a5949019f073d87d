"""/v1/peer-mentors/{id}/badges: which badges a mentor holds, and why."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from badges.api.callers import AnyCaller
from badges.api.database import acting_for
from badges.api.languages import AnswersIn
from badges.api.paging import DecidedPage, Limit, page
from badges.api.verbatim import Verbatim, answer, verbatim
from badges.api.why import why
from badges.queries.as_of import as_of
from badges.queries.held import Held, held
from tables.languages import Language

router = APIRouter(prefix="/v1/peer-mentors", tags=["peer mentors"])


class HeldBadge(BaseModel):
    """A badge that a mentor holds."""

    badge_definition_id: UUID
    key: str
    name: str
    description: str
    icon: str | None
    tier: str | None
    earned_on: date
    earned_at: datetime
    tier_earned_on: date | None
    awarded_by: str = Field(description="rule, or who gave it by hand")
    definition_version: int | None
    evidence: Verbatim = Field(
        description="what earned it: version, ids of rows, counts, log position"
    )
    why: str = Field(description="a sentence")


class HeldOrRevokedBadge(HeldBadge):
    """A badge that a mentor holds or held."""

    revoked_at: datetime | None
    revoked_by: str | None = Field(description="rule, or who took it away")


@router.get(
    "/{peer_mentor_id}/badges",
    response_model=DecidedPage[HeldOrRevokedBadge] | DecidedPage[HeldBadge],
)
async def read_badges(
    request: Request,
    caller: AnyCaller,
    language: AnswersIn,
    peer_mentor_id: UUID,
    include: Literal["revoked"] | None = None,
    limit: Limit = 100,
    after: UUID | None = None,
) -> Response:
    """The badges that the mentor holds, by definition id; include=revoked adds those taken back."""
    async with acting_for(request, caller, peer_mentor_id) as connection:
        decided = await as_of(connection)
        found = await held(
            connection, peer_mentor_id, after, limit + 1, revoked=include is not None
        )
    shown = page(found, limit, lambda each: each.badge_definition_id)
    badge = HeldBadge if include is None else HeldOrRevokedBadge
    told = [badge(**_told(each, language)) for each in shown.items]
    return answer(DecidedPage(items=told, next=shown.next, as_of=decided))


def _told(award: Held, language: Language) -> dict[str, Any]:
    """What there is to tell of an award, of which an answer takes what it has a field for."""
    said = {"evidence": verbatim(award.evidence), "why": why(award, language)}
    return msgspec.structs.asdict(award) | said
