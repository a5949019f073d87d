import asyncio

from streams.partition import Partition
from streams.reconciliation import AGAIN_SECONDS, Reconciliation
from tests.doubles.memory_alerts import MemoryAlerts
from tests.doubles.memory_sink import MemorySink
from tests.unit.chaos import at_once, run
from tests.unit.test_award_dates import TENTH, by_hand, caught_up


def test_one_that_is_behind_resolves_nobodys_alert() -> None:
    async def test() -> None:
        sink, alerts = MemorySink(), MemoryAlerts()
        sink.set_position("log", 0, 7, 3)
        await alerts.raise_alert("awards_differ", {"message": "theirs"}, subject="0")
        behind = Partition("log", 0, 0)
        behind.resume(5, 2)

        await Reconciliation(sink, alerts, at_once, at_once, behind).look()

        assert alerts.alerts[0].resolved_at is None

    asyncio.run(test())


def test_what_differs_is_told_until_it_is_mended() -> None:
    async def test() -> None:
        state = caught_up(by_hand())
        sink, alerts = MemorySink(), MemoryAlerts()
        sink.set_position("log", 0, state.position.next_offset, state.position.turn)
        sink.put_award(by_hand(awarded_by="somebody else", earned_on=TENTH))
        reconciliation = Reconciliation(sink, alerts, at_once, at_once, state)

        async def idle(seconds: float) -> list[bool]:
            """Look each second, as an idle partition does; which alerts are open."""
            for _ in range(int(seconds)):
                await reconciliation.look()
                await asyncio.sleep(1)
            return [alert.resolved_at is None for alert in alerts.alerts]

        assert await idle(5) == [True]
        assert await idle(2 * AGAIN_SECONDS) == [True]
        sink.put_award(by_hand(earned_on=TENTH))
        assert await idle(AGAIN_SECONDS + 5) == [False]
        sink.put_award(by_hand(awarded_by="somebody else", earned_on=TENTH))
        assert await idle(2 * AGAIN_SECONDS) == [False]

    run(test())
