"""Between the vocabulary and rows of Postgres."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import asyncpg
from msgspec import Struct

from tables.decisions import Decision
from tables.types import Award, Day


class _DecisionRow(Struct, frozen=True):
    """What the statement `decide` reads: `place` is the decision's place among its turn's.

    Dates are days since 1970-01-01, as everywhere.
    """

    place: int
    kind: str
    id: str
    peer_mentor_id: str
    badge_definition_id: str
    earned_at: datetime
    earned_on: Day | None
    definition_version: int | None
    tier: str | None
    tier_earned_at: datetime | None
    tier_earned_on: Day | None
    revoked_by: str | None
    evidence: Any
    believed_tier: str | None
    believed_revoked_by: str | None
    believed_changed_by: str | None
    believed_xid: int | None
    decided_by_version: int
    source: str
    awarded_by: str
    caused_at: datetime | None


def decision_rows(decisions: Iterable[Decision]) -> list[_DecisionRow]:
    """Put decisions, in their order, in the form that `decide` reads."""
    return [_decision_row(place, decision) for place, decision in enumerate(decisions)]


def award_of(row: asyncpg.Record) -> Award:
    """Read a row of badge_awards; ids become text, instants are in UTC."""
    return Award(
        id=str(row["id"]),
        peer_mentor_id=str(row["peer_mentor_id"]),
        badge_definition_id=str(row["badge_definition_id"]),
        earned_at=row["earned_at"],
        earned_on=row["earned_on"],
        definition_version=row["definition_version"],
        tier=row["tier"],
        tier_earned_at=row["tier_earned_at"],
        tier_earned_on=row["tier_earned_on"],
        tier_version=row["tier_version"],
        awarded_by=row["awarded_by"],
        revoked_by=row["revoked_by"],
        changed_by=row["changed_by"],
    )


def _decision_row(place: int, decision: Decision) -> _DecisionRow:
    after, believed = decision.after, decision.believed
    return _DecisionRow(
        place=place,
        kind=decision.kind,
        id=after.id,
        peer_mentor_id=after.peer_mentor_id,
        badge_definition_id=after.badge_definition_id,
        earned_at=after.earned_at,
        earned_on=after.earned_on,
        definition_version=after.definition_version,
        tier=after.tier,
        tier_earned_at=after.tier_earned_at,
        tier_earned_on=after.tier_earned_on,
        revoked_by=after.revoked_by,
        evidence=decision.evidence,
        believed_tier=believed.tier if believed else None,
        believed_revoked_by=believed.revoked_by if believed else None,
        believed_changed_by=believed.changed_by if believed else None,
        believed_xid=believed.changed_in if believed else None,
        decided_by_version=decision.definition_version,
        source=decision.cause.source,
        awarded_by=after.awarded_by,
        caused_at=decision.caused_at,
    )
