"""A turn of which Postgres refuses something: that waits, and the rest is written."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg

from sinks import turns, waiting
from sinks.attempt import Attempt
from sinks.base import Change, MentorDeleted, Outcome, Turn
from sinks.errors import Refused
from sinks.failures import Refusal, Suppressed, refusal_of
from sinks.isolation import Isolation
from sinks.pool import Connection
from sinks.queries import QUERIES
from sinks.waiting import Aside, Item, Queue, about, waits_locked
from tables.decisions import Decision
from tables.types import Stats

TRIES = 8
"""So much of what waits may be refused again with a turn; what is accepted is not counted."""

CAREFULLY = "SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL lock_timeout = '100ms'"
"""Deferred checks refuse at once, so that a savepoint tells whom; no lock is waited for long."""

Some = TypeVar("Some", Decision, MentorDeleted, Stats)


class Judge:
    """Says why an error refuses, with the triggers' names where that can be told.

    Raises Refused where `believes` says no, and the error itself where it is about no row.
    """

    def __init__(
        self, connection: Connection, believes: Callable[[Refusal], bool] = lambda _: True
    ) -> None:
        self._connection = connection
        self._names: dict[tuple[str, ...], str | None] = {}
        self._believes = believes

    async def __call__(self, error: asyncpg.PostgresError) -> Refusal:
        refusal = refusal_of(error)
        if refusal is None:
            raise error
        name = refusal.by
        if isinstance(error, Suppressed):
            name = await self._name("triggers_before", error.table, error.operation)
        elif name and name.endswith(")"):
            name = await self._name("triggers_of", name) or f"function {name}"
        of_rows = refusal.of_rows or name is not None
        return self.admit(Refusal(refusal.sqlstate, refusal.message, name, of_rows))

    def admit(self, refusal: Refusal) -> Refusal:
        if not self._believes(refusal):
            reason = f"{refusal.message} ({refusal.sqlstate}, {refusal.by or 'by itself'})"
            raise Refused(reason, sqlstate=refusal.sqlstate)
        return refusal

    async def _name(self, query: str, *what: str) -> str | None:
        """The triggers that are likely to be meant; None where there are none."""
        key = query, *what
        if key not in self._names:
            self._names[key] = await self._connection.fetchval(QUERIES[query], *what)
        return self._names[key]


class CarefulAttempt(Attempt):
    """An attempt with savepoints around what may be refused.

    It waits for no lock on a mentor or a definition, tries again what waits, and lets wait what is
    refused now, and what follows of it. `judge` may believe no refusal yet; `known` is of those
    that wait already.
    """

    opening = "open_turn_at_once"

    def __init__(self, connection: Connection, turn: Turn, *, judge: Judge, known: Judge) -> None:
        super().__init__(connection, turn)
        self._judge = judge
        self._queue = Queue(connection, turn.log_id, turn.partition, known)
        self._queued: set[tuple[str, str | None]] = set()
        """Mentors and definitions of which something waits; None: everything of the mentor."""
        self._behind: set[str] = set()
        """Mentors of whom older statistics wait."""
        self._aside: list[Aside] = []

    async def open(self, turn_id: UUID) -> bool:
        await self._connection.execute(CAREFULLY)
        return await super().open(turn_id)

    async def _write(self, decisions: Sequence[Decision], stats: Sequence[Stats]) -> Outcome:
        queue = self._queue
        await self._forget_deleted()
        before, self._behind = await queue.replace_stats([each.peer_mentor_id for each in stats])
        accepted = await queue.retry(TRIES)
        mentors = {decision.after.peer_mentor_id for decision in decisions}
        mentors.update(each.peer_mentor_id for each in stats)
        self._queued |= await queue.of(mentors)
        await self._delete_mentors()
        written = await self._write_decisions(decisions)
        decided_aside = sum(isinstance(each.item, Decision) for each in self._aside)
        await self._write_stats(stats)
        await queue.put(_replacing(each, before) for each in self._aside)
        return Outcome(
            written=written,
            overtaken=len(decisions) - len(written) - decided_aside,
            refused=len(self._aside),
            accepted=accepted,
            waits=await queue.waits(),
        )

    async def _forget_deleted(self) -> None:
        last = {each.peer_mentor_id: each for each in self._turn.mentors_deleted}
        for mentor in await self._queue.forget_deleted(list(last)):
            self._let_wait(last[mentor], self._judge.admit(waits_locked(mentor)))

    async def _delete_mentors(self) -> None:
        async def apply(items: Sequence[MentorDeleted]) -> list[Change]:
            mentors = [each.peer_mentor_id for each in items]
            await waiting.delete_mentors(self._connection, mentors)
            return []

        last = {each.peer_mentor_id: each for each in self._turn.mentors_deleted}
        await self._isolation(apply).run([e for e in last.values() if about(e) not in self._queued])

    async def _write_decisions(self, decisions: Sequence[Decision]) -> list[Change]:
        async def apply(items: Sequence[Decision]) -> list[Change]:
            return await waiting.write_decisions(self._connection, items)

        isolation = self._isolation(apply)
        written: list[Change] = []
        for wave in turns.waves(decisions):
            written += await isolation.run(self._free(wave))
        return written

    async def _write_stats(self, stats: Sequence[Stats]) -> None:
        async def apply(items: Sequence[Stats]) -> list[Change]:
            await waiting.write_stats(self._connection, items)
            return []

        await self._isolation(apply).run(self._free(stats))

    def _isolation(
        self, apply: Callable[[Sequence[Some]], Awaitable[list[Change]]]
    ) -> Isolation[Some, Change]:
        return Isolation(self._connection, apply, self._judge, self._let_wait, _group)

    def _free(self, items: Iterable[Some]) -> list[Some]:
        """Leave out, and let wait, what has to queue and what somebody has locked."""
        free = []
        for item in items:
            mentor, definition = about(item)
            if self._queued & {(mentor, None), (mentor, definition)} or (
                isinstance(item, Stats) and mentor in self._behind
            ):
                self._aside.append(Aside(item, None))
            elif refusal := self._locked.refusal(item):
                self._let_wait(item, self._judge.admit(refusal))
            else:
                free.append(item)
        return free

    def _let_wait(self, item: Item, refusal: Refusal) -> None:
        self._aside.append(Aside(item, refusal))
        if not isinstance(item, Stats):
            self._queued.add(about(item))


def _group(item: Item) -> Hashable:
    return item.after.badge_definition_id if isinstance(item, Decision) else type(item)


def _replacing(aside: Aside, before: Mapping[str, tuple[datetime, int]]) -> Aside:
    """Newer statistics wait since those waited that they replace."""
    if not isinstance(aside.item, Stats) or aside.item.peer_mentor_id not in before:
        return aside
    since, tries = before[aside.item.peer_mentor_id]
    return Aside(aside.item, aside.refusal, since, tries)
