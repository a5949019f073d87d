"""How far behind the log is: what `badges lag`, GET /v1/lag and as_of say of the whole path."""

from datetime import datetime
from functools import partial

from tests.integration.pipeline import Pipeline, Rig


async def as_of(p: Pipeline) -> datetime | None:
    """What readers of awards are told."""
    found: datetime | None = await p.pool.fetchval("SELECT badges_private.as_of()")
    return found


def test_as_of_follows_the_clock_while_nothing_happens(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.settle()
        for _ in range(2):
            now: datetime = await p.pool.fetchval("SELECT clock_timestamp()")
            await p.until(partial(later, p, now), what="an as_of after now")

    async def later(p: Pipeline, instant: datetime) -> bool:
        found = await as_of(p)
        return found is not None and found > instant

    working.run(test)
