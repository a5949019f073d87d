"""What metrics cost: of a worker's throughput, of one small turn, and of being read."""

import time
from collections.abc import Callable
from uuid import uuid4

from prometheus_client import generate_latest

from bench.figures import Figure, Target
from bench.rates import cost, laps, topic
from bench.site import Bench
from sinks.base import Change, Outcome, Turn
from streams import metrics
from streams.turn_counts import Timed, count

PARTITIONS = 12
_TIMES = 2_000


def measure(bench: Bench) -> list[Figure]:
    """Let a worker with and one without metrics read the same topic in turn, and count alone."""
    filled = topic(bench, bench.size(400_000, 60_000))
    for number in range(PARTITIONS):
        metrics.MENTORS.labels(number).set(0)
        metrics.NEXT_OFFSET.labels(number).set(0)
    found = laps(["worker", "worker_silent"], filled, bench.size(5, 1))
    heard, silent = found["worker"], found["worker_silent"]
    return [
        Figure(
            "metrics_cost",
            _percent(cost(heard), cost(silent)),
            "%",
            "of a worker's throughput: CPU time a record with metrics, more than without",
            target=Target(at_most=2),
        ),
        Figure(
            "metrics_rate",
            heard.rate,
            "events/s",
            "a worker with metrics; baseline: with metrics that nobody hears",
            silent.rate,
        ),
        Figure("metrics_turn", _each(_small_turn) * 1e6, "us", "to count a turn with one award"),
        Figure(
            "metrics_read",
            _each(lambda: generate_latest(metrics.WORKER)) * 1e3,
            "ms",
            f"to write a worker's metrics, of {PARTITIONS} partitions, for who reads them",
        ),
    ]


def _percent(with_: float, without: float) -> float:
    return 100 * (with_ / without - 1)


def _each(work: Callable[[], object]) -> float:
    """Seconds that it takes once, the quickest of some lots: others share the machine."""
    lots = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(_TIMES // 5):
            work()
        lots.append((time.perf_counter() - began) / (_TIMES // 5))
    return min(lots)


def _small_turn() -> None:
    """What a worker tells of a fetch of one record that earns a badge."""
    metrics.BATCH_RECORDS.observe(1)
    fold = Timed[object, None](lambda _: None)
    fold(iter(()))
    metrics.FOLD_SECONDS.observe(fold.seconds)
    with metrics.TURN_SECONDS.time():
        pass
    outcome = Outcome(written=[Change("granted", "stream", time.monotonic())])
    count(Turn(str(uuid4()), 0, 0, 0, 1), outcome, [])
    metrics.MENTORS.labels(0).set(1)
