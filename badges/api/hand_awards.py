"""/v1/peer-mentors/{id}/badges: an admin gives badges by hand, and takes them away."""

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from asyncpg import ForeignKeyViolationError, Record
from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from badges.api import definitions
from badges.api.callers import Admin
from badges.api.database import acting_for
from badges.api.problem import ProblemError
from badges.api.texts import Reason
from badges.api.writing import write, writing
from badges.api.wrong_values import INSTANT
from badges.queries.dates import near_date, near_instant
from sinks.pool import Connection
from tables.criteria.fields import expected
from tables.languages import Text

router = APIRouter(prefix="/v1/peer-mentors/{peer_mentor_id}/badges", tags=["peer mentors"])

_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)

_REASON: Final = "SELECT set_config('badges.reason', $1, true)"
"""A trigger writes it into the award's event."""

_AWARD: Final = "SELECT id FROM award_badge($1, $2, $3, NULL)"

# What this transaction has made of it, for who else awards the badge now may have been faster.
_GRANTED: Final = """
    SELECT EXISTS (SELECT FROM badge_award_events
                   WHERE xid = pg_current_xact_id() AND badge_award_id = $1 AND kind = 'granted')
"""

_REVOKE: Final = """
    UPDATE badge_awards SET revoked_at = now()
    WHERE peer_mentor_id = $1 AND badge_definition_id = $2
"""

_HELD: Final = f"""
    SELECT peer_mentor_id, badge_definition_id, tier, {near_date("earned_on")} AS earned_on,
           {near_instant("earned_at")} AS earned_at,
           {near_date("tier_earned_on")} AS tier_earned_on, awarded_by,
           {near_instant("awarded_at")} AS awarded_at, definition_version,
           {near_instant("revoked_at")} AS revoked_at, revoked_by
    FROM badge_awards WHERE peer_mentor_id = $1 AND badge_definition_id = $2 FOR NO KEY UPDATE
"""


_IN_REACH: Final = Text("an instant of the years 1 to 9999", "et tidspunkt i årene 1 til 9999")


def _text(value: object) -> object:
    if value is not None and not isinstance(value, str):
        raise expected(INSTANT)
    return value


def _kept_by_postgres(instant: datetime) -> datetime:
    # With an offset the ends of the calendar are out of reach in UTC.
    if not _FIRST <= instant <= _LAST:
        raise expected(_IN_REACH)
    return instant.astimezone(UTC)


class HandAward(BaseModel):
    """A badge to be given by hand."""

    model_config = ConfigDict(extra="forbid")

    badge_definition_id: UUID
    earned_at: Annotated[
        Annotated[AwareDatetime, AfterValidator(_kept_by_postgres)] | None, BeforeValidator(_text)
    ] = Field(None, description="today, where the organization is, unless given")
    reason: Reason | None = Field(None, description="kept with the award's event")


class Award(BaseModel):
    """An award as it is now."""

    peer_mentor_id: UUID
    badge_definition_id: UUID
    tier: str | None
    earned_on: date
    earned_at: datetime
    tier_earned_on: date | None
    awarded_by: str
    awarded_at: datetime
    definition_version: int | None
    revoked_at: datetime | None
    revoked_by: str | None


@router.post("", status_code=HTTPStatus.CREATED, responses={200: {"model": Award}})
async def give(
    request: Request, response: Response, caller: Admin, peer_mentor_id: UUID, body: HandAward
) -> Award:
    """Give a badge: 201, or 200 where the mentor holds it. A revoked one is given back: 200."""
    async with acting_for(request, caller, peer_mentor_id) as connection, writing(connection):
        definition = await definitions.find(connection, body.badge_definition_id)
        if definition["status"] == "draft":
            raise ProblemError(
                HTTPStatus.CONFLICT,
                f"The badge definition {definition['id']} is a draft: activate it first",
            )
        award_id = await _give(connection, peer_mentor_id, body)
        if not await connection.fetchval(_GRANTED, award_id):
            response.status_code = HTTPStatus.OK
        return Award(**await _held(connection, peer_mentor_id, definition))


@router.delete("/{definition_id}")
async def take_away(
    request: Request,
    caller: Admin,
    peer_mentor_id: UUID,
    definition_id: UUID,
    reason: Annotated[Reason, Query(description="kept with the award's event")] = "",
) -> Award:
    """Revoke a badge by hand, so that no rule gives it back; once it is revoked nothing changes."""
    async with acting_for(request, caller, peer_mentor_id) as connection, writing(connection):
        definition = await definitions.find(connection, definition_id)
        held = await _held(connection, peer_mentor_id, definition)
        if held["revoked_by"] is None or held["revoked_by"] == "rule":
            await connection.execute(_REASON, reason)
            await write(connection, _REVOKE, peer_mentor_id, definition_id)
            held = await _held(connection, peer_mentor_id, definition)
        return Award(**held)


async def _give(connection: Connection, peer_mentor_id: UUID, body: HandAward) -> UUID:
    """Award the badge; the award's id. Raises ProblemError, 404, where one of the two is gone."""
    await connection.execute(_REASON, body.reason or "")
    try:
        award_id: UUID = await connection.fetchval(
            _AWARD, peer_mentor_id, body.badge_definition_id, body.earned_at
        )
    except ForeignKeyViolationError:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            f"Your organization has no mentor {peer_mentor_id} to give a badge to, or no badge "
            f"definition {body.badge_definition_id}",
        ) from None
    return award_id


async def _held(connection: Connection, peer_mentor_id: UUID, definition: Record) -> Record:
    row = await connection.fetchrow(_HELD, peer_mentor_id, definition["id"])
    if row is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            f"The mentor {peer_mentor_id} has never held the badge {definition['key']}",
        )
    return row
