"""A worker's pulse: each second it says that it is there, which partitions it has, and of which it
still reads the state.

So one that is frozen is told from one that is busy: whatever a worker waits for, its pulse goes on.
It is a NOTIFY: nothing is stored, and who does not listen misses nothing.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn
from uuid import uuid4

import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from sinks.errors import StoreError
from sinks.failures import translated
from sinks.listening import is_lost, listening
from sinks.pool import Executor, Pool

_CHANNEL = "badges_pulse"
_EVERY_S = 1.0
IT_IS_FROZEN = "it is frozen. Let it go on, or end it and start it again"
"""What is said of a worker that is connected and says nothing."""

_MOST_TOLD = 100
"""A notification has room for so many partitions whose state is being read."""
_FORGOTTEN_S = 600.0
"""So long after its last pulse a worker has ended, or is told of by what waits for it."""

log = structlog.get_logger(__name__)


class Progress(Struct, frozen=True):
    """How much of a partition's state is read: records of the log, of how many."""

    records: int
    of_records: int


async def beat(
    connection: Executor,
    partitions: Callable[[], Iterable[int]],
    restoring: Mapping[int, Progress],
) -> NoReturn:
    """Tell each second, for good, which partitions this worker has, and how far it is with those
    of which it reads the state.
    """
    name = uuid4().hex
    while True:
        told = [
            f"{number}:{read.records}:{read.of_records}"
            for number, read in sorted(restoring.items())[:_MOST_TOLD]
        ]
        payload = f"{name} {','.join(map(str, partitions()))} {','.join(told)}"
        try:
            with translated():
                await connection.execute("SELECT pg_notify($1, $2)", _CHANNEL, payload)
        except StoreError as error:
            log.debug("the pulse cannot be told", error=str(error))
        await asyncio.sleep(_EVERY_S)


class _Pulse(Struct, frozen=True):
    """The last one that was heard of a worker: when, and over which session of Postgres."""

    at: float
    session: int
    partitions: frozenset[int]
    restoring: Mapping[int, Progress] = field(default_factory=dict)


@dataclass(frozen=True)
class Restoring:
    """A partition whose state a worker reads: records of the log, of how many, and for how long.

    The seconds that are left are None until it was heard of twice.
    """

    partition: int
    records: int
    of_records: int
    seconds_left: float | None


class Pulses:
    """What was heard of workers, while there is somebody who listens."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, _Pulse] = {}
        self._restoring_since: dict[int, tuple[float, int]] = {}
        """When it was first heard of a partition that its state is read, and how far it was."""
        self._listened_until = clock()
        """What was told before that has been heard."""

    async def listen(self, pool: Pool) -> NoReturn:
        """Hear what workers tell, for good."""
        while True:
            try:
                async with listening(pool, _CHANNEL, self.hear) as connection:
                    while not is_lost(connection):
                        # What was told before comes before the answer, over the same connection.
                        await connection.execute("SELECT 1")
                        self.listened()
                        await asyncio.sleep(_EVERY_S)
            except StoreError as error:
                log.warning("workers cannot be heard, asking again", error=str(error))
            self._last.clear()
            await asyncio.sleep(_EVERY_S)

    def hear(self, session: int, payload: str) -> None:
        """Note a pulse. Whose partitions have gone to somebody else is no longer waited for."""
        name, listed, *told = payload.split(" ")
        mine = frozenset(int(number) for number in listed.split(",") if number)
        before = self._last.get(name)
        if before is None or before.partitions != mine:
            now = self._clock()
            # Partitions are being shared out anew: who is silent may have ended, or left.
            self._last = {
                other: pulse for other, pulse in self._last.items() if now - pulse.at < 2 * _EVERY_S
            }
        restoring = dict(_read(each) for each in told[0].split(",") if each) if told else {}
        self._last[name] = _Pulse(self._clock(), session, mine, restoring)
        for number in mine:
            if number not in restoring:
                self._restoring_since.pop(number, None)
            else:
                begun = (self._clock(), restoring[number].records)
                self._restoring_since.setdefault(number, begun)

    def listened(self) -> None:
        """Note that whatever was told before now has been heard."""
        self._listened_until = self._clock()

    def silent(self, seconds: float) -> list[_Pulse]:
        """The last pulse of each worker of which nothing has been heard for so long since.

        Without the partitions that another one has by now.
        """
        until = self._listened_until
        self._last = {
            name: pulse for name, pulse in self._last.items() if until - pulse.at < _FORGOTTEN_S
        }
        silent = [pulse for pulse in self._last.values() if until - pulse.at >= seconds]
        heard = [pulse.partitions for pulse in self._last.values() if pulse not in silent]
        return [replace(pulse, partitions=pulse.partitions.difference(*heard)) for pulse in silent]

    def hears(self, seconds: float) -> bool:
        """Whether any worker was heard within so long, one without partitions included."""
        return any(self._listened_until - pulse.at < seconds for pulse in self._last.values())

    @property
    def restoring(self) -> list[Restoring]:
        """The partitions whose state is being read, by the last pulses."""
        return sorted(
            (
                Restoring(
                    number,
                    read.records,
                    read.of_records,
                    self._seconds_left(number, pulse.at, read),
                )
                for pulse in self._last.values()
                for number, read in pulse.restoring.items()
            ),
            key=lambda each: each.partition,
        )

    def _seconds_left(self, number: int, at: float, read: Progress) -> float | None:
        since, before = self._restoring_since.get(number, (at, read.records))
        if read.records <= before:
            return None
        pace = (read.records - before) / max(at - since, _EVERY_S)
        return round((read.of_records - read.records) / pace, 1)

    def seconds_since(self, pulses: Sequence[_Pulse]) -> float:
        """How long ago the earliest of these was heard."""
        return self._listened_until - min(pulse.at for pulse in pulses)


def _read(told: str) -> tuple[int, Progress]:
    number, records, of_records = map(int, told.split(":"))
    return number, Progress(records, of_records)
