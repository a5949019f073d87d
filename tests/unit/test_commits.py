"""What of the positions is committed to Kafka."""

import asyncio
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.batching import ReadCommitted

MINE, GONE = TP("log", 0), TP("log", 1)


@pytest.mark.parametrize(
    ("held", "expected"),
    [({MINE, GONE}, {MINE: 5, GONE: 7}), ({MINE}, {MINE: 5}), (set[TP](), None)],
    ids=["all", "some", "none"],
)
def test_what_a_rebalance_took_is_not_committed(
    monkeypatch: pytest.MonkeyPatch, held: set[TP], expected: dict[TP, int] | None
) -> None:
    """To commit nothing at all is an error to aiokafka, of which Faust would end the worker."""
    committed: list[dict[TP, int]] = []

    async def commit(_: Any, offsets: dict[TP, int]) -> bool:
        committed.append(offsets)
        return True

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_commit", commit)
    monkeypatch.setattr(ReadCommitted, "assignment", lambda _: held)
    thread = ReadCommitted.__new__(ReadCommitted)

    answer = asyncio.run(thread._commit({MINE: 5, GONE: 7}))

    assert answer is (expected is not None)
    assert committed == ([] if expected is None else [expected])
