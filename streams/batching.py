"""A Faust transport that hands over fetches, not messages: one message a partition and fetch.

Faust costs about 90 microseconds a message, whatever the agent does with it. Here the value of a
message is the list of raw records that one fetch gave for a partition. A partition has at most one
message in flight: nothing more is fetched for it until that one is acknowledged.

An acknowledgement says only that. What is committed to Kafka are the positions in `decided`, for a
partition goes on from its position in Postgres, and committed offsets are there to show lag.

Chosen by the URL scheme `badges://host:port` (entry point group `faust.transports`).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.tuples import Message

from streams.log.connections import Connections

_BUSY_POLL_SECONDS = 0.005
"""How long a fetch may wait while a batch is open, whose partition it cannot see become free."""


_MOST_FETCH_WAIT_MS = 100
"""How long a broker may hold a fetch that it has nothing for. Faust says 1,500, and has no setting.

aiokafka leaves a partition out of a fetch while records of it wait for more than 0.1 s, as they do
behind a slow turn, and asks a broker for one fetch at a time. So what comes next in that partition
waits for the end of a fetch of the others, in which there may be nothing.
"""

_ERROR_CHECK_SECONDS = 1.0
"""How often aiokafka is asked for an error of the group of which it has told nobody."""


class ReadCommitted(driver.AIOKafkaConsumerThread):
    """The consumer itself: rows of a transaction that was aborted never come."""

    connections: Connections | None = None
    """Over which its records come, once it was begun."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust reads so only where it writes in transactions itself, and has no setting for it.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = _MOST_FETCH_WAIT_MS
        self.connections = Connections(consumer, cast("Consumer", self.consumer).decided)
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        # A rebalance may just have taken them all. To commit nothing is an error to aiokafka, of
        # which Faust ends the worker.
        held = {tp: offset for tp, offset in offsets.items() if tp in self.assignment()}
        return bool(held) and await super()._commit(held)

    async def check_group(self) -> None:
        """Raise the error of the group that aiokafka keeps until somebody asks, if there is one."""
        await self.call_thread(self._ensure_consumer()._coordinator.check_errors)

    def highwater(self, tp: TP) -> int:
        """Return the partition's end, before the first row of a transaction still open."""
        end: int = self._ensure_consumer().last_stable_offset(tp)
        return end


class Consumer(driver.Consumer):
    _thread: ReadCommitted

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.decided: dict[TP, int] = {}
        """The next offset to decide of each partition: what is committed."""
        self._in_flight: dict[TP, Message] = {}
        self._freed = asyncio.Event()

    def _new_consumer_thread(self) -> ReadCommitted:
        return ReadCommitted(self, loop=self.loop, beacon=self.beacon)

    def connection(self, tp: TP, offset: int) -> int:
        """Return the number of the connection over which the record at an offset comes, or 0."""
        connections = self._thread.connections
        return connections.number(tp, offset) if connections else 0

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Yield one message for each partition that the next fetch has records of."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow.wait())
        generation = self.app.consumer_generation_id
        for tp, records in (await self._fetch(timeout)).items():
            if not self.flow_active or generation != self.app.consumer_generation_id:
                return
            if tp in self._get_active_partitions():
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                # Faust drops a message that ends before the last one did, and says nothing; nobody
                # would acknowledge it then. After a rebalance, or where a log has lost its end,
                # such batches have to be decided.
                self._read_offset[tp] = None
                self._in_flight[tp] = message = self._batch_message(tp, records)
                yield tp, message

    async def _fetch(self, timeout: float) -> Mapping[TP, Sequence[Any]]:
        free = self._get_active_partitions() - self._in_flight.keys()
        if free:
            patience = _BUSY_POLL_SECONDS if self._in_flight else timeout
            return await self._getmany(active_partitions=free, timeout=patience) or {}
        self._freed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await self._freed.wait()
        return {}

    def _batch_message(self, tp: TP, records: Sequence[Any]) -> ConsumerMessage:
        message = self._to_message(tp, records[-1])
        message.value = records  # type: ignore[assignment]  # "raw" leaves it as it is
        return message

    def ack(self, message: Message) -> bool:
        """Acknowledge a batch: its partition may be fetched again."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        # One from before a rebalance says nothing of what has been fetched since.
        if self._in_flight.get(message.tp) is message:
            del self._in_flight[message.tp]
            self._freed.set()
        return True

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        moved = {
            tp: offset
            for tp, offset in self.decided.items()
            if offset != self._committed_offset[tp]
        }
        if not moved or not await self._commit(moved):
            return False
        self._committed_offset.update(moved)
        return True

    async def perform_seek(self) -> None:
        """Leave it to aiokafka, which goes on from what is committed by itself.

        Faust asks Kafka for the offsets. Where that takes long, as with a broker that is away, it
        gives up in silence: it takes part in no rebalance any more, and the flow stays stopped.
        """
        # A commit that was under way may have noted partitions that another worker has now.
        self._committed_offset.clear()

    async def on_started(self) -> None:
        """Begin what needs the thread: tasks of a service begin before its children started."""
        await super().on_started()
        self.add_future(self._hear_of_errors())

    async def _hear_of_errors(self) -> None:
        """End on any error of the consumer's part in its group.

        aiokafka keeps such an error, and does nothing more, until somebody fetches. Faust does not
        while a rebalance takes longer than it waits for records.
        """
        while not self.should_stop:
            await self.sleep(_ERROR_CHECK_SECONDS)
            await self._thread.check_group()

    async def verify_all_partitions_active(self) -> None:
        """Look for no partition that stands still: that is told by alerts of our own.

        Faust asks each for its position, which one whose offsets the broker has lost does not have
        for a moment: to aiokafka that is an error, of which Faust ends the worker.
        """

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Keep no account of offsets that no message had: acknowledgements commit nothing."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was in flight: after a rebalance everything uncommitted comes again."""
        self._release()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._release()
        await super().on_partitions_assigned(assigned, generation_id)

    def _release(self) -> None:
        self._in_flight.clear()
        self._freed.set()


class Transport(driver.Transport):
    """The transport behind `badges://`."""

    Consumer = Consumer
    driver_version = f"badges over {driver.Transport.driver_version}"
