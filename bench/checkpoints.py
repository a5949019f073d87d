"""What a worker's restart costs, from the log's beginning and from checkpoints."""

import asyncio
import os
import tempfile
from pathlib import Path

from bench.contenders.race import Lap, run
from bench.figures import Figure, Target
from bench.site import Bench
from bench.topic import Filled, fill

_RECORDS = int(os.environ.get("BADGES_BENCH_EVENTS", "2000000"))
"""How many events the log has; BADGES_BENCH_EVENTS says it for a smaller machine."""
_LONGEST = 5.0
_SHARE = 0.1
_MEGABYTE = 1_000_000


def measure(bench: Bench) -> list[Figure]:
    """Restore the partitions of a log one after the other, in a process of their own each time."""
    filled = asyncio.run(fill(bench.kafka_bootstrap, "bench.restart", bench.size(_RECORDS, 20_000)))
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "kept"
        from_log = _restart(filled, directory, "log")
        from_checkpoints = _restart(filled, directory, "checkpoint")
        kept = sum(path.stat().st_size for path in directory.iterdir())
    return [
        Figure(
            "ready_from_log",
            from_log.seconds,
            "s",
            f"a worker has read {filled.records:,} events, {from_log.details['rows']:,.0f} rows",
        ),
        Figure(
            "ready_from_checkpoint",
            from_checkpoints.seconds,
            "s",
            "it has read its checkpoints instead; baseline: from the log",
            from_log.seconds,
            Target(at_most=min(_LONGEST, _SHARE * from_log.seconds)),
        ),
        Figure(
            "ready_memory",
            from_checkpoints.details["peak"] / _MEGABYTE,
            "MB",
            "the most it needed until then; baseline: from the log",
            from_log.details["peak"] / _MEGABYTE,
        ),
        Figure("checkpoint_size", kept / from_log.details["rows"], "bytes/row", "of what it holds"),
        Figure(
            "checkpoint_write",
            from_checkpoints.details["write"],
            "s",
            "to write all checkpoints, one partition after the other",
        ),
    ]


def _restart(filled: Filled, directory: Path, source: str) -> Lap:
    os.environ["BADGES_CHECKPOINTS"] = str(directory)
    try:
        lap = run("restart", filled)
    finally:
        del os.environ["BADGES_CHECKPOINTS"]
    assert source in lap.details
    return lap
