"""Which records of a partition came over one connection, and where another one begins."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NodeNotReadyError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest

from streams.log.connections import Connections

PLACE = TopicPartition("log", 3)
NOT_LEADER = 6


class Connection:
    """One that is lost when it was taken so many times."""

    def __init__(self, lost_after: int = 1000) -> None:
        self._left = lost_after

    def connected(self) -> bool:
        self._left -= 1
        return self._left >= 0


class Client:
    """What aiokafka's client does when a consumer asks: it connects if it has to, and sends."""

    def __init__(self) -> None:
        self.connection: Connection | None = Connection()
        self.next: Connection | None = None
        self.code = 0
        self.sent: list[Any] = []

    async def _get_conn(self, _node: int) -> Connection | None:
        connection, self.connection = self.connection, self.next or self.connection
        return connection

    async def send(self, _node: int, request: Any) -> Any:
        self.sent.append(request)
        return SimpleNamespace(topics=[(PLACE.topic, [(PLACE.partition, self.code, 0, b"")])])

    def reconnect(self) -> None:
        self.connection = Connection()

    def fetch(self, offset: int, code: int = 0) -> None:
        self.code = code
        topics = [(PLACE.topic, [(PLACE.partition, offset, 1024)])]
        asyncio.run(self.send(1, FetchRequest(500, 1, 1024, 1, topics)))


@pytest.fixture
def client() -> Client:
    return Client()


def listening(client: Client, read_to: int = 0) -> Connections:
    return Connections(SimpleNamespace(_client=client), {PLACE: read_to})


def numbers(connections: Connections, *offsets: int) -> list[int]:
    return [connections.number(PLACE, offset) for offset in offsets]


def test_records_that_follow_each_other_come_over_one(client: Client) -> None:
    connections = listening(client)
    assert numbers(connections, 10) == [0]
    for offset in (10, 10, 17, 20):
        client.fetch(offset)
    assert numbers(connections, 9, 10, 19, 20, 1000) == [0, 1, 1, 1, 1]
    assert len(client.sent) == 4


def test_another_one_begins_where_it_was_asked_first(client: Client) -> None:
    connections = listening(client)
    client.fetch(10)
    client.reconnect()
    client.fetch(20)
    client.fetch(30)
    # What was fetched before is still of the first, however late it is looked at.
    assert numbers(connections, 10, 19, 20, 35) == [1, 1, 2, 2]


def test_what_was_asked_over_two_may_have_come_over_either(client: Client) -> None:
    connections = listening(client)
    client.fetch(10)
    client.fetch(20)
    client.reconnect()
    client.fetch(20)
    assert numbers(connections, 19, 20) == [1, 2]
    client.fetch(25)
    client.fetch(30)
    assert numbers(connections, 20, 25, 30) == [2, 3, 3]


def test_going_back_begins_anew(client: Client) -> None:
    connections = listening(client)
    client.fetch(10)
    client.fetch(20)
    client.fetch(5)
    assert numbers(connections, 4, 5, 10, 20) == [0, 2, 2, 2]


def test_a_broker_that_has_refused_is_another_one(client: Client) -> None:
    connections = listening(client)
    client.fetch(10, NOT_LEADER)
    client.fetch(10)
    assert numbers(connections, 10) == [2]


def test_a_fetch_that_finds_nobody_is_not_sent(client: Client) -> None:
    connections = listening(client)
    client.connection = None
    with pytest.raises(NodeNotReadyError):
        client.fetch(10)
    assert numbers(connections, 10) == [0]
    assert not client.sent


def test_one_that_is_lost_before_it_is_used_is_none(client: Client) -> None:
    connections = listening(client)
    client.connection, client.next = Connection(lost_after=0), Connection()
    client.fetch(10)
    client.fetch(11)
    assert numbers(connections, 10, 11) == [1, 1]


def test_what_is_no_fetch_is_passed_on(client: Client) -> None:
    connections = listening(client)
    asyncio.run(client.send(1, MetadataRequest([])))
    assert numbers(connections, 10) == [0]
    assert len(client.sent) == 1


def test_what_was_read_is_forgotten(client: Client) -> None:
    connections = listening(client, read_to=30)
    for offset in (10, 20, 30, 40):
        client.fetch(offset)
        client.reconnect()
    assert numbers(connections, 10, 29, 30, 40) == [0, 0, 3, 4]


def test_nothing_begins_again_while_nothing_comes(client: Client) -> None:
    connections = listening(client)
    client.fetch(10)
    client.reconnect()
    for _ in range(5):
        client.fetch(10)
    assert numbers(connections, 10) == [2]
    client.fetch(11)
    assert numbers(connections, 10, 11) == [2, 3]
    client.fetch(12)
    assert numbers(connections, 12) == [3]
