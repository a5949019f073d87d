"""When workers are thought to be frozen, and how far they say to be with their state."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from sinks.base import Message
from streams.lag.meter import Liveness
from streams.lag.pulse import Progress, Pulses, Restoring
from streams.recovery import Recovery
from streams.rule_versions import Versions
from tables.decisions import Decision
from tests.builders import activity, generation, mentor, organization
from tests.doubles.memory_log import MemoryLog
from tests.doubles.memory_sink import MemorySink
from tests.records import Writer
from tests.unit.partitions import begun

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
LATE_S = 2
"""So old is a heartbeat when it is confirmed."""


def at(second: float) -> datetime:
    """A commit time."""
    return BEGAN + timedelta(seconds=second)


class Watched:
    """Looks each second at a worker that notes each heartbeat a second after it was confirmed."""

    def __init__(self) -> None:
        self.liveness = Liveness()
        self.now = 0
        self.position = 0
        self.noted = at(-LATE_S - 1)

    def second(self, *, frozen: bool = False, heartbeat: bool = True) -> float | None:
        self.now += 1
        if not frozen:
            self.noted = at(self.now - LATE_S - 1)
        beat = at(self.now - LATE_S) if heartbeat else self.noted
        self.liveness.look(self.now, self.noted, {0: self.position}, beat)
        return self.liveness.silence


def test_a_worker_that_notes_each_second_is_not_silent() -> None:
    watched = Watched()
    assert {watched.second() for _ in range(60)} == {None}


def test_one_that_froze_before_it_said_which_partitions_it_has_is_not_heard_for_ever() -> None:
    now = 0.0
    pulses = Pulses(lambda: now)
    pulses.hear(1, "worker ")
    pulses.listened()
    assert pulses.hears(2.5)

    now = 3.0
    pulses.listened()

    assert not pulses.hears(2.5)


def test_one_that_notes_nothing_is_silent_within_four_seconds_and_until_it_goes_on() -> None:
    watched = Watched()
    for _ in range(10):
        watched.second()
    seconds = [watched.second(frozen=True) for _ in range(8)]
    told = [second for second, found in enumerate(seconds, 1) if found is not None]
    assert told == [*range(told[0], 9)]
    assert told[0] <= 4
    assert watched.second() is None


def test_one_whose_position_moves_is_busy() -> None:
    watched = Watched()
    for _ in range(20):
        watched.position += 100
        assert watched.second(frozen=True) is None


def test_heartbeats_that_come_at_once_after_a_gap_are_noted_a_moment_later() -> None:
    watched = Watched()
    watched.second()
    noted = watched.noted
    for _ in range(8):
        watched.noted = noted
        assert watched.second(frozen=True, heartbeat=False) is None
    # All of them are there now, and the worker has not looked yet.
    assert watched.second(frozen=True) is None
    assert watched.second() is None


@pytest.mark.parametrize(("noted", "heartbeat"), [(None, at(9)), (at(0), None), (None, None)])
def test_nothing_is_told_of_what_is_not_known(
    noted: datetime | None, heartbeat: datetime | None
) -> None:
    liveness = Liveness()
    for second in range(20):
        liveness.look(second, noted, {}, heartbeat)
        assert liveness.silence is None


def test_how_long_it_takes_to_read_the_state_is_told_by_the_pace_so_far() -> None:
    now = 0.0
    pulses = Pulses(lambda: now)
    pulses.hear(7, "a 0,1 0:0:1000,1:500:600")
    assert pulses.restoring == [Restoring(0, 0, 1000, None), Restoring(1, 500, 600, None)]
    now = 4.0
    pulses.hear(7, "a 0,1 0:400:1000")
    assert pulses.restoring == [Restoring(0, 400, 1000, 6.0)]
    pulses.hear(7, "a 0,1 ")
    assert pulses.restoring == []
    # The next time it is read, another pace counts.
    now = 5.0
    pulses.hear(7, "a 0,1 0:10:1000")
    assert pulses.restoring == [Restoring(0, 10, 1000, None)]


def test_a_worker_knows_how_much_of_the_state_it_has_read() -> None:
    async def test() -> None:
        writer, sink, versions = Writer(MemoryLog()), MemorySink(), Versions()
        versions.keep(organization())
        sink.set_position("log", 0, 0)
        state = begun(organization())
        records: list[Message] = [writer.put(mentor()), writer.put(activity("a", 1))]
        state.fold(records)
        await sink.write(state.close_turn()[0])
        seen: list[dict[int, Progress]] = []

        def hears(_: Sequence[Decision]) -> None:
            seen.append(dict(recovery.progress))

        recovery = Recovery(generation(log_id="log"), sink, versions, writer.log, decided=hears)
        await recovery.restore(0)
        assert seen[0] == {0: Progress(0, 2)}
        assert recovery.progress == {}

    asyncio.run(test())
