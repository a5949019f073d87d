"""A topic is made once the brokers that it needs are there, and a wrong setting is told."""

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka.errors import InvalidReplicationFactorError

from streams.log.cluster import Topic
from streams.log.topics import ensure, heartbeats
from tests.unit.chaos import run


class Fenced:
    """A cluster whose only broker counts after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._from = asyncio.get_running_loop().time() + seconds
        self._made: Topic | None = None

    async def topic(self, _: str) -> Topic | None:
        return self._made

    async def create(self, name: str, partitions: int, _: int, __: Mapping[str, str]) -> None:
        if asyncio.get_running_loop().time() < self._from:
            raise InvalidReplicationFactorError("all brokers are currently fenced")
        self._made = Topic(name, "id", partitions)

    async def wait_for(self, _: str, __: int) -> Topic | None:
        return self._made


def test_a_topic_is_made_when_a_broker_that_stood_still_counts_again() -> None:
    async def story() -> None:
        made = await ensure(Fenced(5), heartbeats("beats"), 1)  # type: ignore[arg-type]
        assert made == Topic("beats", "id", 1)

    run(story())


def test_more_replicas_than_there_are_brokers_are_refused_after_a_while() -> None:
    async def story() -> None:
        with pytest.raises(InvalidReplicationFactorError):
            await ensure(Fenced(float("inf")), heartbeats("beats"), 3)  # type: ignore[arg-type]

    run(story())
