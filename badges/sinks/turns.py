"""What a store does with a turn, whichever it is: which decisions count, in which order."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from badges.sinks.base import DeadLetter, Rejected, Turn
from badges.tables.decisions import Decision

is_uuid = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
"""Whether a text is an id as the log carries it."""


def outdated(turn: Turn) -> list[Decision]:
    """Return decisions made before their mentor's delete in the same turn: about somebody gone."""
    left = {d.peer_mentor_id: d.cause.offset for d in turn.departures}
    return [
        decision
        for decision in turn.decisions
        if decision.after.peer_mentor_id in left
        and _place(decision) < (left[decision.after.peer_mentor_id], True)
    ]


def malformed(turn: Turn) -> list[Rejected]:
    """Find decisions about what is no row of ours: an id that is no UUID, written into the log."""
    return [
        Rejected(decision, "an id is no UUID")
        for decision in turn.decisions
        if not (is_uuid(decision.after.peer_mentor_id) and is_uuid(decision.after.id))
        or not is_uuid(decision.after.badge_definition_id)
    ]


def well_formed(turn: Turn, refusals: Sequence[Rejected]) -> Turn:
    """Leave out of a turn what `malformed` found, and what else is about an id that is no UUID."""
    ids = {stats.peer_mentor_id for stats in turn.stats}
    ids.update(departure.peer_mentor_id for departure in turn.departures)
    refused = {id(item.decision) for item in refusals}
    if not refused and all(map(is_uuid, ids)):
        return turn
    return msgspec.structs.replace(
        turn,
        decisions=[d for d in turn.decisions if id(d) not in refused],
        departures=[d for d in turn.departures if is_uuid(d.peer_mentor_id)],
        stats=[stats for stats in turn.stats if is_uuid(stats.peer_mentor_id)],
    )


def waves(decisions: Iterable[Decision]) -> list[list[Decision]]:
    """Split into parts with at most one of a mentor and badge: all firsts, all seconds, ..."""
    parts: list[list[Decision]] = []
    seen: dict[tuple[str, str], int] = {}
    for decision in decisions:
        pair = decision.after.peer_mentor_id, decision.after.badge_definition_id
        wave = seen.get(pair, 0)
        seen[pair] = wave + 1
        if wave == len(parts):
            parts.append([])
        parts[wave].append(decision)
    return parts


def transactions(turn: Turn) -> set[int]:
    """Return the transactions (source.txId) whose rows the turn is known to come from."""
    causes = [decision.cause for decision in turn.decisions]
    causes += [departure.cause for departure in turn.departures]
    return {*turn.xids, *(cause.xid for cause in causes if cause.xid is not None)}


def letters(rejected: Sequence[Rejected]) -> list[DeadLetter]:
    """Make dead letters of refused decisions: the mentor's id as key, the decision as value."""
    return [
        DeadLetter(
            log_id=item.decision.cause.log_id,
            partition=item.decision.cause.partition,
            offset=item.decision.cause.offset,
            reason=item.reason,
            at=datetime.now(UTC),
            key=item.decision.after.peer_mentor_id.encode(),
            value=msgspec.json.encode(item.decision),
            badge_definition_id=item.decision.after.badge_definition_id,
        )
        for item in rejected
    ]


def _place(decision: Decision) -> tuple[int, bool]:
    """Where in the log it was made; versions take effect before the record at their offset."""
    return decision.cause.offset, decision.cause.turn is None
