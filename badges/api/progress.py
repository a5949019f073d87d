"""/v1/peer-mentors/{id}/progress: how far a mentor is with each badge, and what is missing."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from badges.api.callers import AnyCaller
from badges.api.database import acting_for
from badges.api.languages import AnswersIn
from badges.api.paging import DecidedPage, Limit, page
from badges.queries.as_of import as_of
from badges.queries.progress import BadgeAmounts, progress
from tables.criteria.standing import Standing, standing
from tables.languages import Language

router = APIRouter(prefix="/v1/peer-mentors", tags=["peer mentors"])


class Part(BaseModel):
    """How far somebody is with some criteria, or with a part of them."""

    done: int
    needed: int
    unit: str = Field(description="what done and needed count")
    percent: int = Field(ge=0, le=100, description="100 exactly when the criteria hold")
    missing: str | None = Field(description="a sentence; null when the criteria hold")
    next_tier: str | None = Field(description="the tier that needed is asked for")
    at_risk_until: date | None = Field(
        description="the last day on which a streak can be saved that ends unless the period that "
        "today falls in comes to count"
    )
    parts: list["Part"] = Field(description="of all and any, each part")


class BadgeProgress(Part):
    """One badge."""

    badge_definition_id: UUID
    key: str
    name: str
    held: bool
    tier: str | None = Field(description="the tier that is held")


@router.get("/{peer_mentor_id}/progress")
async def read_progress(
    request: Request,
    caller: AnyCaller,
    language: AnswersIn,
    peer_mentor_id: UUID,
    limit: Limit = 100,
    after: UUID | None = None,
) -> DecidedPage[BadgeProgress]:
    """One item for each badge that applies to the mentor, by its definition's id."""
    async with acting_for(request, caller, peer_mentor_id) as connection:
        decided = await as_of(connection)
        found = await progress(connection, peer_mentor_id, after, limit + 1)
    shown = page(found, limit, lambda each: each.badge_definition_id)
    return DecidedPage(
        items=[_item(each, language) for each in shown.items if each.criteria is not None],
        next=shown.next,
        as_of=decided,
    )


def _item(found: BadgeAmounts, language: Language) -> BadgeProgress:
    assert found.criteria is not None
    stands = standing(found.criteria, found.amounts, language, tier=found.tier)
    told = msgspec.structs.asdict(found) | dict(_part(stands, found.at_risk))
    if found.held:
        told["at_risk_until"] = None
    return BadgeProgress(**told)


def _part(stands: Standing, at_risk: Mapping[str, date]) -> Part:
    parts = [_part(part, at_risk) for part in stands.parts]
    days = [part.at_risk_until for part in parts] if parts else [at_risk.get(stands.path)]
    return Part(
        done=stands.done,
        needed=stands.needed,
        unit=stands.unit,
        percent=stands.percent,
        missing=stands.missing,
        next_tier=stands.next_tier,
        at_risk_until=None if stands.holds else min(filter(None, days), default=None),
        parts=parts,
    )
