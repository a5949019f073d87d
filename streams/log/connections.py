"""Over which connection a consumer's records came: behind each may be a log that was cut.

A broker that has lost its last records has been another process since, so nothing of what it holds
now comes over a connection from before. The records of one connection follow each other; where
another begins, the record before has to be read again.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import NodeNotReadyError, NoError
from aiokafka.protocol.fetch import FetchRequest


class Connections:
    """Numbers the connections over which each partition was asked for, in their order.

    A fetch is asked for when all records before it were handed over, so the offset from which it
    asks is where the records of a connection begin. aiokafka says nothing of that: what its client
    sends is looked at on the way.
    """

    def __init__(
        self,
        consumer: "AIOKafkaConsumer[Any, Any]",
        read_to: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        """Of a consumer that has not started yet; `read_to` are offsets below which nobody asks.

        The consumer may run in another thread than those that ask.
        """
        self._client = consumer._client
        self._send = self._client.send
        self._client.send = self._look_and_send
        self._read_to = read_to or {}
        # The offset asked for last, over which connection, and whether over another one before.
        self._used: dict[TopicPartition, tuple[int, object, bool]] = {}
        # From which offset on records come over which connection: both grow. Never changed, but
        # replaced as a whole, for another thread reads it.
        self._begun: dict[TopicPartition, tuple[tuple[int, int], ...]] = {}
        self._newest = 0

    def number(self, place: TopicPartition, offset: int) -> int:
        """The number of the connection over which the record at an offset came, or will; else 0."""
        begun = self._begun.get(place, ())
        return next((number for first, number in reversed(begun) if first <= offset), 0)

    async def _look_and_send(self, node: Any, request: Any, **group: Any) -> Any:
        if not isinstance(request, FetchRequest):
            return await self._send(node, request, **group)
        connection = await self._client._get_conn(node, **group)
        while connection is not None and not connection.connected():
            connection = await self._client._get_conn(node, **group)
        if connection is None:
            raise NodeNotReadyError(f"node {node} cannot be connected to")
        # The client takes the same one, for nothing can happen to it before it is asked.
        for place, offset in _asked(request):
            self._note(place, offset, connection)
        response = await self._send(node, request, **group)
        for topic, partitions in response.topics:
            for partition, code, *_ in partitions:
                if code != NoError.errno:
                    # A broker that did not lead it for a while may have another log of it since.
                    self._used.pop(TopicPartition(topic, partition), None)
        return response

    def _note(self, place: TopicPartition, offset: int, connection: object) -> None:
        last, before, either = self._used.get(place, (-1, None, False))
        if connection is before and (offset == last or (offset > last and not either)):
            self._used[place] = (offset, connection, either)
            return
        # A fetch that was asked for and not answered is asked for again, maybe over another one.
        # Asked over two for the same offset: what is there may have come over either.
        self._used[place] = (offset, connection, offset == last)
        self._newest += 1
        begun = [entry for entry in self._begun.get(place, ()) if entry[0] < offset]
        asked = self._read_to.get(place, 0)
        while len(begun) > 1 and begun[1][0] <= asked:
            del begun[0]
        self._begun[place] = (*begun, (offset, self._newest))


def _asked(request: Any) -> list[tuple[TopicPartition, int]]:
    return [
        (TopicPartition(topic, partition), offset)
        for topic, partitions in request.topics
        for partition, offset, *_ in partitions
    ]
