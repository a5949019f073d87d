"""A sink without a database: the same meaning in dicts, for tests and benchmarks."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from badges.sinks import turns
from badges.sinks.base import (
    DeadLetters,
    Fenced,
    Outcome,
    Place,
    Position,
    RecordedPosition,
    Rejected,
    RulePosition,
    Turn,
)
from badges.sinks.dead_letters import MemoryDeadLetters
from badges.tables.decisions import Decision, Kind, Source
from badges.tables.types import Award, Stats

_INT4_MAX = 2**31 - 1


class Event(Struct, frozen=True):
    """A row of badge_award_events that the rule writes."""

    badge_award_id: str
    peer_mentor_id: str
    badge_definition_id: str
    kind: Kind
    tier: str | None
    definition_version: int
    source: Source


class MemorySink:
    """Holds what PostgresSink writes; `badges.sinks.base.Sink`.

    Mentors and definitions exist unless they were deleted. `awards_by_id`, `evidence` (by award
    id), `stats` (by mentor) and `events` are there to be read.
    """

    def __init__(self, dead_letters: DeadLetters | None = None) -> None:
        self._dead_letters = dead_letters or MemoryDeadLetters()
        self._positions: dict[tuple[str, int], Position] = {}
        self._last: dict[tuple[str, int], Place | None] = {}
        self._missing_mentors: set[str] = set()
        self._missing_definitions: set[str] = set()
        self._deletions: dict[str, int] = {}
        self._held: dict[str, dict[str, str]] = {}
        self.awards_by_id: dict[str, Award] = {}
        self.evidence: dict[str, Mapping[str, Any]] = {}
        self.stats: dict[str, Stats] = {}
        self.events: list[Event] = []
        self._rule_positions: list[tuple[str, int, int, int, RulePosition]] = []

    async def position(self, log_id: str, partition: int) -> Position | None:
        """Return the partition's position; None when the generation is not live."""
        return self._positions.get((log_id, partition))

    async def last_decided(self, log_id: str, partition: int) -> Place | None:
        """Return the last record below the position; None where it was not remembered."""
        return self._last.get((log_id, partition))

    async def rule_positions(
        self, log_id: str, partition: int, before_turn: int
    ) -> list[RecordedPosition]:
        """Return what turns below `before_turn` took up, in their order."""
        return [
            RecordedPosition(turn, offset, taken_up)
            for log, number, turn, offset, taken_up in self._rule_positions
            if (log, number) == (log_id, partition) and turn < before_turn
        ]

    async def awards(self, log_id: str, partition: int, mentors: Sequence[str]) -> list[Award]:  # noqa: ARG002
        """Return copies of the awards of these mentors, by mentor and definition."""
        return [
            msgspec.structs.replace(self.awards_by_id[award_id])
            for mentor in sorted(set(mentors))
            for _, award_id in sorted(self._held.get(mentor, {}).items())
        ]

    async def write(self, turn: Turn) -> Outcome:
        """Write the turn; see `badges.sinks.base.Sink`."""
        place = (turn.log_id, turn.partition)
        if self._positions.get(place) != Position(turn.start, turn.number):
            raise Fenced(f"partition {turn.partition} of log {turn.log_id} is somewhere else")
        decisions = self._decisions_in_force(turn)
        rejected = [Rejected(d, reason) for d in decisions if (reason := _refusal(d))]
        if rejected:
            await self._dead_letters.send(turns.letters(rejected))
        self._positions[place] = Position(turn.end, turn.number + 1)
        self._last[place] = turn.last
        for taken_up in turn.rule_positions:
            self._rule_positions.append((*place, turn.number, turn.start, taken_up))
        for departure in turn.departures:
            self._depart(departure.peer_mentor_id)
        refused = {id(item.decision) for item in rejected}
        asked = [d for d in decisions if id(d) not in refused]
        written = sum(self._decide(decision) for decision in asked)
        for stats in turn.stats:
            if stats.peer_mentor_id not in self._missing_mentors and not _stats_refusal(stats):
                self.stats[stats.peer_mentor_id] = stats
        return Outcome(
            written=written,
            overtaken=len(asked) - written,
            gone=len(turn.decisions) - len(decisions),
            rejected=rejected,
        )

    def set_position(self, log_id: str, partition: int, next_offset: int, turn: int = 0) -> None:
        """Make the log live in this partition, at this position."""
        self._positions[log_id, partition] = Position(next_offset, turn)

    def close_log(self, log_id: str) -> None:
        """Close the generation: its positions go."""
        for place in [place for place in self._positions if place[0] == log_id]:
            del self._positions[place]

    def put_award(self, award: Award) -> None:
        """Insert or replace an award as somebody else would, without an event."""
        self._held.setdefault(award.peer_mentor_id, {})[award.badge_definition_id] = award.id
        self.awards_by_id[award.id] = award

    def delete_award(self, award_id: str) -> None:
        """Delete an award; its events stay."""
        award = self.awards_by_id.pop(award_id)
        del self._held[award.peer_mentor_id][award.badge_definition_id]
        self.evidence.pop(award_id, None)

    def delete_mentor(self, mentor: str) -> None:
        """Delete a mentor with awards, events and stats."""
        self._missing_mentors.add(mentor)
        for award_id in list(self._held.get(mentor, {}).values()):
            self.delete_award(award_id)
        self.events = [event for event in self.events if event.peer_mentor_id != mentor]
        self.stats.pop(mentor, None)

    def insert_mentor(self, mentor: str) -> None:
        """Insert a mentor that was deleted."""
        self._missing_mentors.discard(mentor)

    def delete_definition(self, definition: str, version: int) -> None:
        """Delete a definition with its awards; `version` is what the deletion is recorded as."""
        self._missing_definitions.add(definition)
        self._deletions[definition] = version
        for award in [a for a in self.awards_by_id.values() if a.badge_definition_id == definition]:
            self.delete_award(award.id)

    def insert_definition(self, definition: str) -> None:
        """Insert a definition that was deleted."""
        self._missing_definitions.discard(definition)

    def _decisions_in_force(self, turn: Turn) -> list[Decision]:
        before_a_delete = {id(decision) for decision in turns.outdated(turn)}
        return [
            decision
            for decision in turn.decisions
            if id(decision) not in before_a_delete
            and decision.after.peer_mentor_id not in self._missing_mentors
            and decision.after.badge_definition_id not in self._missing_definitions
            and self._deletions.get(decision.after.badge_definition_id, 0)
            <= decision.definition_version
        ]

    def _depart(self, mentor: str) -> None:
        for award_id in list(self._held.get(mentor, {}).values()):
            if self.awards_by_id[award_id].changed_by == "rule":
                self.delete_award(award_id)
        self.events = [
            event
            for event in self.events
            if event.peer_mentor_id != mentor or event.badge_award_id in self.awards_by_id
        ]
        self.stats.pop(mentor, None)

    def _decide(self, decision: Decision) -> bool:
        after, believed = decision.after, decision.believed
        if decision.kind == "granted":
            if after.badge_definition_id in self._held.get(after.peer_mentor_id, {}):
                return False
            self.put_award(msgspec.structs.replace(after, changed_by="rule"))
            if decision.evidence is not None:
                self.evidence[after.id] = decision.evidence
        elif decision.kind == "withdrawn":
            row = self.awards_by_id.get(after.id)
            if row is None or row.changed_by != "rule":
                return False
            self.delete_award(after.id)
            return True
        else:
            row = self.awards_by_id.get(after.id)
            if row is None or believed is None or not _same(row, believed):
                return False
            if _held_state(row) == _held_state(after):
                return False
            if row.tier != after.tier:
                row.tier_earned_on = after.tier_earned_on
            row.tier, row.tier_earned_at = after.tier, after.tier_earned_at
            row.revoked_by, row.changed_by, row.changed_in = after.revoked_by, "rule", None
        self.events.append(_event(decision))
        return True


def _held_state(award: Award) -> tuple[object, ...]:
    return award.tier, award.tier_earned_at, award.revoked_by


def _same(row: Award, believed: Award) -> bool:
    if believed.changed_in not in (None, row.changed_in):
        return False
    return (row.tier, row.revoked_by, row.changed_by) == (
        believed.tier,
        believed.revoked_by,
        believed.changed_by,
    )


def _event(decision: Decision) -> Event:
    return Event(
        badge_award_id=decision.after.id,
        peer_mentor_id=decision.after.peer_mentor_id,
        badge_definition_id=decision.after.badge_definition_id,
        kind=decision.kind,
        tier=decision.after.tier,
        definition_version=decision.definition_version,
        source=decision.cause.source,
    )


def _refusal(decision: Decision) -> str:
    """Say why Postgres would refuse the decision; empty when it would not."""
    if "\x00" in (decision.after.tier or ""):
        return "a tier's name holds a NUL character"
    if not 0 <= decision.definition_version <= _INT4_MAX:
        return "definition_version is out of range"
    if (decision.after.tier is None) != (decision.after.tier_earned_at is None):
        return "tier and tier_earned_at go together"
    return ""


def _stats_refusal(stats: Stats) -> bool:
    counts = (stats.activity_count, stats.active_days, stats.training_count)
    return max(counts) > _INT4_MAX or any("\x00" in name for name in stats.counts_by_type)
