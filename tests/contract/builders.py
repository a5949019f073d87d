"""Turns, decisions and stats for the sinks' tests, with the least that each needs."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from sinks.base import MentorDeleted, Turn
from tables.decisions import Cause, Decision
from tables.types import AppliedVersion, Award, Stats

EARNED = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
PROMOTED = datetime(2026, 4, 1, 22, 0, tzinfo=UTC)
CAUSED = datetime(2026, 3, 2, 9, 30, 0, 250_000, tzinfo=UTC)
"""When a row was committed, to the millisecond as the log says it."""
EARNED_ON, PROMOTED_ON = 20_514, 20_545
"""The dates that begin then in Oslo: 2026-03-02 and 2026-04-02."""


class Log:
    """A live log's partition 0, as its worker sees it: it knows the turn that comes next."""

    def __init__(self, log_id: str, next_offset: int = 0, number: int = 0) -> None:
        self.log_id = log_id
        self.next_offset = next_offset
        self.number = number

    def cause(self, place: int = 0, *, xid: int | None = None, by_version: bool = False) -> Cause:
        """The `place`-th record of the next turn, or the versions applied before it."""
        turn = self.number if by_version else None
        return Cause(self.log_id, 0, self.next_offset + place, turn=turn, xid=xid)

    def turn(
        self,
        *decisions: Decision,
        records: int = 10,
        stats: Sequence[Stats] = (),
        mentors_deleted: Sequence[MentorDeleted] = (),
        applied: Sequence[tuple[str, str, int]] = (),
        xids: Collection[int] = (),
    ) -> Turn:
        """The next turn, over that many records."""
        turn = Turn(
            log_id=self.log_id,
            partition=0,
            number=self.number,
            start=self.next_offset,
            end=self.next_offset + records,
            applied=[AppliedVersion(0, self.number, self.next_offset, *each) for each in applied],
            mentors_deleted=mentors_deleted,
            decisions=decisions,
            stats=stats,
            xids=xids,
        )
        self.number += 1
        self.next_offset += records
        return turn


def grant(
    cause: Cause,
    mentor: str,
    definition: str,
    *,
    tier: str | None = None,
    version: int = 1,
    caused_at: datetime | None = None,
) -> Decision:
    """A grant with evidence."""
    after = Award(
        id=cause.award_id(mentor, definition),
        peer_mentor_id=mentor,
        badge_definition_id=definition,
        earned_at=EARNED,
        definition_version=version,
        tier=tier,
        tier_earned_at=EARNED if tier else None,
        earned_on=EARNED_ON,
        tier_earned_on=EARNED_ON if tier else None,
        tier_version=version if tier else None,
    )
    evidence = {"definition_version": version, "rows": [str(uuid4())], "count": 3}
    return Decision("granted", cause, None, after, version, evidence, caused_at)


def withdraw(cause: Cause, award: Award) -> Decision:
    """The award is taken back as one that cannot be."""
    return Decision("withdrawn", cause, award, award, 1)


def promote(cause: Cause, award: Award, tier: str, *, version: int = 1) -> Decision:
    """A promotion of the award as the fold believes it to be."""
    after = msgspec.structs.replace(
        award,
        tier=tier,
        tier_earned_at=PROMOTED,
        tier_earned_on=PROMOTED_ON,
        tier_version=version,
        changed_by="rule",
    )
    return Decision("promoted", cause, award, after, version)


def revoke(cause: Cause, award: Award, *, version: int = 1) -> Decision:
    """A revocation by the rule."""
    after = msgspec.structs.replace(award, revoked_by="rule", changed_by="rule")
    return Decision("revoked", cause, award, after, version)


def restore(cause: Cause, award: Award, *, version: int = 1) -> Decision:
    """A restoration of what the rule revoked."""
    after = msgspec.structs.replace(award, revoked_by=None, changed_by="rule")
    return Decision("restored", cause, award, after, version)


def stats_of(mentor: str, count: int = 1, kind: str = "visit") -> Stats:
    """Stats with `count` activities of one kind, told apart by their numbers."""
    return Stats(
        peer_mentor_id=mentor,
        activity_count=count,
        minutes_total=30 * count,
        active_days=count,
        counts_by_type={kind: count},
        training_count=2,
        first_activity_on=20_000,
        last_activity_on=20_000 + count,
        day_streak_longest=count,
        day_streak_length=1,
        day_streak_last_on=20_000 + count,
        week_streak_longest=3,
        week_streak_length=2,
        week_streak_last_on=20_006,
        month_streak_longest=1,
        month_streak_length=1,
        month_streak_last_on=None,
    )
