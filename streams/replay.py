"""A partition replayed beside the workers: what it should have, by the log, against what it has.

The log is read from its beginning through the same fold, and compared with the tables as of one
position. What differs for good becomes decisions, which are written as a turn of this writer's: so
the worker that has the partition is fenced once, and rebuilds what it believes.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from functools import partial
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

import msgspec.structs
from msgspec import Struct

from sinks.backoff import delays
from sinks.base import Message, Outcome, Place, Position, Turn
from sinks.errors import Unavailable
from sinks.failures import translated
from sinks.polling import poll
from sinks.pool import Pool
from sinks.postgres import PostgresSink
from sinks.written import Written
from streams.differences import Differences, Pair, agree, differences, lasting
from streams.errors import Failure
from streams.log.generations import Generation
from streams.log.reader import Log
from streams.log.topics import partition_of
from streams.log.wal import confirmed, insert_lsn
from streams.mending import Mending, mending
from streams.pacing import Pace
from streams.partition import Partition
from streams.recovery import Recovery, Rules
from streams.replayed import Item, Replayed, Unexplained, award_item, stats_item, unexplained
from streams.rule_versions import Versions
from tables.decisions import Cause, Decision
from tables.ledger import Ledger
from tables.types import Stats

PATIENCE_S: Final = 60.0
"""How long the log, and its workers, may take to get to where the database is."""

_CHUNK: Final = 500
"""So many mentors are compared at a time."""

_TRIES: Final = 8
"""So often a turn is tried that Postgres cannot write now."""

_StatsPairs: TypeAlias = Mapping[str, tuple[Stats, Stats | None]]
"""By mentor: what the fold says, and the row."""


class Scope(Struct, frozen=True):
    """What is compared: all, or what is of one organization, one mentor or some definitions."""

    organization: str | None = None
    mentor: str | None = None
    definitions: frozenset[str] | None = None

    @property
    def whole(self) -> bool:
        return self == Scope()

    def partitions(self, number: int) -> list[int]:
        """The partitions, of so many, that have any of it."""
        if self.mentor is None:
            return list(range(number))
        return [partition_of(self.mentor, number)]

    def has(self, ledger: Ledger) -> bool:
        if self.mentor not in (None, ledger.mentor_id):
            return False
        if self.organization is None:
            return True
        return ledger.mentor is not None and ledger.mentor.organization_id == self.organization

    def has_award(self, definition: str) -> bool:
        return self.definitions is None or definition in self.definitions


class PacedLog:
    """The log, read no faster than at a pace; `has_read` hears of how many records."""

    def __init__(self, log: Log, pace: Pace, has_read: Callable[[int], None]) -> None:
        self._log = log
        self._pace = pace
        self._has_read = has_read

    async def read(
        self, partition: int, start: int, end: int, after: Place | None = None
    ) -> AsyncIterator[Sequence[Message]]:
        async for chunk in self._log.read(partition, start, end, after):
            yield chunk
            self._has_read(len(chunk))
            await self._pace.did(len(chunk))


class Around(NamedTuple):
    """What a replay reads, and asks, beside the log."""

    pool: Pool
    sink: PostgresSink
    versions: Versions
    end: Callable[[int], Awaitable[int]]
    """The end of a partition of the log."""


class _Seen(NamedTuple):
    awards: Differences
    stats: _StatsPairs

    @property
    def mentors(self) -> list[str]:
        return sorted({mentor for mentor, _ in self.awards} | self.stats.keys())

    def still(self, again: "_Seen") -> "_Seen":
        """What was seen again, and lasts. Statistics only workers write, with the position."""
        stats = {mentor: pair for mentor, pair in again.stats.items() if mentor in self.stats}
        return _Seen(lasting(self.awards, again.awards), stats)


class Replay:
    """Replays partitions of the live generation, one after the other."""

    def __init__(
        self,
        generation: Generation,
        around: Around,
        log: Log,
        paced: Log,
        *,
        scope: Scope,
        keys: Mapping[str, str],
        rules: Rules = "live",
    ) -> None:
        """`keys` are those of all definitions, by id. What `log` reads is not held back."""
        self._generation = generation
        self._around = around
        self._paced = paced
        self._scope = scope
        self._keys = keys
        self._rules: Rules = rules
        self._reading = self._recovery(paced)
        self._following = self._recovery(log)

    def _recovery(
        self, log: Log, decided: Callable[[Sequence[Decision]], None] = lambda _: None
    ) -> Recovery:
        around = self._around
        return Recovery(
            self._generation, around.sink, around.versions, log, rules=self._rules, decided=decided
        )

    async def replay(self, number: int, *, apply: bool) -> Replayed:
        """Compare one partition, and write what is missing if that is wanted.

        Raises Failure, Unavailable, Refused and LogBroken; nothing is written then.
        """
        state = await self._restored(number, self._reading)
        seen = await self._look(state)
        if not (seen.awards or seen.stats):
            return Replayed(number, state.next_offset)
        await self._until_passed(number)
        seen = seen.still(await self._look(state, seen.mentors))
        lost = {held.id for held, row in seen.awards.values() if held and row is None}
        grants: dict[str, Decision] = {}
        if lost and self._rules == "live":
            # What earned an award is not kept: it is read where it was granted.
            del state

            def keep(decisions: Sequence[Decision]) -> None:
                grants.update(
                    (each.after.id, each)
                    for each in decisions
                    if each.kind == "granted" and each.after.id in lost
                )

            state = await self._restored(number, self._recovery(self._paced, keep))
        if apply:
            return await self._apply(state, seen, grants)
        return self._found(state, seen, grants)[0]

    async def _restored(self, number: int, recovery: Recovery) -> Partition:
        if self._live(await self._position(number)).turn == 0:
            raise Failure(
                f"partition {number} of the log was not decided yet: there is nothing to compare",
                hint="Start a worker, or wait for it: `badges lag` says how far it is",
            )
        state = await recovery.restore(number)
        # What came meanwhile, at the same pace.
        await recovery.go_on(state, self._live(await self._position(number)))
        return state

    async def _position(self, number: int) -> Position | None:
        return await self._around.sink.position(self._generation.log_id, number)

    def _live(self, position: Position | None) -> Position:
        if position is None:
            raise Failure(
                f"generation {self._generation.number} of the log was closed meanwhile",
                hint="Run the command again: it reads the generation that is live then",
            )
        return position

    async def _look(self, state: Partition, mentors: Collection[str] | None = None) -> _Seen:
        """Bring the state to the position of one snapshot, and compare it with what is there."""
        with translated():
            async with (
                self._around.pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                written = Written(connection, state.log_id, state.number)
                return await self._compare(state, written, await written.position(), mentors)

    async def _compare(
        self,
        state: Partition,
        written: Written,
        position: Position | None,
        mentors: Collection[str] | None,
    ) -> _Seen:
        position = self._live(position)
        if position != state.position:
            await self._following.go_on(state, position)
        awards: Differences = {}
        stats: dict[str, tuple[Stats, Stats | None]] = {}
        for some in _chunks(self._among(state, mentors)):
            awards |= self._of_scope(differences(state, some, await written.awards(some)))
            if self._scope.definitions is not None:
                continue
            rows = await written.stats(some)
            for ledger in (state.mentors[mentor].ledger for mentor in some):
                if ledger.mentor is None:
                    continue
                after, row = ledger.stats(), rows.get(ledger.mentor_id)
                if after != row:
                    stats[ledger.mentor_id] = after, row
        return _Seen(awards, stats)

    def _among(self, state: Partition, mentors: Collection[str] | None) -> Iterable[str]:
        return [
            mentor
            for mentor in (state.mentors if mentors is None else mentors)
            if mentor in state.mentors and self._scope.has(state.mentors[mentor].ledger)
        ]

    def _of_scope(self, found: Differences) -> Differences:
        found = {key: pair for key, pair in found.items() if self._scope.has_award(key[1])}
        if self._rules == "live":
            return found
        as_of_today = {key: _as_of_today(pair) for key, pair in found.items()}
        return {key: pair for key, pair in as_of_today.items() if not agree(*pair)}

    async def _until_passed(self, number: int) -> None:
        """Wait until the workers have decided all that was committed before, by the rules of then.

        What a rule that is still to be taken up has deleted, the fold may hold until it is.
        """
        around, log_id = self._around, self._generation.log_id
        until = await insert_lsn(around.pool)
        await around.versions.refresh()

        async def sent() -> bool:
            return await confirmed(around.pool, self._generation.slot) >= until

        async def decided() -> bool:
            position = self._live(await self._position(number))
            if position.next_offset < end:
                return False
            recorded = await around.sink.applied(log_id, number, position.turn)
            return not around.versions.newer_than({each.key: each.version for each in recorded})

        try:
            await poll(sent, within=PATIENCE_S)
            end = await around.end(number)
            await poll(decided, within=PATIENCE_S)
        except TimeoutError:
            raise Failure(
                f"partition {number} differs, and whether that is on its way cannot be told: it "
                f"was not decided within {PATIENCE_S:g} s up to where the database is",
                hint="`badges lag` says what holds it up; run the command again after that",
            ) from None

    async def _apply(
        self, state: Partition, seen: _Seen, grants: Mapping[str, Decision]
    ) -> Replayed:
        replayed = Replayed(state.number, state.next_offset)

        async def make(written: Written) -> Turn | None:
            nonlocal replayed
            # From here on the worker waits: only what differed is looked at again.
            position = await written.keep_position()
            still = seen.still(await self._compare(state, written, position, seen.mentors))
            replayed, turn = self._found(state, still, grants)
            return turn if replayed.items else None

        write = partial(self._around.sink.write_as_of, state.log_id, state.number, make)
        outcome: Outcome | None = None
        for pause in islice(delays(), _TRIES - 1):
            try:
                outcome = await write()
                break
            except Unavailable:
                # What is read again is what came since.
                await self._following.go_on(state, self._live(await self._position(state.number)))
                await asyncio.sleep(pause)
        else:
            outcome = await write()
        return msgspec.structs.replace(replayed, refused=outcome.refused if outcome else 0)

    def _found(
        self, state: Partition, seen: _Seen, grants: Mapping[str, Decision]
    ) -> tuple[Replayed, Turn]:
        """What there is to do, and the turn that does it."""
        position = state.position
        cause = Cause(state.log_id, state.number, position.next_offset, turn=position.turn)
        items: list[Item] = []
        left: list[Unexplained] = []
        decisions: list[Decision] = []
        for (_, definition), pair in sorted(seen.awards.items()):
            key = self._keys.get(definition)
            mended = self._mending(pair, cause, state, grants)
            decisions += mended.decisions
            items += [award_item(decision, key) for decision in mended.decisions]
            row = pair[1]
            if row and mended.left:
                left.append(unexplained(row, key, "; ".join(mended.left)))
        items += [stats_item(*seen.stats[mentor]) for mentor in sorted(seen.stats)]
        turn = Turn(
            state.log_id,
            state.number,
            position.turn,
            position.next_offset,
            position.next_offset,
            decisions=decisions,
            stats=[after for after, _ in seen.stats.values()],
            last=state.last,
        )
        return Replayed(state.number, state.next_offset, items, left), turn

    def _mending(
        self, pair: Pair, cause: Cause, state: Partition, grants: Mapping[str, Decision]
    ) -> Mending:
        held, row = pair
        if self._rules == "today" and held is None and row and row.awarded_by == "rule":
            version = row.definition_version or 0
            return Mending([Decision("withdrawn", cause, row, row, version)])
        return mending(pair, cause, state.book, grants)


def _as_of_today(pair: Pair) -> Pair:
    """By other rules an award has another id, and another version gives it: that is no news."""
    held, row = pair
    if held is None or row is None:
        return pair
    return msgspec.structs.replace(held, id=row.id, definition_version=row.definition_version), row


def _chunks(mentors: Iterable[str]) -> Iterable[list[str]]:
    left = iter(mentors)
    while some := list(islice(left, _CHUNK)):
        yield some
