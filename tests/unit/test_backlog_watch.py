"""The watch over what waits outlives a look that fails, whatever it fails of."""

import asyncio

import pytest

from streams.lag import backlog_watch
from streams.lag.backlog_watch import watch_backlog
from streams.lag.pulse import Pulses
from streams.log.cluster import Cluster
from streams.log.kafka import KafkaAccess
from tests.doubles.memory_alerts import MemoryAlerts


class Database:
    """One that fails in a way that nobody thought of, and has no log the second time."""

    def __init__(self) -> None:
        self.asked = asyncio.Queue[str]()

    async def fetch(self, query: str, *_: object) -> list[object]:
        self.asked.put_nowait(query)
        if "state = 'live'" in query and self.asked.qsize() == 1:
            raise LookupError("nobody thought of this")
        return []


def test_a_look_that_fails_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_watch, "LOOK_EVERY_S", 0)

    async def test() -> None:
        database = Database()
        watching = asyncio.create_task(
            watch_backlog(
                database,  # type: ignore[arg-type]
                Cluster(KafkaAccess("127.0.0.1:9")),
                MemoryAlerts(),
                Pulses(),
            )
        )
        async with asyncio.timeout(10):
            while database.asked.qsize() < 3:
                assert not watching.done()
                await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(test())
