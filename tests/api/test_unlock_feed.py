"""The unlock feed while there is not enough for all: whoever waits is told, and nothing hangs."""

import asyncio
from contextlib import AsyncExitStack
from http import HTTPStatus

import pytest

from badges.api import unlock_feed
from badges.api.follower import Follower
from badges.api.problem import ProblemError
from badges.api.unlock_feed import UnlockFeed
from badges.api.unlocks import unlocks
from badges.settings import Settings
from sinks.errors import StoreError
from sinks.pool import Pool
from tests.api.callers import caller, request
from tests.api.conftest import Organization
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio


async def test_who_joins_while_there_is_no_connection_is_told_and_joins_later(
    only: Pool, mine: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = UnlockFeed(only, asyncio.Event())
    follower = Follower(mine.id, None)
    async with asyncio.timeout(LIMIT_S):
        async with only.acquire():
            monkeypatch.setattr(unlock_feed, "_CONNECTION_WITHIN_S", 0.05)
            with pytest.raises(StoreError):
                await feed.join(follower)
        monkeypatch.undo()
        assert await feed.join(follower)


async def test_who_joins_while_all_others_leave_has_a_place_all_the_same(
    only: Pool, mine: Organization
) -> None:
    feed = UnlockFeed(only, asyncio.Event())

    async def join_and_leave() -> None:
        brief = Follower(mine.id, None)
        await feed.join(brief)
        feed.leave(brief)

    async with asyncio.timeout(LIMIT_S):
        # The last two wait while the first one reads, so that one reading is enough for both.
        *_, cursor = await asyncio.gather(
            join_and_leave(), join_and_leave(), feed.join(Follower(mine.id, None))
        )
    assert cursor == feed.cursor


async def test_who_waits_too_long_for_a_place_to_catch_up_is_told_when_to_come_again(
    only: Pool, mine: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = asyncio.Event()
    feed = UnlockFeed(only, stopping)
    settings = Settings(database_url="postgresql://nobody@127.0.0.1/x")
    asked = request(only, settings=settings, stopping=stopping, unlocks=feed)
    who = caller(mine.id, "coordinator")
    async with asyncio.timeout(LIMIT_S):
        await feed.join(Follower(mine.id, None))
        cursor = feed.cursor
        async with AsyncExitStack() as stack:
            for _ in range(unlock_feed._CATCHING_UP):
                await stack.enter_async_context(feed.place_to_catch_up())
            monkeypatch.setattr(unlock_feed, "_PLACE_WITHIN_S", 0.05)
            with pytest.raises(ProblemError) as caught:
                await unlocks(asked, who, cursor)
        assert caught.value.status == HTTPStatus.SERVICE_UNAVAILABLE
        assert caught.value.headers == {"Retry-After": "2"}
        assert feed.streams == 0
        monkeypatch.undo()
        await unlocks(asked, who, cursor)
        assert feed.streams_of(mine.id) == 1
