"""Workers that are killed, paused, joined and left by others: nothing is lost or counted twice."""

import asyncio
import time

from tests.integration.load import load
from tests.integration.pipeline import Pipeline, Rig


async def next_event(p: Pipeline) -> None:
    """Return when one more award was granted, promoted, revoked or restored."""
    before = await p.last_event()

    async def came() -> bool:
        return await p.last_event() > before

    await p.until(came, what="the next award")


def test_a_worker_killed_in_mid_load_goes_on_where_its_awards_are(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        worker.start()
        async with load(p, 1) as going:
            for _ in range(3):
                await going.more(150)
                await asyncio.to_thread(worker.kill)
                began = time.monotonic()
                worker.start()
                await next_event(p)
                print(f"kill -9 and restart: {time.monotonic() - began:.1f} s to the next award")

    unmanned.run(test)
