"""The whole worker, Faust and the batching transport included, with a sink in memory."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.contenders.race import Lap, Watch, contend
from bench.contenders.rules import FixedVersions, generation
from bench.topic import Filled
from sinks.base import Outcome, Turn
from sinks.column_types import WrongType
from streams.checkpoints import Checkpoints
from streams.errors import LogBroken
from streams.log.kafka import KafkaAccess
from streams.log.reader import KafkaLog
from streams.partition_worker import Services
from streams.recovery import Recovery
from streams.setting_aside import SettingAside
from streams.worker import Worker, WorkerOptions
from streams.write_guard import WriteGuard
from tests.doubles.memory_alerts import MemoryAlerts
from tests.doubles.memory_dead_letters import MemoryDeadLetters
from tests.doubles.memory_sink import MemorySink


class Finish(MemorySink):
    """A memory sink that takes the time from the first record's turn to the last one's."""

    def __init__(self, filled: Filled) -> None:
        super().__init__()
        self._left = filled.records
        self._records = filled.records
        self._watch: Watch | None = None
        self.lap: asyncio.Future[Lap] = asyncio.get_running_loop().create_future()
        for number in range(len(filled.ends)):
            self.set_position(filled.log_id, number, 0)

    async def write(self, turn: Turn) -> Outcome:
        """Write, and tell when nothing is left."""
        self._watch = self._watch or Watch()
        outcome = await super().write(turn)
        self._left -= turn.end - turn.start
        if not self._left:
            self.lap.set_result(self._watch.lap(self._records))
        return outcome


async def race(filled: Filled) -> Lap:
    """Work until the sink has everything; the time begins with the first, empty turn."""
    sink, versions, alerts = Finish(filled), FixedVersions(), MemoryAlerts()
    access = KafkaAccess(filled.bootstrap)
    source = KafkaLog(access, filled.topic)
    log = generation(filled)
    services = Services(
        sink=sink,
        aside=SettingAside(filled.topic, MemoryDeadLetters(), _nothing_wrong, alerts),
        versions=versions,
        source=source,
        recovery=Recovery(log, sink, versions, source),
        checkpoints=Checkpoints(None, filled.log_id),
        guard=WriteGuard(_nothing_broken, _found_broken, alerts),
        wal_written=_nowhere,
        wal_sent=_nowhere,
        alerts=alerts,
    )
    with tempfile.TemporaryDirectory() as locks:
        options = WorkerOptions(access, 30, Path(locks))
        working = asyncio.create_task(Worker(options, log, services, versions).run())
        try:
            working.add_done_callback(lambda _: sink.lap.cancel())
            return await sink.lap
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working  # what made it end by itself is raised here


async def _nowhere() -> int:
    return 0


async def _nothing_wrong(_: str) -> Sequence[WrongType]:
    return ()


async def _nothing_broken(_: bool) -> None:
    """The log of a race is whole."""


async def _found_broken(error: LogBroken) -> bool:
    """Nobody else has to know."""
    raise error


if __name__ == "__main__":
    contend(race)
