"""Events a second from Kafka: the fold, the worker and its start, beside the floor and Faust."""

import asyncio
from collections.abc import Sequence
from itertools import count

from bench.contenders.race import Lap, run
from bench.figures import Figure, Target
from bench.site import Bench
from bench.topic import Filled, fill

_numbers = count(1)


def measure(bench: Bench) -> list[Figure]:
    """Let every contender read the same topic, some rounds in turn; the best lap of each counts."""
    records = bench.size(600_000, 60_000)
    filled = _topic(bench, records)
    laps = _rounds(["floor", "fold", "worker", "catch_up"], filled, bench.size(3, 1))
    faust = run("faust_table", _topic(bench, records // 15))
    floor = laps["floor"]
    return [
        Figure("floor_rate", floor.rate, "events/s", "aiokafka, msgspec and a dict, by hand"),
        Figure(
            "fold_rate",
            laps["fold"].rate,
            "events/s",
            "read, fold and evaluate 20 definitions, nothing written; baseline: the floor",
            floor.rate,
            Target(at_least=120_000),
        ),
        Figure(
            "fold_cpu",
            _cpu(laps["fold"]),
            "us/event",
            "CPU time of the same; baseline: the floor",
            _cpu(floor),
        ),
        Figure(
            "fold_to_floor",
            laps["fold"].rate,
            "events/s",
            "the same once more, for the aim of half the floor",
            floor.rate,
            Target(at_least=0.5, of_ratio=True),
        ),
        Figure(
            "worker_rate",
            laps["worker"].rate,
            "events/s",
            "the whole worker with a sink in memory; baseline: the floor",
            floor.rate,
        ),
        Figure(
            "catch_up_rate",
            laps["catch_up"].rate,
            "events/s",
            "a restarted worker reads its state from the log; baseline: the floor",
            floor.rate,
        ),
        Figure(
            "faust_table_rate",
            faust.rate,
            "events/s",
            "a Faust agent that counts in a Table; baseline: the floor",
            floor.rate,
        ),
        Figure(
            "worker_to_faust",
            laps["worker"].rate,
            "events/s",
            "the whole worker; baseline: the Faust agent with a Table",
            faust.rate,
        ),
    ]


def _topic(bench: Bench, records: int) -> Filled:
    return asyncio.run(fill(bench.kafka_bootstrap, f"bench-{next(_numbers)}", records))


def _rounds(names: Sequence[str], filled: Filled, rounds: int) -> dict[str, Lap]:
    laps: dict[str, list[Lap]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            laps[name].append(run(name, filled))
    return {name: max(found, key=lambda lap: lap.rate) for name, found in laps.items()}


def _cpu(lap: Lap) -> float:
    return lap.cpu_seconds / lap.records * 1e6
