"""What waits in badge_refused_writes of one partition: put there, tried again, and written."""

import time
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg
import msgspec
from msgspec import Struct

from sinks.base import Change, MentorDeleted
from sinks.failures import LOCKED, Refusal, Suppressed
from sinks.pool import Connection
from sinks.queries import QUERIES
from sinks.rows import decision_rows
from sinks.turns import is_of_deleted
from tables.decisions import Decision
from tables.types import Stats

CHUNK = 2_000
"""Rows of one statement at most: a backfill's turn may hold a hundred times as many."""

GROWTH = 4
"""What is accepted may be followed by so many times as many, what is refused by so many fewer."""

Item: TypeAlias = Decision | MentorDeleted | Stats
_WhyRefused: TypeAlias = Callable[[asyncpg.PostgresError], Awaitable[Refusal]]

BEHIND = "waits for what was decided before it"
"""The message of what was not tried yet."""


class _Head(Struct, frozen=True):
    """Something that may be written, because nothing waits before it."""

    id: int
    item: Item


class Aside(Struct, frozen=True):
    """Something that has to wait; without a refusal, for what waits before it."""

    item: Item
    refusal: Refusal | None
    since: datetime | None = None
    tries: int = 0


class Locked(Struct, frozen=True):
    """What there is of some mentors and definitions, and what of it others have locked."""

    mentors: Collection[str]
    deletions: dict[str, int | None]
    """The highest version of each definition's recorded deletions."""
    busy: Collection[str]

    def has(self, decision: Decision) -> bool:
        """Whether what it is about is there, and is what it was about."""
        after = decision.after
        if (
            after.peer_mentor_id not in self.mentors
            or after.badge_definition_id not in self.deletions
        ):
            return False
        return not is_of_deleted(decision, self.deletions[after.badge_definition_id])

    def refusal(self, item: Item) -> Refusal | None:
        if isinstance(item, Decision):
            if item.after.badge_definition_id in self.busy:
                return _lock_of("badge_definitions", item.after.badge_definition_id)
            if item.after.peer_mentor_id in self.busy:
                return _lock_of("peer_mentors", item.after.peer_mentor_id)
        elif isinstance(item, Stats) and item.peer_mentor_id in self.busy:
            return _lock_of("peer_mentors", item.peer_mentor_id)
        return None


async def write_decisions(connection: Connection, decisions: Sequence[Decision]) -> list[Change]:
    """Write decisions, at most one of a mentor and badge; those that changed a row.

    Raises Suppressed where a row is not written, and no other writer is the reason.
    """
    changes: list[Change] = []
    for start in range(0, len(decisions), CHUNK):
        chunk = decisions[start : start + CHUNK]
        part = decision_rows(chunk)
        rows = await connection.fetch(QUERIES["decide"], part)
        changes += _changes(chunk, {row["id"]: row["at"] for row in rows})
        if not all(row["noted"] for row in rows):
            raise Suppressed("badge_award_events", "INSERT")
        written = {row["id"] for row in rows}
        left = [row for row in part if row.id not in written]
        operation = await connection.fetchval(QUERIES["unexplained"], left) if left else None
        if operation:
            raise Suppressed("badge_awards", operation)
    return changes


def _changes(decisions: Iterable[Decision], written: Mapping[str, datetime]) -> Iterator[Change]:
    """Those of the decisions that are written, each at such a time by Postgres' clock."""
    now = time.monotonic()
    for decision in decisions:
        at, caused_at = written.get(decision.after.id), decision.caused_at
        if at is not None:
            caused = None if caused_at is None else now - (at - caused_at).total_seconds()
            yield Change(decision.kind, decision.cause.source, caused)


async def write_stats(connection: Connection, stats: Sequence[Stats]) -> None:
    """Write rows of statistics of mentors that are there. Raises Suppressed."""
    for start in range(0, len(stats), CHUNK):
        part = stats[start : start + CHUNK]
        mentors = [item.peer_mentor_id for item in part]
        if await connection.fetchval(QUERIES["write_stats"], part, mentors) < len(part):
            raise Suppressed("peer_mentor_stats", "INSERT or UPDATE")


async def delete_mentors(connection: Connection, mentors: Sequence[str]) -> None:
    """Remove what the rule wrote for mentors that were deleted. Raises Suppressed."""
    if mentors:
        await connection.execute(QUERIES["delete_mentors"], mentors)
        kept = await connection.fetchval(QUERIES["kept_of_deleted"], mentors)
        if kept:
            raise Suppressed(kept, "DELETE")


class Queue:
    """The rows of one partition, in an open transaction that holds the partition's position."""

    def __init__(
        self, connection: Connection, log_id: str, partition: int, judge: _WhyRefused
    ) -> None:
        self._connection = connection
        self._place = log_id, partition
        self._judge = judge
        self._refused: dict[int, Refusal] = {}

    async def waits(self) -> bool:
        return bool(await self._connection.fetchval(QUERIES["waits"], *self._place))

    async def forget_deleted(self, mentors: Sequence[str]) -> set[str]:
        """What waits of mentors who left was about what they were before: drop it.

        Returns those of whom some of it stays, because somebody else has locked it.
        """
        return await self._forget(mentors, [None] * len(mentors))

    async def replace_stats(
        self, mentors: Sequence[str]
    ) -> tuple[dict[str, tuple[datetime, int]], set[str]]:
        """Drop rows of statistics to which newer ones come: since when, and how often tried.

        And the mentors of whom one stays, because somebody else has locked it.
        """
        rows = await self._connection.fetch(QUERIES["replace_stats"], *self._place, mentors)
        replaced = {r["mentor"]: (r["since"], r["tries"]) for r in rows if not r["stays"]}
        return replaced, {row["mentor"] for row in rows if row["stays"]}

    async def of(self, mentors: Collection[str]) -> set[tuple[str, str | None]]:
        """The mentors and definitions whose changes have to queue; None: all of the mentor's."""
        rows = await self._connection.fetch(QUERIES["queues"], *self._place, list(mentors))
        return {(row["mentor"], row["definition"]) for row in rows}

    async def put(self, aside: Iterable[Aside]) -> None:
        rows = [_row(each) for each in aside]
        for start in range(0, len(rows), CHUNK):
            columns = [list(column) for column in zip(*rows[start : start + CHUNK], strict=True)]
            await self._connection.execute(QUERIES["set_aside"], *self._place, *columns)

    async def retry(self, refusals: int) -> list[Change]:
        """Write what is accepted by now, until so many are refused; the rows that changed."""
        changes, size = list[Change](), 1
        while len(self._refused) < refusals:
            heads = await self._heads(size)
            if not heads:
                break
            try:
                async with self._connection.transaction():
                    written = await self._write(heads)
            except asyncpg.PostgresError as error:
                refusal = await self._judge(error)
                if len(heads) == 1:
                    self._refused[heads[0].id] = refusal
                size = max(1, len(heads) // GROWTH)
            else:
                changes += written
                size = min(size * GROWTH, CHUNK)
        await self._note_refused()
        return changes

    async def _heads(self, count: int) -> list[_Head]:
        rows = await self._connection.fetch(
            QUERIES["heads"], *self._place, list(self._refused), count
        )
        return [_Head(row["id"], item_of(row["kind"], row["decision"])) for row in rows]

    async def _write(self, heads: Sequence[_Head]) -> list[Change]:
        """Write heads that nobody locks, and drop what is about nothing that is there."""
        locked = await self._lock(heads)
        kept = await self._forget_before(heads)
        free = []
        for head in heads:
            refusal = kept.get(head.id) or locked.refusal(head.item)
            if refusal:
                self._refused[head.id] = refusal
            else:
                free.append(head)
        items = [head.item for head in free]
        left = [item.peer_mentor_id for item in items if isinstance(item, MentorDeleted)]
        await delete_mentors(self._connection, left)
        decisions = [item for item in items if isinstance(item, Decision) and locked.has(item)]
        changes = await write_decisions(self._connection, await self._not_in_the_way(decisions))
        stats = [item for item in items if isinstance(item, Stats)]
        present = [item for item in stats if item.peer_mentor_id in locked.mentors]
        await write_stats(self._connection, present)
        await self._connection.execute(QUERIES["forget_waiting"], [head.id for head in free])
        return changes

    async def _forget_before(self, heads: Sequence[_Head]) -> dict[int, Refusal]:
        """Drop what waits before mentors_deleted; those of which some of it stays."""
        left = {h.item.peer_mentor_id: h.id for h in heads if isinstance(h.item, MentorDeleted)}
        kept = await self._forget(list(left), list(left.values()))
        return {left[mentor]: waits_locked(mentor) for mentor in kept}

    async def _forget(self, mentors: Sequence[str], before: Sequence[int | None]) -> set[str]:
        if not mentors:
            return set()
        rows = await self._connection.fetch(
            QUERIES["forget_deleted"], *self._place, mentors, before
        )
        return {row["mentor"] for row in rows}

    async def _lock(self, heads: Sequence[_Head]) -> Locked:
        decisions = [head.item.after for head in heads if isinstance(head.item, Decision)]
        mentors = {award.peer_mentor_id for award in decisions}
        mentors.update(h.item.peer_mentor_id for h in heads if isinstance(h.item, Stats))
        definitions = {award.badge_definition_id for award in decisions}
        rows = await self._connection.fetch(
            QUERIES["lock_at_once"], list(mentors), list(definitions)
        )
        return Locked(
            mentors={row["id"] for row in rows if row["kind"] == "mentor"},
            deletions={r["id"]: r["deleted_version"] for r in rows if r["kind"] == "definition"},
            busy={row["id"] for row in rows if row["kind"] == "busy"},
        )

    async def _not_in_the_way(self, decisions: Sequence[Decision]) -> list[Decision]:
        """Leave out grants of what somebody gave meanwhile: a trigger would refuse them still."""
        grants = [d.after for d in decisions if d.kind == "granted"]
        if not grants:
            return list(decisions)
        rows = await self._connection.fetch(
            QUERIES["held_already"],
            [award.peer_mentor_id for award in grants],
            [award.badge_definition_id for award in grants],
        )
        held = {(row["mentor"], row["definition"]) for row in rows}
        return [
            d
            for d in decisions
            if d.kind != "granted"
            or (d.after.peer_mentor_id, d.after.badge_definition_id) not in held
        ]

    async def _note_refused(self) -> None:
        if not self._refused:
            return
        refusals = self._refused.values()
        await self._connection.execute(
            QUERIES["note_refused"],
            list(self._refused),
            [refusal.sqlstate for refusal in refusals],
            [refusal.message for refusal in refusals],
            [refusal.by for refusal in refusals],
        )


def item_of(kind: str, decision: str) -> Item:
    if kind == "stats":
        return msgspec.json.decode(decision, type=Stats)
    if kind == "departed":
        return msgspec.json.decode(decision, type=MentorDeleted)
    return msgspec.json.decode(decision, type=Decision)


def _row(aside: Aside) -> tuple[Any, ...]:
    item, refusal = aside.item, aside.refusal
    return (
        *columns(item),
        msgspec.json.encode(item).decode(),
        refusal.sqlstate if refusal else None,
        refusal.message if refusal else BEHIND,
        refusal.by if refusal else None,
        aside.since,
        aside.tries + (1 if refusal else 0),
    )


def columns(item: Item) -> tuple[str, str, str | None, str | None]:
    if isinstance(item, Decision):
        after = item.after
        return item.kind, after.peer_mentor_id, after.badge_definition_id, after.id
    return "stats" if isinstance(item, Stats) else "departed", item.peer_mentor_id, None, None


def about(item: Item) -> tuple[str, str | None]:
    """The mentor, and the definition if it is about one award."""
    _, mentor, definition, _ = columns(item)
    return mentor, definition


def waits_locked(mentor: str) -> Refusal:
    """What waits of a mentor is locked."""
    message = f"another session has locked what waits of mentor {mentor}"
    return Refusal(LOCKED, message, "a lock on badge_refused_writes")


def _lock_of(table: str, id_: str) -> Refusal:
    """By a lock on any row of the table: so many rows may be locked that each is no alert."""
    return Refusal(LOCKED, f"another session has locked row {id_} of {table}", f"a lock on {table}")
