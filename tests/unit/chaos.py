"""A partition worker's world in memory: a database that people change, its log, and all that fails.

The worker, its recovery and the partition are the real ones. Time is skipped, not waited for.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec.structs

from reference.partition import mentors_in
from reference.reference import Reference
from reference.results import Results
from sinks.base import Found, Message, Outcome, Place, Position, Turn
from sinks.column_types import WrongType
from sinks.errors import Unavailable
from sinks.failures import Refusal
from streams.checkpoints import Checkpoints
from streams.errors import LogBroken
from streams.log.debezium import UNAVAILABLE
from streams.partition import Partition
from streams.partition_worker import Batch, PartitionWorker, Services
from streams.recovery import Recovery
from streams.rule_versions import Versions
from streams.setting_aside import SettingAside
from streams.throttle import Throttle
from streams.write_guard import WriteGuard
from tables.decisions import Cause, Decision
from tables.periods import day_number
from tables.types import (
    Activity,
    Award,
    DefinitionVersion,
    Mentor,
    TrainingCompletion,
    Version,
    rule_key,
)
from tests.builders import MENTOR, Gone, Happening, Put, Storyteller, Took, award_id, generation
from tests.doubles.memory_alerts import MemoryAlerts
from tests.doubles.memory_dead_letters import MemoryDeadLetters
from tests.doubles.memory_log import MemoryLog
from tests.doubles.memory_queue import Row
from tests.doubles.memory_sink import MemorySink, Refusing
from tests.records import UNUSABLE, Writer

LOG = "log"
BY_HAND = "00000000"
"""What the ids of awards begin with that people gave."""


_TEXTS: dict[type, str] = {Activity: "activity_type", TrainingCompletion: "course_code"}
"""The column of each whose text is not sent again if it is long and did not change."""


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing else is to do."""

    def __init__(self) -> None:
        self._skipped = 0.0
        super().__init__()

    def run_in_executor(  # type: ignore[override]  # of fewer types
        self, _: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        """Do at once what a thread would do, for while it does timers would seem to be next."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def time(self) -> float:
        return time.monotonic() + self._skipped

    def _run_once(self) -> None:
        # One that is cancelled stays among them until its time.
        if not self._ready:  # type: ignore[attr-defined]
            scheduled = self._scheduled  # type: ignore[attr-defined]
            due = min((timer.when() for timer in scheduled if not timer.cancelled()), default=0.0)
            self._skipped += max(0.0, due - self.time())
        super()._run_once()  # type: ignore[misc]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end without waiting for any timer."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(work)


class UnreliableSink(MemorySink):
    """A memory sink that fails now and then, before a turn is written or just after."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    async def write(self, turn: Turn) -> Outcome:
        await asyncio.sleep(0)
        fate = self._random.random()
        if fate < 0.1:
            raise Unavailable("the connection broke before the commit")
        outcome = await super().write(turn)
        if fate > 0.95:
            raise Unavailable("the connection broke after the commit")
        return outcome

    async def retry(self, log_id: str, partition: int, position: Position) -> Outcome:
        await asyncio.sleep(0)
        if self._random.random() < 0.2:
            raise Unavailable("the connection broke before the commit")
        return await super().retry(log_id, partition, position)


class SlowLog(MemoryLog):
    """A memory log of which each reading takes a while, in which other things happen."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    async def read(
        self, partition: int, start: int, end: int, after: Place | None = None
    ) -> AsyncIterator[Sequence[Message]]:
        for _ in range(self._random.choice([0, 1, 3, 6])):
            await asyncio.sleep(0)
        async for chunk in super().read(partition, start, end, after):
            yield chunk


def as_stored(award: Award) -> Award:
    """An award by what its row says: ids, and what only the fold knows, aside."""
    return msgspec.structs.replace(award, id="", changed_in=None, derived_on=None)


async def at_once() -> int:
    """How far a log is written that has everything at once, and how far it is sent."""
    return 1


class World:
    """One partition's database and log, with a worker or two that follow it."""

    def __init__(
        self,
        seed: int,
        *,
        unusable: float = 0.0,
        refusing: float = 0.0,
        marks: float = 0.0,
        directory: Path | None = None,
    ) -> None:
        """So many of the rows of activities, completions and pauses say what nobody can use.

        As often as `refusing` says, an application begins to refuse something, or accepts it again.
        As often as `marks` says, an offset without a record follows; to read the log takes a while
        then.
        Workers keep their checkpoints in the directory, if there is one.
        """
        self.random = Random(seed)
        self._pause = seed % 3
        """Seconds between one taking up of new versions and the next."""
        self._unusable = unusable
        self._refusing = refusing
        self._marks = marks
        self._texts: dict[tuple[type, str], str] = {}
        """The type or course that the log has of a row."""
        self.checkpoints = Checkpoints(directory, LOG)
        self.log = SlowLog(self.random) if marks else MemoryLog()
        self.writer = Writer(self.log)
        self.versions = Versions()
        self.letters = MemoryDeadLetters()
        self.alerts = MemoryAlerts()
        self.wrong_now: list[WrongType] = []
        """The columns that have another type, for now."""
        self.sink = UnreliableSink(self.random)
        self.rows: dict[tuple[type, str], Any] = {}
        self.all_versions: dict[tuple[str, str], list[Version]] = {}
        self.start = 0
        self.connections = 1
        """How often the partition workers' consumer has connected to Kafka."""
        self.broken: list[LogBroken] = []
        """What workers have found to contradict itself."""
        self._partition_workers: list[tuple[PartitionWorker, asyncio.Task[None]]] = []
        self._offered = 0

    async def live(self, length: int) -> None:
        """Tell a story to the database while workers come, go, die and meet."""
        story = list(Storyteller(self.random).tell(length))
        found = self.random.randrange(length // 3)
        for happening in story[:found]:
            self._happen(happening, before_start=True)
        self.start = self.log.end(0)
        self.sink.set_position(LOG, 0, self.start)
        if self._refusing:
            self._carry_over()
        services, watching = self.begin()
        for happening in story[found:]:
            self._happen(happening)
            if self._marks and self.random.random() < self._marks:
                self.log.mark(0)
            if self.random.random() < self._unusable:
                self._change_a_type()
            if self.random.random() < self._refusing:
                self._refuse_or_accept()
            await self._something_else(services)
        self.sink.refusing.clear()
        self.wrong_now.clear()
        await self._settle(services)
        for _, task in self._partition_workers:
            task.cancel()
        watching.cancel()
        assert not self.broken

    def begin(self) -> tuple[Services, asyncio.Task[None]]:
        """Begin a worker, and what looks at the log; what workers are made with, and that look."""
        guard, services = self._services()
        watching = asyncio.create_task(guard.watch())
        self._begin(services)
        return services, watching

    def offer(self, first: int) -> None:
        """Hand a fetch to every worker: the records from an offset on."""
        records = self.log.between(0, first)
        for partition_worker, _ in self._partition_workers if records else ():
            partition_worker.offer(Batch(records, lambda: None))

    def expected(self) -> Reference:
        """What a brute-force reading of the log and the recorded positions gives."""
        records = self.log.records[0]
        results = Results(
            log=generation(starts=(self.start,)),
            next_offsets={0: self.log.end(0)},
            applied=self.sink.applied_by_log.get(LOG, []),
            versions=self.all_versions,
            awards=[],
            events=[],
            stats=[],
            found=self.sink.found_by_log.get(LOG, ()),
        )
        mentors = mentors_in(results, 0, records)
        return mentors.get(MENTOR) or Reference(MENTOR)

    async def awards(self) -> dict[str, Award]:
        """What the database holds, ids aside."""
        rows = await self.sink.awards(LOG, 0, [MENTOR])
        return {row.badge_definition_id: as_stored(row) for row in rows}

    def _services(self) -> tuple[WriteGuard, Services]:
        async def look(_: bool) -> None:
            await asyncio.sleep(0)

        async def mark_broken(error: LogBroken) -> bool:
            self.broken.append(error)
            return True

        guard = WriteGuard(look, mark_broken, self.alerts)
        services = Services(
            sink=self.sink,
            aside=SettingAside("log", self.letters, self.wrong_types, self.alerts),
            versions=self.versions,
            source=self.log,
            recovery=Recovery(
                generation(starts=(self.start,)),
                self.sink,
                self.versions,
                self.log,
                checkpoints=self.checkpoints,
            ),
            checkpoints=self.checkpoints,
            guard=guard,
            wal_written=at_once,
            wal_sent=at_once,
            alerts=self.alerts,
            throttle=Throttle(self._pause),
        )
        return guard, services

    async def restored(self) -> Partition:
        """What a new worker believes that reads the log from its beginning."""
        return await Recovery(
            generation(starts=(self.start,)), self.sink, self.versions, self.log
        ).restore(0)

    def _refuse_or_accept(self) -> None:
        """Let a trigger refuse something, or accept all that one has refused."""
        if self.sink.refusing and self.random.random() < 0.3:
            self.sink.refusing.clear()
            return
        definitions = [id_ for kind, id_ in self.all_versions if kind == "definition"]
        choices: list[Refusing] = [("award", id_) for id_ in definitions]
        choices += [("stats", MENTOR), ("delete", MENTOR)]
        self.sink.refusing[self.random.choice(choices)] = "P0001"

    def _carry_over(self) -> None:
        """An award waits from the generation before, if there is one that it can be of."""
        definitions = [
            versions[-1]
            for (kind, _), versions in self.all_versions.items()
            if kind == "definition" and not getattr(versions[-1], "deleted", False)
        ]
        if not definitions or (Mentor, MENTOR) not in self.rows:
            return
        definition = self.random.choice(definitions)
        if self._awards_of(definition.id):
            return
        earned = datetime(2025, 1, 5, tzinfo=UTC)
        award = Award(
            award_id("carried"), MENTOR, definition.id, earned, definition.version, earned_on=20_093
        )
        granted = Decision("granted", Cause("before", 0, 7), None, award, definition.version, {})
        waits = Row((LOG, 0), granted, Refusal("P0001", "no"), earned)
        self.sink.queue.rows.append(waits)
        self.sink.refusing["award", definition.id] = "P0001"
        self.sink.found_by_log[LOG] = [Found(msgspec.structs.replace(award))]

    async def wrong_types(self, table: str) -> list[WrongType]:
        return [each for each in self.wrong_now if each.table == table]

    def _change_a_type(self) -> None:
        """Change a column's type, or change all of them back."""
        if self.wrong_now:
            self.wrong_now.clear()
        else:
            table, column = self.random.choice(
                [("activities", "duration_minutes"), ("mentor_pauses", "starts_on")]
            )
            self.wrong_now.append(WrongType(table, column, "text"))

    def _begin(self, services: Services) -> None:
        partition_worker = PartitionWorker(
            0,
            services,
            lambda: self.log.end(0),
            lambda _: None,
            lambda _: self.connections,
        )
        self._partition_workers.append(
            (partition_worker, asyncio.create_task(partition_worker.run()))
        )

    async def _something_else(self, services: Services) -> None:
        chance = self.random.random()
        if chance < 0.35:
            self._offer()
        elif chance < 0.43:
            self._end_one()
            self._begin(services)
        elif chance < 0.46:
            self._begin(services)
        elif chance < 0.55:
            for partition_worker, _ in self._partition_workers:
                partition_worker.wake()
        elif chance < 0.60:
            await asyncio.sleep(self.random.uniform(0, 3))
        elif chance < 0.65:
            self.connections += 1
        for _ in range(self.random.choice([0, 0, 1, 3, 10])):
            await asyncio.sleep(0)

    def _offer(self) -> None:
        """Hand a fetch to every worker: now and then one that overlaps, or leaves a gap."""
        end = self.log.end(0)
        first = max(0, min(self._offered + self.random.choice([0, 0, 0, -2, 3]), end))
        if first < end:
            self._offered = end
            self.offer(first)

    def _end_one(self) -> None:
        _, task = self._partition_workers.pop(self.random.randrange(len(self._partition_workers)))
        task.cancel()

    async def _settle(self, services: Services) -> None:
        """Wait until one last worker has decided everything."""
        if not self._partition_workers:
            self._begin(services)
        end = self.log.end(0)
        for _ in range(600):
            if self._partition_workers[-1][1].done():
                self._partition_workers[-1][1].result()
            position = await self.sink.position(LOG, 0)
            applied = {each.key: each.version for each in self.sink.applied_by_log.get(LOG, [])}
            if position and position.next_offset == end and not self.versions.newer_than(applied):
                await asyncio.sleep(10)
                return
            await asyncio.sleep(0.5)
        raise AssertionError(f"the workers never came to an end; they found {self.broken}")

    def _happen(self, happening: Happening, *, before_start: bool = False) -> None:
        if isinstance(happening, Took):
            for version in happening.versions:
                self._save(version)
        elif isinstance(happening, Put):
            self._put(happening.row, before_start=before_start)
        else:
            self._delete(happening)

    def _save(self, version: Version) -> None:
        self.all_versions.setdefault(rule_key(version), []).append(version)
        if isinstance(version, DefinitionVersion):
            if version.deleted:
                for award in self._awards_of(version.id):
                    self.writer.delete(award)
                self.sink.delete_definition(version.id, version.version)
            else:
                self.sink.insert_definition(version.id)
        self.versions.keep(version)

    def _awards_of(self, definition_id: str) -> list[Award]:
        rows = self.sink.awards_by_id.values()
        return [row for row in rows if row.badge_definition_id == definition_id]

    def _put(self, row: Any, *, before_start: bool) -> None:
        key = (type(row), row.id)
        if isinstance(row, Award):
            if not self._may_award(row):
                return
            there = self._awards_of(row.badge_definition_id)
            name = there[0].id if there else BY_HAND + award_id(f"{self.random.random()}")[8:]
            xid = self.writer.next_xid
            row = msgspec.structs.replace(
                row,
                id=name,
                definition_version=self._version(row),
                changed_in=xid,
                tier_version=(row.tier_version or 1) if row.tier else None,
            )
            self.sink.put_award(_dated(row))
            op = "u" if there else "c"
        else:
            op = "u" if key in self.rows else "c"
            self.rows[key] = row
        if isinstance(row, Mentor):
            self.sink.insert_mentor(row.id)
        if isinstance(row, Award):
            self.writer.put(row, op)
        else:
            self._write(row, op, before_start=before_start)

    def _write(self, row: Any, op: str, *, before_start: bool) -> None:
        """Send a row: as a long text that did not change, or as what nobody can use, at times."""
        column = _TEXTS.get(type(row))
        key, told = (type(row), row.id), self._texts.get((type(row), row.id))
        text = getattr(row, column) if column else None
        if column and op == "u" and told == text and self.random.random() < 0.3:
            row = msgspec.structs.replace(row, **{column: UNAVAILABLE})
        wrong: Mapping[str, Any] = {}
        if not isinstance(row, Mentor) and self.random.random() < self._unusable:
            wrong = self.random.choice(UNUSABLE[type(row)])
        if text is not None and column not in wrong:
            self._texts[key] = text
        else:
            self._texts.pop(key, None)
        if wrong:
            self.writer.unusable(row, wrong, op)
        elif before_start and op == "c" and self.random.random() < 0.5:
            self.writer.snapshot(row)
        else:
            self.writer.put(row, op)

    def _may_award(self, row: Award) -> bool:
        versions = self.all_versions.get(("definition", row.badge_definition_id))
        return bool(versions and not versions[-1].deleted and (Mentor, MENTOR) in self.rows)  # type: ignore[union-attr]

    def _version(self, row: Award) -> int | None:
        """A person names no version from before the definition was deleted and made again."""
        versions = self.all_versions["definition", row.badge_definition_id]
        deleted = [v.version for v in versions if getattr(v, "deleted", False)]
        stale = (row.definition_version or 0) < max(deleted, default=0)
        return None if stale else row.definition_version

    def _delete(self, gone: Gone) -> None:
        if gone.kind is Award:
            for award in self._awards_of(gone.row_id):
                self.writer.delete(award)
                self.sink.delete_award(award.id)
            return
        row = self.rows.pop((gone.kind, gone.row_id), None)
        if row is None:
            return
        if self.random.random() < self._unusable:
            self.writer.unusable(row, self.random.choice(UNUSABLE[type(row)]), "d")
        else:
            self.writer.delete(row)
        if gone.kind is Mentor:
            for award in list(self.sink.awards_by_id.values()):
                self.writer.delete(award)
            self.sink.delete_mentor(MENTOR)


def _dated(row: Award) -> Award:
    """The row as the table has it: dated, whatever its record says."""
    on = day_number(row.earned_at.date()) if row.earned_on is None else row.earned_on
    tier_on = on if row.tier and row.tier_earned_on is None else row.tier_earned_on
    return msgspec.structs.replace(row, earned_on=on, tier_earned_on=tier_on)
