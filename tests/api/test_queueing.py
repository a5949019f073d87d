"""Requests get connections in the order in which they ask, and nobody waits for ever."""

import asyncio

import pytest
from starlette.requests import Request

from badges.api import database
from badges.api.callers import Caller
from badges.api.database import acting
from sinks.errors import StoreError
from sinks.polling import poll
from sinks.pool import Pool
from tests.api import callers
from tests.api.conftest import Organization
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio


@pytest.fixture
async def request_of_one(only: Pool) -> Request:
    """A request where there is one connection."""
    return callers.request(only)


@pytest.fixture
def caller(mine: Organization) -> Caller:
    return callers.caller(mine.id)


async def test_who_comes_as_a_connection_is_given_back_gets_it_after_who_waits(
    request_of_one: Request, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_PATIENCE_S", LIMIT_S)
    pool: Pool = request_of_one.app.state.pool
    served: list[str] = []

    async def ask(name: str) -> None:
        async with acting(request_of_one, caller) as connection:
            await connection.execute("SELECT 1")
            served.append(name)

    async def is_given_back() -> bool:
        return pool.get_idle_size() > 0

    async def come_anew() -> None:
        await poll(is_given_back, within=LIMIT_S, every=0)
        await ask("anew")

    async with asyncio.TaskGroup() as tasks:
        async with acting(request_of_one, caller):
            waiting = tasks.create_task(ask("waiting"))
            await asyncio.sleep(0)
            tasks.create_task(come_anew())
        await waiting

    assert served[0] == "waiting"


async def test_who_waits_too_long_is_told_and_takes_nobodys_turn(
    request_of_one: Request, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with acting(request_of_one, caller):
        monkeypatch.setattr(database, "_PATIENCE_S", 0.05)
        for _ in range(3):
            with pytest.raises(StoreError):
                async with acting(request_of_one, caller):
                    pass
    monkeypatch.undo()
    async with acting(request_of_one, caller) as connection:
        assert await connection.fetchval("SELECT 1") == 1
