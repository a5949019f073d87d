"""What Postgres has, read in one snapshot: results, positions, and versions of rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec

from reference import refused_writes
from reference.reading import number
from reference.refused_writes import RefusedWrite
from sinks.base import Found
from sinks.pool import Connection, Executor
from streams import rule_versions
from streams.errors import Failure
from streams.log import generations
from streams.log.generations import Generation
from tables.types import AppliedVersion, Award, RuleKey, Stats, Version, rule_key

_AWARDS = """
SELECT id::text, peer_mentor_id::text, badge_definition_id::text, definition_version, tier,
       awarded_by, revoked_by, changed_by,
       least(greatest(earned_at, '0001-01-01 00:00+00'), '9999-12-31 23:59:59.999999+00')
           AS earned_at,
       CASE WHEN tier_earned_at IS NOT NULL THEN
           least(greatest(tier_earned_at, '0001-01-01 00:00+00'), '9999-12-31 23:59:59.999999+00')
       END AS tier_earned_at,
       least(greatest(earned_on, '4714-11-24 BC'), '5874897-12-31') - date '1970-01-01'
           AS earned_on,
       CASE WHEN tier_earned_on IS NOT NULL THEN
           least(greatest(tier_earned_on, '4714-11-24 BC'), '5874897-12-31') - date '1970-01-01'
       END AS tier_earned_on
FROM badge_awards
"""
_EVENTS = """
SELECT badge_award_id::text, kind, tier FROM badge_award_events ORDER BY id
"""
_STATS = f"""
SELECT {
    ", ".join(
        name if name != "peer_mentor_id" else "peer_mentor_id::text"
        for name in Stats.__struct_fields__
    )
}
FROM peer_mentor_stats
"""
_RULE_POSITIONS = """
SELECT partition, turn, "offset", kind, id::text, version FROM badge_rule_positions
WHERE log_id = $1 ORDER BY partition, turn, kind, id
"""


@dataclass(frozen=True)
class AwardEvent:
    """What badge_award_events says happened to an award."""

    badge_award_id: str
    kind: str
    tier: str | None


@dataclass(frozen=True)
class Results:
    """One snapshot of what the worker wrote, and of what it went by."""

    log: Generation
    next_offsets: Mapping[int, int]
    applied: Sequence[AppliedVersion]
    versions: Mapping[RuleKey, Sequence[Version]]
    awards: Sequence[Award]
    events: Sequence[AwardEvent]
    stats: Sequence[Stats]
    found: Sequence[Found] = ()
    refused: Sequence[RefusedWrite] = ()


async def read(connection: Connection) -> Results:
    """Read everything as of one instant. Raises Failure when no log is live."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        log = await generations.live(connection)
        if log is None:
            raise Failure(
                "no log is live here: run `badges provision` (make up does) and try again"
            )
        applied = await connection.fetch(_RULE_POSITIONS, log.log_id)
        return Results(
            log=log,
            next_offsets=await generations.next_offsets(connection, log.log_id),
            applied=[AppliedVersion(**row) for row in applied],
            versions=await _versions(connection),
            awards=[Award(**row) for row in await connection.fetch(_AWARDS)],
            events=[AwardEvent(**row) for row in await connection.fetch(_EVENTS)],
            stats=[_stats(dict(row)) for row in await connection.fetch(_STATS)],
            found=await refused_writes.read_found(connection, log.log_id),
            refused=await refused_writes.read(connection, log.log_id),
        )


async def _versions(connection: Executor) -> dict[RuleKey, list[Version]]:
    versions: dict[RuleKey, list[Version]] = {}
    for version in await rule_versions.read(connection):
        versions.setdefault(rule_key(version), []).append(version)
    return versions


def _stats(row: Mapping[str, Any]) -> Stats:
    fields: dict[str, Any] = {
        name: number(value) if isinstance(value, date) else value for name, value in row.items()
    }
    fields["counts_by_type"] = msgspec.json.decode(row["counts_by_type"], type=dict[str, int])
    return Stats(**fields)
