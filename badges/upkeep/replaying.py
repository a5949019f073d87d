"""A replay put together: its clients, and the processes among which the partitions are shared."""

import asyncio
import gc
import multiprocessing
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError
from msgspec import Struct

from badges import event_loop, logs
from badges.settings import Settings
from schema.database import connect, first_line
from sinks.alerts import PostgresAlerts
from sinks.errors import StoreError
from sinks.failures import UNREACHED
from sinks.pool import Executor, create_pool
from sinks.postgres import PostgresSink
from streams.errors import Failure, LogBroken
from streams.evaluator import FINGERPRINT
from streams.evaluator_change import EVALUATOR_CHANGED
from streams.log import generations
from streams.log.cluster import COMMAND_ANSWER_S, Cluster
from streams.log.generations import Generation
from streams.log.reader import KafkaLog
from streams.pacing import GC_THRESHOLDS, Pace
from streams.recovery import Rules
from streams.replay import Around, PacedLog, Replay, Scope
from streams.replayed import Replayed
from streams.rule_versions import PostgresVersions

_CONNECTIONS = 4

_KEYS = """
SELECT DISTINCT ON (id) id::text, key FROM badge_definition_versions
WHERE NOT deleted ORDER BY id, version DESC
"""
_AWAY = (*UNREACHED, StoreError, KafkaError, asyncpg.PostgresError)
# Null says that an earlier version decided, which is no change to tell of.
_AGREED = """
UPDATE badge_log_positions SET evaluator = $1 WHERE evaluator <> $1 AND log_id IN
    (SELECT log_id FROM badge_logs WHERE state = 'live')
"""


class Order(Struct, frozen=True):
    """What is to be replayed. `max_rate` is in records a second, None as fast as possible."""

    scope: Scope
    rules: Rules
    apply: bool
    max_rate: float | None


class ReplayPlan(Struct, frozen=True):
    """The partitions to be replayed, and how many records each has up to its position."""

    generation: int
    records: Mapping[int, int]

    @property
    def numbers(self) -> list[int]:
        """The partitions, the longest first: so the last ones end at about the same time."""
        return sorted(self.records, key=lambda number: -self.records[number])


async def plan(settings: Settings, scope: Scope) -> ReplayPlan:
    """What there is to read. Raises Failure where no log is live."""
    async with connect(settings.database) as connection:
        live = await _live(connection, settings)
        records = await generations.next_offsets(connection, live.log_id)
        return ReplayPlan(
            live.number, {n: records.get(n, 0) for n in scope.partitions(live.partitions)}
        )


async def settle_change(settings: Settings) -> bool:
    """Close the alert that another evaluator decides than before: all that it decided agrees.

    Whether Postgres has taken that. A partition in which nothing happens has no turn that would
    note it: it would be told again.
    """
    pool = await create_pool(
        settings.database,
        application_name="badges replay",
        role="badges_worker",
        max_size=1,
    )
    async with pool:
        await pool.execute(_AGREED, FINGERPRINT)
        alerts = PostgresAlerts(pool)
        await alerts.resolve(EVALUATOR_CHANGED)
        return await alerts.finish()


async def replay_here(
    settings: Settings, order: Order, plan: ReplayPlan, has_read: Callable[[int], None]
) -> AsyncGenerator[Replayed, None]:
    """Replay partitions in this process."""
    async with _replay(settings, order, plan, has_read) as replay:
        for number in plan.numbers:
            yield await replay(number)


async def replay_in_processes(
    settings: Settings,
    order: Order,
    plan: ReplayPlan,
    has_read: Callable[[int], None],
    processes: int,
) -> AsyncGenerator[Replayed, None]:
    """Replay partitions in so many processes, which end with this one's interest in them."""
    numbers = plan.numbers
    waiting = numbers[::-1]
    found: asyncio.Queue[Replayed | BaseException] = asyncio.Queue()

    async def serve(pipe: Any) -> None:
        try:
            while waiting:
                await asyncio.to_thread(pipe.send, waiting.pop())
                while isinstance(told := await asyncio.to_thread(pipe.recv), int):
                    has_read(told)
                found.put_nowait(told)
        except (EOFError, OSError):
            found.put_nowait(Failure("a process of the replay ended by itself"))
        except Exception as error:
            # Whatever it is: the loop below waits for one answer a partition.
            found.put_nowait(error)

    with _processes(settings, order, plan, min(processes, len(numbers))) as pipes:
        serving = [asyncio.create_task(serve(pipe)) for pipe in pipes]
        try:
            for _ in numbers:
                told = await found.get()
                if isinstance(told, BaseException):
                    raise told
                yield told
        finally:
            for task in serving:
                task.cancel()


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Within, Ctrl-C waits for the end of the block, and for ever in processes begun there.

    It reaches every process of a terminal: this one ends the others.
    """
    # Python 3.11 begins it with the first process, and lets Ctrl-C through afterwards.
    resource_tracker.ensure_running()
    heard: list[int] = []
    # Blocked for those who are begun, noted here: another thread may take it.
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
        if heard:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _processes(
    settings: Settings, order: Order, plan: ReplayPlan, number: int
) -> Iterator[list[Any]]:
    """Processes that replay what they are told through their pipes; at the end they are gone."""
    context = multiprocessing.get_context("spawn")
    started: list[Any] = []
    pipes: list[Any] = []
    try:
        with ctrl_c_waits():
            for _ in range(number):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_serve, args=(theirs, settings, order, plan, number), daemon=True
                )
                process.start()
                theirs.close()
                started.append(process)
                pipes.append(ours)
        yield pipes
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.join()


def _serve(
    pipe: "Connection[Any, Any]", settings: Settings, order: Order, plan: ReplayPlan, among: int
) -> None:
    logs.configure(level="CRITICAL")
    event_loop.run(lambda: _serve_partitions(pipe, settings, order, plan, among))


async def _serve_partitions(
    pipe: "Connection[Any, Any]", settings: Settings, order: Order, plan: ReplayPlan, among: int
) -> None:
    try:
        async with _replay(settings, order, plan, pipe.send, among) as replay:
            while True:
                number = await asyncio.to_thread(pipe.recv)
                pipe.send(await replay(number))
    except Failure as problem:
        pipe.send(problem)
    except EOFError:
        pass  # Whoever asked has ended.
    except _AWAY as error:
        pipe.send(Failure(f"the log cannot be replayed: {first_line(error)}"))


@asynccontextmanager
async def _replay(
    settings: Settings,
    order: Order,
    plan: ReplayPlan,
    has_read: Callable[[int], None],
    among: int = 1,
) -> AsyncIterator[Callable[[int], Awaitable[Replayed]]]:
    """What replays a partition, in one of so many processes that share the rate."""
    gc.set_threshold(*GC_THRESHOLDS)
    access = settings.kafka_access()
    async with (
        await create_pool(
            settings.database,
            application_name="badges replay",
            role="badges_worker",
            max_size=_CONNECTIONS,
        ) as pool,
        _cluster(settings) as cluster,
    ):
        live = await _live(pool, settings)
        if live.number != plan.generation:
            raise Failure(
                f"generation {live.number} of the log went live meanwhile",
                hint="Run the command again",
            )

        async def end(number: int) -> int:
            topic = await cluster.topic(live.topic)
            if topic is None:
                raise Failure(f"the topic {live.topic} is missing")
            return (await cluster.ends(topic))[number]

        log = KafkaLog(access, live.topic)
        pace = Pace(order.max_rate / among if order.max_rate else None)
        replay = Replay(
            live,
            Around(
                pool=pool,
                sink=PostgresSink(pool),
                versions=PostgresVersions(pool, PostgresAlerts(pool)),
                end=end,
            ),
            log,
            PacedLog(log, pace, has_read),
            scope=order.scope,
            keys=await keys(pool),
            rules=order.rules,
        )
        yield partial(_one, replay, apply=order.apply)


@asynccontextmanager
async def _cluster(settings: Settings) -> AsyncIterator[Cluster]:
    cluster = Cluster(settings.kafka_access(), patience=COMMAND_ANSWER_S)
    try:
        try:
            await cluster.start()
        except (KafkaError, OSError) as error:
            place = settings.kafka_bootstrap
            raise Failure(
                f"Kafka at {place}: {first_line(error)}",
                hint="Check BADGES_KAFKA_BOOTSTRAP and that it runs",
            ) from error
        yield cluster
    finally:
        await cluster.close()


async def _one(replay: Replay, number: int, *, apply: bool) -> Replayed:
    """Replay a partition; whatever does not answer, or is broken, becomes a Failure."""
    try:
        return await replay.replay(number, apply=apply)
    except _AWAY as error:
        raise Failure(
            f"partition {number} cannot be replayed: {first_line(error)}",
            hint="Nothing of it was written; run the command again when that is mended",
        ) from error
    except LogBroken as broken:
        raise Failure(f"the log is broken: {broken}") from broken
    finally:
        # The partition's state refers to itself in circles, and the next one needs the room.
        gc.collect()


async def keys(connection: Executor) -> dict[str, str]:
    """The key of every definition there is or was, by id."""
    return {row["id"]: row["key"] for row in await connection.fetch(_KEYS)}


async def _live(connection: Executor, settings: Settings) -> Generation:
    live = await generations.live(connection)
    if live is None:
        raise Failure("no log is live: `badges provision` makes one, or `badges resnapshot`")
    generations.refuse_other_prefix(live, settings.prefix)
    return live
