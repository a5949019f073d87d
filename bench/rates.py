"""Events a second from Kafka: the fold, the worker and its start, beside the floor and Faust."""

import asyncio
from collections.abc import Sequence
from itertools import count

from bench.contenders.race import Lap, run
from bench.events import LIFE
from bench.figures import Figure, Target
from bench.site import Bench
from bench.topic import Filled, fill

_numbers = count(1)
LONG_LIFE = 2000
"""Records of a mentor who has been active for years."""


def measure(bench: Bench) -> list[Figure]:
    """Let every contender read the same topic, some rounds in turn; the best lap of each counts."""
    records = bench.size(400_000, 60_000)
    filled = topic(bench, records)
    found = laps(["floor", "fold_plain", "fold", "worker", "catch_up"], filled, bench.size(3, 1))
    long_lives = topic(bench, records, life=LONG_LIFE)
    mature = laps(["floor", "fold"], long_lives, bench.size(2, 1))
    faust = run("faust_table", topic(bench, records // 15))
    floor = found["floor"]
    return [
        Figure("floor_rate", floor.rate, "events/s", "aiokafka, msgspec and a dict, by hand"),
        Figure(
            "fold_rate",
            found["fold"].rate,
            "events/s",
            "read, fold and evaluate 20 definitions, nothing written; baseline: the floor",
            floor.rate,
            Target(at_least=120_000),
        ),
        Figure(
            "fold_to_floor",
            found["fold"].rate / floor.rate,
            "of floor",
            "the same as a share of the floor's rate",
            target=Target(at_least=0.5),
        ),
        _cpu("fold", found["fold"], floor, "of reading, folding and evaluating"),
        _rate(
            "fold_mature",
            mature["fold"],
            mature["floor"],
            f"the same where each mentor has {LONG_LIFE:,} rows instead of {LIFE}",
        ),
        _cpu("fold_mature", mature["fold"], mature["floor"], "of that"),
        _rate("fold_plain", found["fold_plain"], floor, "the fold without definitions"),
        _cpu("fold_plain", found["fold_plain"], floor, "of the fold without definitions"),
        _rate("worker", found["worker"], floor, "the whole worker with a sink in memory"),
        _cpu("worker", found["worker"], floor, "of the whole worker with a sink in memory"),
        _rate("catch_up", found["catch_up"], floor, "a restarted worker reads its state"),
        _rate("faust_table", faust, floor, "a Faust agent that counts in a Table"),
        _cpu("faust_table", faust, floor, "of a Faust agent that counts in a Table"),
        Figure(
            "worker_to_faust",
            cost(faust) / cost(found["worker"]),
            "times",
            "CPU time of the Faust agent with a Table by that of the whole worker",
        ),
    ]


def _rate(name: str, lap: Lap, floor: Lap, about: str) -> Figure:
    return Figure(f"{name}_rate", lap.rate, "events/s", f"{about}; baseline: the floor", floor.rate)


def _cpu(name: str, lap: Lap, floor: Lap, about: str) -> Figure:
    words = f"CPU time {about}; baseline: the floor"
    return Figure(f"{name}_cpu", cost(lap), "us/event", words, cost(floor))


def topic(bench: Bench, records: int, life: int = LIFE) -> Filled:
    """A new topic with so many records, in lives of so many each."""
    name = f"bench-{next(_numbers)}"
    return asyncio.run(fill(bench.kafka_bootstrap, name, records, life))


def laps(names: Sequence[str], filled: Filled, rounds: int) -> dict[str, Lap]:
    """The best lap of each contender, of some rounds in which one follows the other."""
    taken: dict[str, list[Lap]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            taken[name].append(run(name, filled))
    return {name: max(all_of_it, key=lambda lap: lap.rate) for name, all_of_it in taken.items()}


def cost(lap: Lap) -> float:
    """Microseconds of CPU time a record."""
    return lap.cpu_seconds / lap.records * 1e6
