"""The demo's moments: what fails in one is told, and holds up nobody."""

import asyncio

import asyncpg
import pytest

from badges.demo import playing
from badges.demo.world import Moment
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio


async def test_one_of_two_that_fails_leaves_nobody_waiting_for_it(database_url: str) -> None:
    together = Moment("two at once", None, "", [[("SELECT 1",)], [("SELECT 1 / 0",)]])
    saved: list[Moment] = []
    async with asyncio.timeout(LIMIT_S), asyncpg.create_pool(database_url, min_size=2) as pool:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await playing.play(pool, [(0.0, together)], lambda moment, _: saved.append(moment))
        await playing.play(
            pool,
            [(0.0, Moment("new", None, "", [[("SELECT 1",)]]))],
            lambda moment, _: saved.append(moment),
        )
    assert [moment.kind for moment in saved] == ["new"]
