"""One partition's life in a worker: catch up, then turn after turn, until it is fenced off.

It does the waiting that a Partition must not know: for batches and new versions, for Postgres when
it is away, for the log's integrity. A turn is folded once and written as often as it takes; when it
is fenced, the state is thrown away and read again up to the position in Postgres.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

import structlog

from sinks.alerts import Alerts, standing
from sinks.backoff import delays
from sinks.base import Message, Place, Sink
from sinks.errors import Fenced
from sinks.looks import OneAlert
from sinks.refused_writes import RefusedWrites, Stall
from streams import metrics
from streams.checkpointing import Checkpointing
from streams.checkpoints import Checkpoints
from streams.errors import LogBroken
from streams.evaluator_change import tell_of_change
from streams.log.reader import Log
from streams.pacing import in_spells
from streams.partition import Partition, rule_named
from streams.reconciliation import Reconciliation
from streams.records import Record
from streams.recovery import BegunUnusable, Recovery
from streams.rule_versions import Versions
from streams.setting_aside import KIND as STANDS
from streams.setting_aside import SettingAside
from streams.throttle import Throttle
from streams.trying import Trying
from streams.turn_counts import Timed, count, count_changes
from streams.unusable import Outline
from streams.write_guard import WriteGuard

PARTITION_FAILED: Final = "partition_failed"
"""The alert of a partition on which a worker ends again and again."""

_UNKNOWN_RULE_SECONDS = 30.0
"""How long a row waits for a version of what it names to become visible."""
_LOOK_SECONDS = 1.0
"""How often a partition that stands still looks whether it may go on."""
_IDLE_SECONDS = 1.0
"""How long it waits for work before it looks whether it missed any."""

log = structlog.get_logger(__name__)


class Batch(NamedTuple):
    """What one fetch gave for a partition, and how to say that all of it is committed."""

    messages: Sequence[Message]
    done: Callable[[], object]


@dataclass(frozen=True)
class Services:
    sink: Sink
    aside: SettingAside
    versions: Versions
    source: Log
    recovery: Recovery
    checkpoints: Checkpoints
    guard: WriteGuard
    wal_written: Callable[[], Awaitable[int]]
    wal_sent: Callable[[], Awaitable[int]]
    alerts: Alerts
    throttle: Throttle = field(default_factory=Throttle)


class PartitionWorker:
    """Drives one partition: `offer` gives it batches, `wake` says that there are new versions."""

    def __init__(
        self,
        partition: int,
        services: Services,
        end: Callable[[], int | None],
        decided: Callable[[int], None],
        connection: Callable[[int], int],
    ) -> None:
        """`end` gives the partition's end as far as the consumer has heard of it.

        `decided` hears of every position that is written. `connection` gives the number of the
        connection to Kafka over which the record at an offset came, or will come.
        """
        self.partition = partition
        self._services = services
        self._end = end
        self._decided = decided
        self._connection = connection
        # The connection up to which the last record was read again.
        self._confirmed = 0
        # None wakes the worker up for new versions.
        self._batches: asyncio.Queue[Batch | None] = asyncio.Queue()
        self._waiting_at = -1
        # How long a record, at which offset, has waited for a version of what it names.
        self._waited = 0.0
        self._failed = OneAlert(services.alerts, PARTITION_FAILED, subject=str(partition))
        self._stands = OneAlert(services.alerts, STANDS, subject=standing(partition))
        self._refused = self._nothing_known_to_wait()
        # Whether all that was folded is written, and whether that is to be the end.
        self._is_settled = self._is_ending = False
        self._log = log.bind(partition=partition)
        stall = Stall(
            str(partition), "this partition stands still", services.alerts, {"partition": partition}
        )
        self._trying = Trying(services.guard, stall, self._log)

    def offer(self, batch: Batch) -> None:
        # After a rebalance all that is not decided is fetched again: what is here is in it.
        while not self._batches.empty():
            superseded = self._batches.get_nowait()
            if superseded:
                superseded.done()
        self._batches.put_nowait(batch)

    def wake(self) -> None:
        self._batches.put_nowait(None)

    def end(self) -> None:
        """Let `run` return once what is in hand is written, and kept; cancel it if that lasts."""
        self._is_ending = True
        self.wake()

    async def run(self) -> None:
        """Follow the log; begin again whenever somebody else has moved the position."""
        try:
            while not self._is_ending:
                # The last record of what is restored is read after these connections began.
                self._confirmed = self._connection(sys.maxsize)
                try:
                    await self._live(await self._begin())
                except Fenced as fenced:
                    metrics.FENCED.inc()
                    self._log.warning("state thrown away", reason=str(fenced))
                except LogBroken as broken:
                    await self._services.guard.broken(broken)
        finally:
            self._services.checkpoints.give_back(self.partition)

    async def _begin(self) -> Partition:
        """The state to go on from, as soon as it can be read."""
        self._refused = self._nothing_known_to_wait()
        excused: frozenset[str] = frozenset()
        while True:
            restore = partial(self._services.recovery.restore, self.partition, excused)
            try:
                with metrics.CATCHING_UP.track_inprogress():
                    return await self._trying.until_available("restore", restore, reads=True)
            except BegunUnusable as begun:
                retry = partial(self._refused.try_again, begun.log_id, begun.position)
                await self._until_readable(begun.unusable, begun.offset, retry)
                excused |= {begun.unusable.table or ""}

    def _nothing_known_to_wait(self) -> RefusedWrites:
        services = self._services
        return RefusedWrites(self.partition, services.sink, services.alerts, count_changes)

    async def _live(self, state: Partition) -> None:
        """Follow the log from a state on; what is held when it ends in order is kept."""
        self._is_settled = False
        checkpointing = Checkpointing(self._services.checkpoints, state)
        try:
            await self._follow(state, checkpointing)
        except asyncio.CancelledError:
            if self._is_settled:
                await checkpointing.end()
            raise
        await checkpointing.end()

    async def _follow(self, state: Partition, checkpointing: Checkpointing) -> None:
        self._log.info("caught up", offset=state.next_offset, mentors=len(state.mentors))
        self._decided(state.next_offset)
        services = self._services
        await self._trying.until_available(
            "tell_evaluator", lambda: tell_of_change(services.sink, services.alerts, state)
        )
        reconciliation = Reconciliation(
            services.sink, services.alerts, services.wal_written, services.wal_sent, state
        )
        await self._decide(state, ())
        told = False
        while not self._is_ending:
            batch: Batch | None = None
            with suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_SECONDS):
                    batch = await self._batches.get()
            if batch is None:
                await self._idle(state, reconciliation)
                await checkpointing.look()
                continue
            metrics.BATCH_RECORDS.observe(len(batch.messages))
            try:
                await self._go_on_to(state, batch.messages[0].offset)
                await self._decide(state, batch.messages)
            finally:
                # Fenced as well: the partition must be fetched again, and the position counts.
                batch.done()
            await checkpointing.look()
            if not told:
                # A busy partition is never idle.
                await self._goes_on()
                told = True

    async def _idle(self, state: Partition, reconciliation: Reconciliation) -> None:
        """Decide by new versions, and look whether anything was missed, waits, or differs."""
        await self._decide(state, ())
        if self._batches.empty():
            # Faust drops and acknowledges what is in flight when the group rebalances. If nothing
            # follows in the partition, nobody would bring that again.
            await self._go_on_to(state, self._end() or 0)
        await self._services.guard.passed()
        await self._refused.try_again(state.log_id, state.position)
        end = self._end()
        if self._batches.empty() and end is not None and state.next_offset >= end:
            # Who waits with new versions may have been overtaken, and would be told by writing.
            if not self._services.versions.newer_than(state.applied):
                await reconciliation.look()
            await self._goes_on()

    async def _go_on_to(self, state: Partition, offset: int) -> None:
        """Decide what lies before an offset and was not handed over.

        Where what follows comes over a later connection, the last record is read again: the broker
        behind it may have lost records that were decided, and grown past them since.
        """
        if state.next_offset < offset:
            await self._trying.until_available("read", lambda: self._read_and_decide(state, offset))
        connection = self._connection(state.next_offset)
        if connection > self._confirmed:
            last = state.last
            if last is not None:
                await self._trying.until_available("read", lambda: self._read_again(last))
            self._confirmed = connection

    async def _read_again(self, last: Place) -> None:
        """Raise LogBroken where another record stands in the place of the last one."""
        offset = last.offset + 1
        async for _ in self._services.source.read(self.partition, offset, offset, last):
            pass

    async def _read_and_decide(self, state: Partition, offset: int) -> None:
        first, source = state.next_offset, self._services.source
        async for chunk in source.read(self.partition, first, offset, state.last):
            await self._decide(state, chunk)
        # What is left has no record, such as the mark that ends a transaction.
        state.pass_over(offset)
        await self._decide(state, ())

    async def _decide(self, state: Partition, messages: Sequence[Message]) -> None:
        """Fold the messages and write what they decide; in turns, where a rule is unknown."""
        self._is_settled = False
        await self._decide_all(state, messages)
        self._is_settled = True

    async def _decide_all(self, state: Partition, messages: Sequence[Message]) -> None:
        state.excused = excused = set[str]()
        stopped_at: Record | Outline | None = None
        while True:
            # A row that waits for a version does not wait for its turn as well.
            at_once = not isinstance(stopped_at, Outline | None)
            stopped_at = await self._turn(state, messages, at_once=at_once)
            if stopped_at is None:
                return
            if not isinstance(stopped_at, Outline):
                await self._until_known(state, stopped_at)
            elif await self._stand_before(stopped_at, state):
                # What is in hand was in the log before we looked; whatever comes is looked at anew.
                excused.add(stopped_at.table or "")

    async def _turn(
        self, state: Partition, messages: Sequence[Message], *, at_once: bool
    ) -> Record | Outline | None:
        """Write one turn, with what is new of the rules if it may be taken up now.

        Returns the record before which it ended, or None when all are folded.
        """
        throttle = self._services.throttle
        newer = self._services.versions.newer_than(state.applied)
        if newer and not (at_once or state.turn == 0 or throttle.may_begin(self.wake)):
            newer = []
        # The first turn decides everybody, also where no version is saved yet.
        if not newer and state.turn > 0:
            return await self._fold(state, messages)
        with throttle.taking_up():
            state.apply(newer)
            await in_spells(state.decide, list(state.mentors))
            return await self._fold(state, messages)

    async def _fold(self, state: Partition, messages: Sequence[Message]) -> Record | Outline | None:
        fold = Timed(state.fold)
        stopped_at: Record | Outline | None = await in_spells(fold, messages)
        if messages:
            metrics.FOLD_SECONDS.observe(fold.seconds)
        if not state.turn_is_empty:
            await self._write(state)
        return stopped_at

    async def _until_known(self, state: Partition, record: Record) -> None:
        """Wait for a version of what a record names, which was committed before it.

        Without one, its triggers were off or the row is made up: the partition must go on.
        """
        if self._waiting_at != state.next_offset:
            self._waiting_at, self._waited = state.next_offset, 0.0
        for delay in delays():
            await self._trying.until_available("read_rules", self._services.versions.refresh)
            if self._services.versions.newer_than(state.applied):
                return
            if self._waited > _UNKNOWN_RULE_SECONDS:
                break
            await asyncio.sleep(delay)
            self._waited += delay
        state.give_up(record)
        await self._services.alerts.raise_alert(
            "rule_unknown",
            {
                "message": "a row names an organization or a badge definition of which no version "
                "is recorded. If it is there, its triggers were off: run `badges migrate`. If it "
                "is not, that does not help: give the row one that is there, or delete it",
                "id": rule_named(record),
                "row": record.id,
                "partition": self.partition,
                "offset": state.next_offset,
            },
            subject=rule_named(record),
        )

    async def _stand_before(self, unusable: Outline, state: Partition) -> bool:
        retry = partial(self._refused.try_again, state.log_id, state.position)
        newer = partial(self._services.versions.newer_than, state.applied)
        return await self._until_readable(unusable, state.next_offset, retry, newer)

    async def _until_readable(
        self,
        unusable: Outline,
        offset: int,
        retry: Callable[[], Awaitable[None]],
        has_other_work: Callable[[], object] = lambda: None,
    ) -> bool:
        """Stand still while the columns of a table have types that the log cannot carry.

        Meanwhile `retry` what waits. False once there is other work; then ask again.
        """
        aside = self._services.aside
        while True:
            wrong = await self._trying.until_available(
                "look_at_columns", lambda: aside.wrong_types(unusable.table or "")
            )
            if not wrong:
                await self._stands.close()
                return True
            detail = aside.stands(self.partition, offset, unusable, wrong)
            await self._stands.open(STANDS, detail)
            await retry()
            await asyncio.sleep(_LOOK_SECONDS)
            if has_other_work():
                return False

    async def _goes_on(self) -> None:
        """Close what an earlier process, or this one, has told of a partition that stands still."""
        await self._failed.close()
        await self._stands.close()

    async def _write(self, state: Partition) -> None:
        turn, letters = state.close_turn()
        # First: once the position has moved, nobody reads these records again.
        if letters:
            await self._trying.until_available(
                "set_aside", lambda: self._services.aside.keep(letters)
            )
        with metrics.TURN_SECONDS.time():
            outcome = await self._trying.until_available(
                "write", lambda: self._services.sink.write(turn)
            )
        count(turn, outcome, letters)
        self._decided(turn.end)
        await self._refused.after(outcome)
        metrics.MENTORS.labels(self.partition).set(len(state.mentors))
