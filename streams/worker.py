"""The worker: committed rows in, awards out.

A batch travels in one direction: the transport (batching) hands over a fetch, the partition's
worker folds it into the mentors' ledgers (partition, records), what it decides is written with the
position in one transaction (sinks), and only then is the batch acknowledged. Offsets committed to
Kafka are for measuring lag; a partition goes on from its position in Postgres.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import faust
import structlog
from aiokafka.errors import IllegalStateError, KafkaError
from faust.types import TP
from msgspec import Struct

from sinks.cancellation import uncancelled
from streams import metrics
from streams.errors import GenerationClosed, NameTaken
from streams.log.cluster import Cluster
from streams.log.generations import Generation
from streams.log.kafka import KafkaAccess
from streams.partition_worker import PARTITION_FAILED, Batch, PartitionWorker, Services
from streams.rule_versions import PostgresVersions
from streams.static_member import Displaced, StaticMember, name_is_taken

log = structlog.get_logger(__name__)

_LONGEST_POLL_SECONDS = 1_000_000_000
"""How long there may be nothing to fetch: for ever.

After it aiokafka takes part in no rebalance until something is fetched. A worker without partitions
fetches nothing, so it would never be given any.
"""

_MOST_HEARTBEAT_SECONDS = 1.0
"""By its heartbeats a member learns that another one waits for its share, or has left."""

_LAST_TURN_SECONDS = 2.5
"""How long partitions may take, when the worker is told to end, before they are cancelled."""

STOP_SECONDS = 3
"""How long leaving the group may take; after it the process ends without."""

_LEAVE_FIRST_SECONDS = 10
"""How long it may take before the work: nobody would get partitions for a whole session without."""


class WorkerOptions(Struct, frozen=True):
    kafka: KafkaAccess
    session_timeout: float
    instance_directory: Path | None = None


class Worker:
    """One process's share of the partitions of one generation of the log."""

    def __init__(
        self,
        options: WorkerOptions,
        generation: Generation,
        services: Services,
        versions: PostgresVersions,
        duties: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
        on_error: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """`duties` run as long as the worker does; one that ends, ends it.

        `on_error` is called with the error that ends it, before Faust is stopped, which may hang.
        """
        self._generation = generation
        self._services = services
        self._versions = versions
        self._options = options
        self._duties = duties
        self._on_error = on_error
        self._static_member = StaticMember(
            generation.group, options.kafka.bootstrap, options.instance_directory
        )
        self._member = self._name(generation.number)
        self._app = _faust_app(
            generation.group, options, self._static_member.directory, self._member
        )
        self._displaced = Displaced(options.session_timeout)
        self._name_taken = asyncio.Event()
        self._partition_workers: dict[int, tuple[PartitionWorker, asyncio.Task[None]]] = {}

    def _name(self, generation: int) -> str:
        """Its name in the group, one for each generation.

        A static member that comes back gets the partitions it had, whatever it subscribes to now.
        """
        return f"{self._static_member.name}-{generation}"

    @property
    def partitions(self) -> Collection[int]:
        """Those that it has, also while it still reads what they hold."""
        return self._partition_workers.keys()

    async def run(self) -> None:
        """Work until cancelled. Raises what crashed the consumer or a partition worker.

        That is NameTaken when another live worker has this one's name in the group.
        """
        # One that was killed may have left a name of an earlier generation in the group, which then
        # waits for it, until its session ends, before anybody gets partitions.
        earlier = [self._name(number) for number in range(1, self._generation.number)]
        await self._leave(earlier, within=_LEAVE_FIRST_SECONDS)
        try:
            await self._work()
        except GenerationClosed:
            await self._leave([self._member], within=STOP_SECONDS)
            raise

    async def _leave(self, names: Sequence[str], *, within: float) -> None:
        """Leave the group under these names; else nobody gets partitions until sessions end."""
        if not names:
            return
        try:
            async with (
                asyncio.timeout(within),
                Cluster(self._options.kafka, patience=within) as cluster,
            ):
                await cluster.leave(self._generation.group, names)
        except (KafkaError, OSError) as error:
            log.warning("names stay in the group for a session", names=names, error=str(error))

    async def _work(self) -> None:
        self._app.on_partitions_assigned.connect(self._assigned, weak=False)
        self._app.agent(self._topic(), concurrency=1)(self._hand_over)
        background = [
            asyncio.create_task(uncancelled(service()))
            for service in (
                self._services.guard.watch,
                self._versions.follow,
                self._wake_partition_workers,
                self._watch_name,
                *self._duties,
            )
        ]
        try:
            await self._until_something_ends(background)
        except asyncio.CancelledError:
            await self._end_in_order()
            raise
        except GenerationClosed:
            # No end: the program replaces itself, whatever hangs.
            raise
        except Exception as error:
            self._on_error(error)
            raise
        finally:
            for task in [*background, *(task for _, task in self._partition_workers.values())]:
                task.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._app.stop()

    async def _end_in_order(self) -> None:
        """Let partition workers write what is in hand, and their checkpoints, if that is soon."""
        for partition_worker, _ in self._partition_workers.values():
            partition_worker.end()
        if self._partition_workers:
            tasks = [task for _, task in self._partition_workers.values()]
            await asyncio.wait(tasks, timeout=_LAST_TURN_SECONDS)

    async def _until_something_ends(self, background: Sequence[asyncio.Task[None]]) -> None:
        """Return never: raise what ended the consumer, a partition worker or one of the duties."""
        consumer = asyncio.create_task(self._consume())
        try:
            ended, _ = await asyncio.wait(
                [consumer, *background], return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            consumer.cancel()
            # Faust cannot be stopped while it is still starting.
            await asyncio.wait([consumer], timeout=STOP_SECONDS)
        if name_is_taken(self._app.crash_reason):
            raise NameTaken(self._member)
        for task in ended:
            task.result()
        raise self._app.crash_reason or RuntimeError("the consumer stopped by itself")

    async def _consume(self) -> None:
        # It has started once it has partitions, for which a group may wait long.
        await self._app.start()
        log.info("working", instance=self._member, topic=self._generation.topic)
        await self._app.wait_until_stopped()

    async def _watch_name(self) -> None:
        await self._name_taken.wait()
        raise NameTaken(self._member)

    def _topic(self) -> Any:
        return self._app.topic(
            self._generation.topic, key_serializer="raw", value_serializer="raw", internal=False
        )

    async def _hand_over(self, stream: Any) -> None:
        async for event in stream.noack().events():
            partition_worker, _ = self._partition_workers[event.message.partition]
            partition_worker.offer(Batch(event.value, event.ack))

    async def _assigned(self, _app: Any, assigned: set[TP], **_: Any) -> None:
        """Keep the partition workers that stay, end those that went, begin those that came.

        One that stays goes on as it is: if another worker had the partition meanwhile, the
        position has moved, and the fence tells.
        """
        generation = self._app.consumer_generation_id
        if self._displaced.assigned(generation, asyncio.get_running_loop().time()):
            self._name_taken.set()
        numbers = {tp.partition for tp in assigned}
        for gone in self._partition_workers.keys() - numbers:
            # Cancelled in mid-turn, Postgres rolls back; committed before that, the position tells.
            task = self._partition_workers.pop(gone)[1]
            task.cancel()
            task.add_done_callback(partial(self._forget, gone))
            self._app.consumer.decided.pop(self._place(gone), None)
        for number in numbers - self._partition_workers.keys():
            partition_worker = PartitionWorker(
                number,
                self._services,
                partial(self._end, number),
                partial(self._app.consumer.decided.__setitem__, self._place(number)),
                partial(self._app.consumer.connection, self._place(number)),
            )
            self._partition_workers[number] = (
                partition_worker,
                asyncio.create_task(self._drive(partition_worker)),
            )
        log.info("partitions assigned", partitions=sorted(numbers))

    def _forget(self, partition: int, _: object) -> None:
        """Measure a partition no more, unless it has come back already."""
        if partition not in self._partition_workers:
            for gauge in (metrics.NEXT_OFFSET, metrics.MENTORS):
                gauge.remove(partition)

    async def _drive(self, partition_worker: PartitionWorker) -> None:
        try:
            await uncancelled(partition_worker.run())
        except Exception as error:
            log.exception("a partition's worker failed", partition=partition_worker.partition)
            await self._services.alerts.raise_alert(
                PARTITION_FAILED,
                {"message": f"the worker ends and begins again: {error!r}; its log has the trace"},
                subject=str(partition_worker.partition),
            )
            await self._app.crash(error)

    def _end(self, partition: int) -> int | None:
        """The partition's end as last heard; None before that, and while it is not assigned."""
        try:
            end: int | None = self._app.consumer.highwater(self._place(partition))
        except (AssertionError, IllegalStateError):  # aiokafka's for what a rebalance took away
            return None
        return end

    def _place(self, partition: int) -> TP:
        return TP(self._generation.topic, partition)

    async def _wake_partition_workers(self) -> None:
        stamp = self._versions.stamp
        while True:
            stamp = await self._versions.wait_newer(stamp)
            for partition_worker, _ in self._partition_workers.values():
                partition_worker.wake()


def _faust_app(group: str, options: WorkerOptions, directory: Path, member: str) -> Any:
    return faust.App(
        group,
        broker=[f"badges://{server}" for server in options.kafka.bootstrap.split(",")],
        broker_credentials=_credentials(options.kafka),
        broker_session_timeout=options.session_timeout,
        # Faust refuses a longer session than that, and has 90 s by itself.
        broker_request_timeout=max(options.session_timeout, 90.0),
        broker_heartbeat_interval=min(options.session_timeout / 5, _MOST_HEARTBEAT_SECONDS),
        broker_max_poll_interval=_LONGEST_POLL_SECONDS,
        # What is in hand at once, of each partition: a record is about a kilobyte as an object, and
        # ten times as large as in a compressed fetch.
        broker_max_poll_records=5_000,
        consumer_max_fetch_size=1024 * 1024,
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=member,
        # Nothing is kept there, but Faust makes it, and may not be allowed to where we are.
        datadir=directory,
        stream_wait_empty=False,
        stream_buffer_maxsize=1024,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


def _credentials(access: KafkaAccess) -> Any:
    encrypted = access.security_protocol.endswith("SSL")
    context = access.ssl_context() if encrypted else None
    if access.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=access.sasl_username,
            password=access.sasl_password,
            mechanism=access.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if encrypted else None
