"""A connection that listens, and one that is lost while it does."""

import pytest

from sinks.listening import is_lost, listening
from sinks.pool import Pool
from tests.patience import until

CHANNEL = "test_listening"
pytestmark = pytest.mark.anyio


async def test_what_is_notified_is_heard_until_the_connection_is_lost(
    worker: Pool, owner: Pool
) -> None:
    heard: list[str] = []
    async with listening(worker, CHANNEL, lambda _, what: heard.append(what)) as connection:
        assert not is_lost(connection)
        await owner.execute("SELECT pg_notify($1, 'a word')", CHANNEL)

        async def is_heard() -> bool:
            return heard == ["a word"]

        async def is_gone() -> bool:
            return is_lost(connection)

        await until(is_heard, "the word")
        await owner.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
        await until(is_gone, "the loss")
    assert heard == ["a word"]


async def test_one_that_went_back_to_the_pool_is_lost_to_who_had_it(worker: Pool) -> None:
    async with listening(worker, CHANNEL, lambda *_: None) as connection:
        pass
    assert is_lost(connection)
