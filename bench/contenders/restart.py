"""A worker's start beside its checkpoints: it begins from those that there are, and writes others.

BADGES_CHECKPOINTS says where they are.
"""

import os
import resource
import sys
from pathlib import Path

from bench.contenders.race import Lap, Watch, contend
from bench.contenders.rules import FixedVersions, applied, generation
from bench.topic import Filled
from sinks.base import Turn
from streams.checkpoints import Checkpoints
from streams.log.kafka import KafkaAccess
from streams.log.reader import KafkaLog
from streams.recovery import Recovery
from tests.doubles.memory_sink import MemorySink


async def race(filled: Filled) -> Lap:
    """Restore every partition at the end of the topic, one after the other."""
    watch = Watch()
    sink, versions = MemorySink(), FixedVersions()
    for number, end in enumerate(filled.ends):
        sink.set_position(filled.log_id, number, 0)
        await sink.write(Turn(filled.log_id, number, 0, start=0, end=0, applied=applied(number)))
        sink.set_position(filled.log_id, number, end, turn=1)
    log = KafkaLog(KafkaAccess(filled.bootstrap), filled.topic)
    kept = Checkpoints(Path(os.environ["BADGES_CHECKPOINTS"]), filled.log_id)
    recovery = Recovery(generation(filled), sink, versions, log, kept)
    states = [await recovery.restore(number) for number in range(len(filled.ends))]
    lap = watch.lap(filled.records)
    # Before anything is written: what a worker that restarts needs.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    rows = sum(len(each.ledger.rows) for state in states for each in state.mentors.values())
    begun_from = "checkpoint" if kept.kept else "log"
    writing = Watch()
    for state in states:
        assert await (await kept.keep(state))
    written = writing.lap(rows)
    return Lap(
        lap.records,
        lap.seconds,
        lap.cpu_seconds,
        {"peak": peak, "rows": rows, "write": written.seconds, begun_from: 1},
    )


if __name__ == "__main__":
    contend(race)
