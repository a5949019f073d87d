import asyncio

from sinks.alerts import MemoryAlerts
from streams.partition import Partition
from streams.reconciliation import Reconciliation
from tests.doubles.memory_sink import MemorySink
from tests.unit.chaos import NoWal


def test_one_that_is_behind_resolves_nobodys_alert() -> None:
    async def test() -> None:
        sink, alerts = MemorySink(), MemoryAlerts()
        sink.set_position("log", 0, 7, 3)
        await alerts.raise_alert("awards_differ", {"message": "theirs"}, subject="0")
        behind = Partition("log", 0, 0)
        behind.resume(5, 2)

        assert await Reconciliation(sink, alerts, NoWal()).suspect(behind) is None

        assert alerts.alerts[0].resolved_at is None

    asyncio.run(test())
