"""How many dead letters wait, as the API says it: nobody knows while there is no log."""

import asyncio
from typing import cast

import pytest

from badges.api import dead_letters
from badges.api.dead_letters import DeadLettersWaiting
from sinks.polling import poll
from streams.log.cluster import Cluster
from streams.log.kafka import KafkaAccess
from tests.stack import LIMIT_S


class NoTopics:
    """A cluster in which nothing was ever kept."""

    async def topic(self, _: str) -> None:
        return None


def test_once_there_is_no_log_their_number_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "_LOOK_EVERY_S", 0.0)

    async def test() -> None:
        logs = {"live"}
        nothing = cast("Cluster", NoTopics())
        told = DeadLettersWaiting(KafkaAccess(""), nothing, "dead-letters", lambda: bool(logs))

        async def says(number: int | None) -> None:
            async def is_told() -> bool:
                return told.waiting == number

            await poll(is_told, within=LIMIT_S, every=0)

        following = asyncio.create_task(told.follow())
        await says(0)
        logs.clear()
        await says(None)
        following.cancel()

    asyncio.run(test())
