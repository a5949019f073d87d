"""The `badges` command, with a consumer that starts and gives up partitions slowly.

`python -m tests.slow_consumer worker`: as on a machine that is busy with something else.
"""

import asyncio

from faust.types import TP

from badges.cli.main import main
from streams.batching import Consumer, ReadCommitted

_SECONDS = 1.5
"""Longer than Faust waits for records, and than the pause between two checks: each is a second."""

_on_start, _on_partitions_revoked = ReadCommitted.on_start, Consumer.on_partitions_revoked


async def start_slowly(thread: ReadCommitted) -> None:
    """Take one's time, and then start."""
    await asyncio.sleep(_SECONDS)
    await _on_start(thread)


async def give_up_slowly(consumer: Consumer, revoked: set[TP]) -> None:
    """Do as a consumer does, and take one's time."""
    await _on_partitions_revoked(consumer, revoked)
    await asyncio.sleep(_SECONDS)


if __name__ == "__main__":
    ReadCommitted.on_start = start_slowly  # type: ignore[assignment]
    Consumer.on_partitions_revoked = give_up_slowly  # type: ignore[assignment]
    main()
