"""Badge definitions in the database, as the caller's claims show them."""

from collections.abc import Sequence
from datetime import date, datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel

from badges.api.problem import ProblemError
from badges.api.verbatim import Verbatim, verbatim
from badges.queries.dates import near_date
from badges.queries.tenancy import applies, is_own
from badges.queries.verdicts import Verdict
from sinks.pool import Connection
from tables.languages import Language, Text

_VISIBLE: Final = f"""
    SELECT d.id, d.organization_id, d.key, coalesce(d.name, '') AS name,
           coalesce(d.description, '') AS description, d.icon,
           coalesce(d.criteria::text, 'null') AS criteria,
           {near_date("d.counts_from")} AS counts_from,
           coalesce(d.revocable, false) AS revocable, coalesce(d.status, 'draft') AS status,
           d.version, v.saved_by, v.saved_at
    FROM badge_definitions d
    LEFT JOIN badge_definition_versions v ON v.id = d.id AND v.version = d.version
    WHERE {applies("d")}
"""

_ONE: Final = f"{_VISIBLE} AND d.id = $1"

_LIST: Final = f"""
    {_VISIBLE} AND ($1::text IS NULL OR coalesce(d.status, 'draft') = $1)
        AND ($2::text IS NULL OR d.criteria ->> 'type' = $2) AND ($3::uuid IS NULL OR d.id > $3)
    ORDER BY d.id LIMIT $4
"""

_HOLDERS: Final = f"""
    SELECT a.badge_definition_id, count(*)::int AS holders
    FROM badge_awards a JOIN peer_mentors m ON m.id = a.peer_mentor_id
    WHERE a.badge_definition_id = ANY ($1) AND a.revoked_at IS NULL AND {is_own("m")}
    GROUP BY a.badge_definition_id
"""

_SET_ASIDE: Final = Text(
    en="these criteria cannot be used, so nobody is given the badge by them: {why}",
    nb="disse kriteriene kan ikke brukes, så ingen får merket etter dem: {why}",
)


class Content(BaseModel):
    """What people write of a definition."""

    key: str
    name: str
    description: str
    icon: str | None
    criteria: Verbatim
    counts_from: date | None
    revocable: bool
    status: str


class BadgeDefinition(Content):
    """A definition, and what there is to say of its criteria in the caller's language."""

    id: UUID
    organization_id: UUID | None
    """None: it is every organization's."""
    version: int
    saved_by: str | None
    saved_at: datetime | None
    warnings: list[str]
    summary: str | None
    """What the criteria ask for; None where they cannot be used."""
    holders: int | None = None
    """How many of the organization's mentors hold the badge; None unless a list is asked for it."""


async def find(connection: Connection, definition_id: UUID) -> Record:
    """A definition's row. Raises ProblemError, 404, where the caller has none of this id."""
    row = await connection.fetchrow(_ONE, definition_id)
    if row is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            f"Your organization has no badge definition with the id {definition_id}",
        )
    return row


async def find_all(
    connection: Connection,
    *,
    status: str | None,
    kind: str | None,
    after: UUID | None,
    limit: int,
) -> list[Record]:
    """Rows by id; only of a status, and only with criteria of a type, where these are given."""
    return await connection.fetch(_LIST, status, kind, after, limit)


async def holders_of(connection: Connection, rows: Sequence[Record]) -> dict[UUID, int]:
    """How many of the organization's mentors hold the badge of each definition that some do."""
    counted = await connection.fetch(_HOLDERS, [row["id"] for row in rows])
    return {row["badge_definition_id"]: row["holders"] for row in counted}


def told(
    row: Record, verdict: Verdict, language: Language, holders: int | None = None
) -> BadgeDefinition:
    """The row as an answer, with what a verdict on its criteria comes to now that it is saved."""
    warnings = verdict.warnings
    if not verdict.valid:
        why = _SET_ASIDE(language, why="; ".join(map(str, verdict.errors)))
        warnings = [why, *warnings]
    fields = {**row, "criteria": verbatim(row["criteria"]), "holders": holders}
    return BadgeDefinition(**fields, warnings=warnings, summary=verdict.summary)
