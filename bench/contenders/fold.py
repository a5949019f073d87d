"""The product's own fold: the log as a range, partition by partition, and nothing written."""

from collections.abc import Sequence

from bench.contenders.race import Lap, Watch, contend
from bench.definitions import versions
from bench.topic import Filled
from streams.log.kafka import KafkaAccess
from streams.log.reader import KafkaLog
from streams.partition import Partition
from tables.types import Version


async def race(filled: Filled) -> Lap:
    """Fold the whole topic and decide by the twenty definitions."""
    lap, decisions = await fold(filled, versions())
    assert decisions, "nobody got a badge"
    return lap


async def fold(filled: Filled, rules: Sequence[Version]) -> tuple[Lap, int]:
    """Fold and decide the whole topic, a turn for each fetch; the lap, and how many decisions."""
    log = KafkaLog(KafkaAccess(filled.bootstrap), filled.topic)
    decisions = 0
    watch = Watch()
    for number, end in enumerate(filled.ends):
        state = Partition(filled.log_id, number, start=0)
        state.apply(rules)
        async for chunk in log.read(number, 0, end):
            stopped_at = state.fold(chunk)
            assert stopped_at is None, f"unknown rule at {stopped_at}"
            decisions += len(state.close_turn()[0].decisions)
    return watch.lap(filled.records), decisions


if __name__ == "__main__":
    contend(race)
