"""The last quarter of an hour, kept by the process: how far behind each stage and partition was."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from badges.api.shared import Shared
from streams.lag.rate import Rate
from streams.lag.stages import Lag

_EVERY: Final = timedelta(seconds=5)
_SPAN: Final = timedelta(minutes=15)
_RATE_SPAN_S: Final = 60.0
_RATE_LEAST_S: Final = 9.0


@dataclass(frozen=True)
class Sample:
    """How many seconds behind each stage and each partition was; None where that was not known."""

    at: datetime
    stages: dict[str, float | None]
    partitions: dict[int, float | None]


class History:
    """The newest measurement that there is, and samples of those before it, 5 s apart at least."""

    def __init__(self, lag: Shared[Lag]) -> None:
        self._lag = lag
        self._samples: deque[Sample] = deque()
        self._decided = Rate(_RATE_SPAN_S, _RATE_LEAST_S)
        self._generation: int | None = None
        """Of whose records that is told."""
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
        per_second = self._decided.per_second
        return None if per_second is None else round(60 * per_second, 1)

    def add(self, at: datetime, lag: Lag) -> None:
        """Keep a measurement as a sample, if it is time for one."""
        if not lag.partitions:
            # How many are decided meanwhile nobody knows.
            self._decided.forget()
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
        if generation != self._generation:
            self._generation = generation
            self._decided.forget()
        self._decided.see(at.timestamp(), sum(each.next_offset for each in lag.partitions))
