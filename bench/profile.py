"""`python -m bench.profile`: where the microseconds of an event go, without Kafka.

The first lines add one thing after the other and are not distorted by a profiler; the rest is
cProfile's, which makes small functions look dearer than they are.
"""

import cProfile
import gc
import pstats
import sys
import time
from collections.abc import Callable, Sequence

from bench.definitions import versions
from bench.events import lives
from sinks.base import Message
from streams.pacing import GC_THRESHOLDS
from streams.partition import Partition
from streams.records import decode
from tables.types import Version
from tests.doubles.memory_log import MemoryLog

RECORDS = 60_000
CHUNK = 5_000
"""Records a turn, as KafkaLog reads them."""
ROUNDS = 3
SHOWN = 30


def main() -> int:
    """Measure, profile and print."""
    gc.set_threshold(*GC_THRESHOLDS)
    log = MemoryLog()
    for record in lives(RECORDS, 1):
        log.append(0, record.key, record.value)
    messages = log.records[0]
    organization, *definitions = versions()
    print(f"{'decode':34}{_least(lambda: _decode(messages)):7.2f} us/event")
    print(
        f"{'... and fold, no definition':34}{_least(lambda: _fold(messages, [organization])):7.2f}"
    )
    simple = [organization, *definitions[:6]]
    print(f"{'... six thresholds without window':34}{_least(lambda: _fold(messages, simple)):7.2f}")
    print(f"{'... all twenty definitions':34}{_least(lambda: _fold(messages, versions())):7.2f}")
    profile = cProfile.Profile()
    profile.runcall(_fold, messages, versions())
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(SHOWN)
    return 0


def _decode(messages: Sequence[Message]) -> None:
    for message in messages:
        decode(message.value or b"")


def _fold(messages: Sequence[Message], rules: Sequence[Version]) -> None:
    state = Partition("profile", 0, start=0)
    state.apply(rules)
    for first in range(0, len(messages), CHUNK):
        stopped_at = state.fold(messages[first : first + CHUNK])
        assert stopped_at is None, f"unknown rule at {stopped_at}"
        state.close_turn()


def _least(work: Callable[[], None]) -> float:
    """The least CPU time of some rounds, in microseconds a record."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found) / RECORDS * 1e6


if __name__ == "__main__":
    sys.exit(main())
