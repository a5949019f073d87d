"""A worker's start: the state of each partition, read from the log up to the position."""

from bench.contenders.race import Lap, Watch, contend
from bench.contenders.rules import FixedVersions, applied, generation
from bench.topic import Filled
from sinks.base import Turn
from streams.log.kafka import KafkaAccess
from streams.log.reader import KafkaLog
from streams.recovery import Recovery
from tests.doubles.memory_sink import MemorySink


async def race(filled: Filled) -> Lap:
    """Restore every partition at the end of the topic."""
    sink, versions = MemorySink(), FixedVersions()
    for number, end in enumerate(filled.ends):
        sink.set_position(filled.log_id, number, 0)
        await sink.write(Turn(filled.log_id, number, 0, start=0, end=0, applied=applied(number)))
        sink.set_position(filled.log_id, number, end, turn=1)
    log = KafkaLog(KafkaAccess(filled.bootstrap), filled.topic)
    recovery = Recovery(generation(filled), sink, versions, log)
    watch = Watch()
    for number in range(len(filled.ends)):
        state = await recovery.restore(number)
        assert any(each.ledger.held for each in state.mentors.values()), "nobody got a badge"
    return watch.lap(filled.records)


if __name__ == "__main__":
    contend(race)
