"""One alert of what is looked at again and again, while others look too, and go."""

import asyncio

from sinks.looks import CLOSE_AGAIN_S, OneAlert
from tests.doubles.memory_alerts import MemoryAlerts
from tests.unit.chaos import run


def test_what_a_process_that_is_gone_has_left_open_is_closed_by_one_that_finds_it_well() -> None:
    async def story() -> None:
        alerts = MemoryAlerts()
        well = OneAlert(alerts, "log_unreachable")
        await well.close()
        await OneAlert(alerts, "log_unreachable").open("log_unreachable", {"message": "no route"})
        (alert,) = alerts.alerts

        await asyncio.sleep(CLOSE_AGAIN_S - 1)
        await well.close()
        assert alert.resolved_at is None
        await asyncio.sleep(2)
        await well.close()
        assert alert.resolved_at is not None

    run(story())


def test_what_is_open_here_stays_open_however_long() -> None:
    async def story() -> None:
        alerts = MemoryAlerts()
        ill = OneAlert(alerts, "connect_away", "connector_idle")
        for _ in range(3):
            await ill.open("connect_away", {"message": "refused"})
            await asyncio.sleep(CLOSE_AGAIN_S)
        assert [(each.kind, each.resolved_at) for each in alerts.alerts] == [("connect_away", None)]

    run(story())
