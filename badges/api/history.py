"""The last quarter of an hour, kept by the process: how far behind each stage and partition was."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from badges.api.shared import Shared
from streams.lag.stages import Lag

_EVERY: Final = timedelta(seconds=5)
_SPAN: Final = timedelta(minutes=15)
_RATE_SPAN: Final = timedelta(minutes=1)
_RATE_LEAST: Final = timedelta(seconds=9)


@dataclass(frozen=True)
class Sample:
    """How many seconds behind each stage and each partition was; None where that was not known."""

    at: datetime
    stages: dict[str, float | None]
    partitions: dict[int, float | None]


@dataclass(frozen=True)
class _Reached:
    """How many records of a generation were decided at a time."""

    at: datetime
    generation: int | None
    records: int


class History:
    """The newest measurement that there is, and samples of those before it, 5 s apart at least."""

    def __init__(self, lag: Shared[Lag]) -> None:
        self._lag = lag
        self._samples: deque[Sample] = deque()
        self._reached: deque[_Reached] = deque()
        self.newest: tuple[datetime, Lag] | None = None
        """What was measured last, and when, by this machine's clock."""

    def has_log(self) -> bool:
        """Whether there is a log, by the newest measurement."""
        return self.newest is not None and self.newest[1].generation is not None

    async def measure(self) -> Lag:
        """Wait for a measurement a second old at most, and keep it as the newest."""
        found = await self._lag.now()
        if self.newest is None or self.newest[1] is not found:
            at = datetime.now(UTC)
            self.newest = at, found
            self.add(at, found)
        return found

    def since(self, instant: datetime | None) -> list[Sample]:
        """The samples after an instant, oldest first; all of them without one."""
        return [each for each in self._samples if instant is None or each.at > instant]

    def records_per_minute(self) -> float | None:
        """How many records were decided a minute of late; None while that is not known."""
        if len(self._reached) < 2:
            return None
        first, last = self._reached[0], self._reached[-1]
        took = last.at - first.at
        if took < _RATE_LEAST:
            return None
        return round((last.records - first.records) / (took / _RATE_SPAN), 1)

    def add(self, at: datetime, lag: Lag) -> None:
        """Keep a measurement as a sample, if it is time for one."""
        if not lag.partitions:
            # How many are decided meanwhile nobody knows.
            self._reached.clear()
        if self._samples and at < self._samples[-1].at + _EVERY:
            return
        partitions = {each.partition: each.behind_seconds for each in lag.partitions}
        stages: dict[str, float | None] = {each.name: each.behind_seconds for each in lag.stages}
        self._samples.append(Sample(at, stages, partitions))
        while self._samples[0].at < at - _SPAN:
            self._samples.popleft()
        if lag.partitions:
            self._note(at, lag)

    def _note(self, at: datetime, lag: Lag) -> None:
        generation = lag.generation.number if lag.generation else None
        if self._reached and self._reached[-1].generation != generation:
            self._reached.clear()
        records = sum(each.next_offset for each in lag.partitions)
        self._reached.append(_Reached(at, generation, records))
        while self._reached[0].at < at - _RATE_SPAN:
            self._reached.popleft()
