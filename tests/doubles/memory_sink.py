"""A sink without a database: the same meaning in dicts, for tests and benchmarks."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from sinks import turns
from sinks.base import Change, Found, MentorDeleted, Outcome, Place, Position, Turn, Waiting
from sinks.errors import Fenced
from sinks.failures import Refusal
from sinks.waiting import Item, about
from tables.decisions import Decision, Kind, Source
from tables.types import AppliedVersion, Award, Stats
from tests.doubles.memory_queue import MemoryQueue, PartitionKey, Row

_INT4_MAX = 2**31 - 1

What: TypeAlias = Literal["award", "event", "stats", "delete"]
Refusing: TypeAlias = tuple[What, str]
"""What a trigger of the application refuses: awards of a definition, their events, statistics of a
mentor, or that awards of a mentor are deleted."""


class Event(Struct, frozen=True):
    """A row of badge_award_events that the rule writes."""

    badge_award_id: str
    peer_mentor_id: str
    badge_definition_id: str
    kind: Kind
    tier: str | None
    definition_version: int
    source: Source
    caused_at: datetime | None = None


class _Refused(Exception):
    def __init__(self, sqlstate: str, message: str) -> None:
        self.refusal = Refusal(sqlstate, message)
        super().__init__(message)


class MemorySink:
    """Holds what PostgresSink writes; `sinks.base.Sink`.

    Mentors and definitions exist unless they were deleted. `awards_by_id`, `evidence` (by award
    id), `stats` (by mentor) and `events` are there to be read. What is in `refusing` is refused,
    with the SQLSTATE that it has there; `found_by_log` is what `found` gives.
    """

    def __init__(self) -> None:
        self.refusing: dict[Refusing, str] = {}
        self.found_by_log: dict[str, list[Found]] = {}
        self.queue = MemoryQueue()
        self._positions: dict[tuple[str, int], Position] = {}
        self._last: dict[tuple[str, int], Place | None] = {}
        self._evaluators: dict[tuple[str, int], str] = {}
        self._missing_mentors: set[str] = set()
        self._missing_definitions: set[str] = set()
        self._deletions: dict[str, int] = {}
        self._held: dict[str, dict[str, str]] = {}
        self.awards_by_id: dict[str, Award] = {}
        self.evidence: dict[str, Mapping[str, Any]] = {}
        self.stats: dict[str, Stats] = {}
        self.events: list[Event] = []
        self._granted: set[str] = set()
        """The awards of which there are events."""
        self.applied_by_log: dict[str, list[AppliedVersion]] = {}

    async def position(self, log_id: str, partition: int) -> Position | None:
        """Return the partition's position; None when the generation is not live."""
        return self._positions.get((log_id, partition))

    async def last_decided(self, log_id: str, partition: int) -> Place | None:
        """Return the last record below the position; None where it was not remembered."""
        return self._last.get((log_id, partition))

    async def evaluator(self, log_id: str, partition: int) -> str | None:
        """Return what decided the turns up to the position, if a turn has said so."""
        return self._evaluators.get((log_id, partition))

    async def applied(self, log_id: str, partition: int, before_turn: int) -> list[AppliedVersion]:
        """Return the versions that turns below `before_turn` applied, in their order."""
        return [
            each
            for each in self.applied_by_log.get(log_id, [])
            if each.partition == partition and each.turn < before_turn
        ]

    async def awards(self, log_id: str, partition: int, mentors: Sequence[str]) -> list[Award]:
        """Return the awards of these mentors, with what waits as if it were written."""
        among = set(mentors)
        rows = [self.awards_by_id[i] for m in among for i in self._held.get(m, {}).values()]
        queued = self.queue.at((log_id, partition))
        waits = [row.item for row in queued if about(row.item)[0] in among]
        held = turns.once_written(
            rows, (x for x in waits if isinstance(x, Decision | MentorDeleted))
        )
        return [msgspec.structs.replace(award) for _, award in sorted(held.items())]

    async def waiting(self) -> list[Waiting]:
        """Return why anything waits, in any partition."""
        return list(self.queue.reasons())

    async def found(self, log_id: str) -> list[Found]:
        """Return what waited as this log went live."""
        return self.found_by_log.get(log_id, [])

    async def retry(self, log_id: str, partition: int, position: Position) -> Outcome:
        """Try again to write what waits."""
        place = (log_id, partition)
        if not self.queue.at(place):
            return Outcome()
        if self._positions.get(place) != position:
            raise Fenced(f"partition {partition} of log {log_id} is somewhere else")
        accepted = self._retry(place)
        return Outcome(accepted=accepted, waits=bool(self.queue.at(place)))

    async def write(self, turn: Turn) -> Outcome:
        """Write the turn; see `sinks.base.Sink`."""
        place = (turn.log_id, turn.partition)
        if self._positions.get(place) != Position(turn.start, turn.number):
            raise Fenced(f"partition {turn.partition} of log {turn.log_id} is somewhere else")
        decisions = self._decisions_in_force(turn)
        present = [s for s in turn.stats if s.peer_mentor_id not in self._missing_mentors]
        self._positions[place] = Position(turn.end, turn.number + 1)
        self._last[place] = turn.last
        if turn.evaluator is not None:
            self._evaluators[place] = turn.evaluator
        self.applied_by_log.setdefault(turn.log_id, []).extend(turn.applied)
        self.queue.forget_mentors({each.peer_mentor_id for each in turn.mentors_deleted}, place)
        since = self.queue.replace_stats(place, {each.peer_mentor_id for each in present})
        accepted, before = self._retry(place), len(self.queue.rows)
        for deleted in {each.peer_mentor_id: each for each in turn.mentors_deleted}.values():
            self._write_or_wait(place, deleted)
        departed = len(self.queue.rows)
        written = [_change(d) for d in decisions if self._write_or_wait(place, d)]
        decided = len(self.queue.rows)
        for stats in present:
            self._write_or_wait(place, stats, since.get(stats.peer_mentor_id))
        return Outcome(
            written=written,
            overtaken=len(decisions) - len(written) - (decided - departed),
            gone=len(turn.decisions) - len(decisions),
            refused=len(self.queue.rows) - before,
            accepted=accepted,
            waits=bool(self.queue.at(place)),
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
        self._keep_events([event for event in self.events if event.peer_mentor_id != mentor])
        self.stats.pop(mentor, None)
        self.queue.forget_mentors({mentor})

    def insert_mentor(self, mentor: str) -> None:
        """Insert a mentor that was deleted."""
        self._missing_mentors.discard(mentor)

    def delete_definition(self, definition: str, version: int) -> None:
        """Delete a definition with its awards; `version` is what the deletion is recorded as."""
        self._missing_definitions.add(definition)
        self._deletions[definition] = version
        for award in [a for a in self.awards_by_id.values() if a.badge_definition_id == definition]:
            self.delete_award(award.id)
        self.queue.forget_definition(definition)

    def insert_definition(self, definition: str) -> None:
        """Insert a definition that was deleted."""
        self._missing_definitions.discard(definition)

    def _decisions_in_force(self, turn: Turn) -> list[Decision]:
        before_a_delete = {id(decision) for decision in turns.outdated(turn)}
        return [
            decision
            for decision in turn.decisions
            if id(decision) not in before_a_delete and self._is_there(decision)
        ]

    def _is_there(self, item: Item) -> bool:
        """Whether what it is about is there, and is what it was about."""
        mentor, definition = about(item)
        if isinstance(item, MentorDeleted):
            return True
        if mentor in self._missing_mentors:
            return False
        return not isinstance(item, Decision) or (
            definition not in self._missing_definitions
            and not turns.is_of_deleted(item, self._deletions.get(item.after.badge_definition_id))
        )

    def _retry(self, place: PartitionKey) -> list[Change]:
        """Write what is accepted by now; the rows that changed."""
        changes: list[Change] = []
        for row in self.queue.at(place):
            if self.queue.is_behind(row.item, place, row):
                continue
            try:
                changed = self._write_again(row.item)
            except _Refused as refused:
                row.refusal = refused.refusal
            else:
                self.queue.rows.remove(row)
                if changed and isinstance(row.item, Decision):
                    changes.append(_change(row.item))
        return changes

    def _write_again(self, item: Item) -> bool:
        if not self._is_there(item):
            return False
        if isinstance(item, Decision) and item.kind == "granted":
            mentor, definition = item.after.peer_mentor_id, item.after.badge_definition_id
            if definition in self._held.get(mentor, {}):
                return False
        return self._write(item)

    def _write_or_wait(
        self, place: PartitionKey, item: Item, since: datetime | None = None
    ) -> bool:
        refusal = None
        if not self.queue.is_behind(item, place):
            try:
                return self._write(item)
            except _Refused as refused:
                refusal = refused.refusal
        self.queue.rows.append(Row(place, item, refusal, since or datetime.now(UTC)))
        return False

    def _write(self, item: Item) -> bool:
        """Write one item; whether a row changed. Raises _Refused."""
        if isinstance(item, Decision):
            return self._decide(item)
        if isinstance(item, MentorDeleted):
            self._delete_mentors(item.peer_mentor_id)
            return True
        self._refuse("stats", item.peer_mentor_id)
        if reason := _stats_refusal(item):
            raise _Refused("22P05", reason)
        self.stats[item.peer_mentor_id] = item
        return True

    def _refuse(self, what: What, name: str) -> None:
        sqlstate = self.refusing.get((what, name))
        if sqlstate:
            raise _Refused(sqlstate, f"not this {what}: {name}")

    def _refuse_change(self, definition: str) -> None:
        self._refuse("award", definition)
        self._refuse("event", definition)

    def _delete_mentors(self, mentor: str) -> None:
        awards = [self.awards_by_id[award_id] for award_id in self._held.get(mentor, {}).values()]
        going = [award.id for award in awards if award.changed_by == "rule"]
        if going:
            self._refuse("delete", mentor)
        for award_id in going:
            self.delete_award(award_id)
        self._keep_events(
            [
                event
                for event in self.events
                if event.peer_mentor_id != mentor or event.badge_award_id in self.awards_by_id
            ]
        )
        self.stats.pop(mentor, None)

    def _keep_events(self, events: list[Event]) -> None:
        self.events = events
        self._granted = {event.badge_award_id for event in events}

    def _decide(self, decision: Decision) -> bool:
        after, believed = decision.after, decision.believed
        if reason := _refusal(decision):
            raise _Refused("22P05", reason)
        row = self.awards_by_id.get(after.id)
        if decision.kind == "granted":
            if after.badge_definition_id in self._held.get(after.peer_mentor_id, {}):
                return False
            self._refuse_change(after.badge_definition_id)
            self.put_award(msgspec.structs.replace(after, changed_by="rule"))
            if decision.evidence is not None:
                self.evidence[after.id] = decision.evidence
        elif decision.kind == "withdrawn":
            if row is None or not turns.is_the_rules(row):
                return False
            self._refuse("delete", after.peer_mentor_id)
            self.delete_award(after.id)
            return True
        else:
            if row is None or believed is None or not turns.is_believed(row, believed):
                return False
            if _held_state(row) == _held_state(after):
                return False
            self._refuse_change(after.badge_definition_id)
            if row.tier != after.tier:
                row.tier_earned_on = after.tier_earned_on
                row.tier_version = decision.definition_version
            row.tier, row.tier_earned_at = after.tier, after.tier_earned_at
            row.revoked_by, row.changed_by, row.changed_in = after.revoked_by, "rule", None
        is_again = decision.kind == "granted" and after.id in self._granted
        self._granted.add(after.id)
        self.events.append(_event(decision, "restored" if is_again else decision.kind))
        return True


def _held_state(award: Award) -> tuple[object, ...]:
    return award.tier, award.tier_earned_at, award.revoked_by


def _event(decision: Decision, kind: Kind) -> Event:
    return Event(
        badge_award_id=decision.after.id,
        peer_mentor_id=decision.after.peer_mentor_id,
        badge_definition_id=decision.after.badge_definition_id,
        kind=kind,
        tier=decision.after.tier,
        definition_version=decision.definition_version,
        source=decision.cause.source,
        caused_at=decision.caused_at,
    )


def _change(decision: Decision) -> Change:
    caused = None
    if decision.caused_at is not None:
        caused = time.monotonic() - (datetime.now(UTC) - decision.caused_at).total_seconds()
    return Change(decision.kind, decision.cause.source, caused)


def _refusal(decision: Decision) -> str:
    """Say why Postgres would refuse the decision; empty when it would not."""
    if "\x00" in (decision.after.tier or ""):
        return "a tier's name holds a NUL character"
    if not 0 <= decision.definition_version <= _INT4_MAX:
        return "definition_version is out of range"
    if (decision.after.tier is None) != (decision.after.tier_earned_at is None):
        return "tier and tier_earned_at go together"
    return ""


def _stats_refusal(stats: Stats) -> str:
    if any("\x00" in name for name in stats.counts_by_type):
        return "a type holds a NUL character"
    counts = (stats.activity_count, stats.active_days, stats.training_count)
    return "a count is out of range" if max(counts) > _INT4_MAX else ""
