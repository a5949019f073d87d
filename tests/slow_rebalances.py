"""The `badges` command where giving up partitions takes longer than a fetch waits for records.

`python -m tests.slow_rebalances worker`: as on a machine that is busy with something else.
"""

import asyncio

from faust.types import TP

from badges.cli.main import main
from streams.batching import Consumer

_SECONDS = 1.5
"""Faust waits for records for a second."""

_on_partitions_revoked = Consumer.on_partitions_revoked


async def slowly(consumer: Consumer, revoked: set[TP]) -> None:
    """Do as a consumer does, and take one's time."""
    await _on_partitions_revoked(consumer, revoked)
    await asyncio.sleep(_SECONDS)


if __name__ == "__main__":
    Consumer.on_partitions_revoked = slowly  # type: ignore[assignment]
    main()
