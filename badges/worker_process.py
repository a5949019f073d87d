"""The worker's process, put together from the settings: what is connected to what, and its end."""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any, NoReturn

import asyncpg
import prometheus_client
import structlog
from aiokafka.errors import KafkaError

from badges import event_loop, logs
from badges.lockout import PATIENCE_S, Lockout, watch
from badges.reporting import report
from badges.settings import Settings
from schema.wanted import LOG_TYPES
from sinks.alerts import ALERTS, AlertKind, PostgresAlerts
from sinks.backoff import delays
from sinks.cancellation import uncancelled
from sinks.column_types import wrong_types
from sinks.dead_letters import KafkaDeadLetters
from sinks.errors import StoreError
from sinks.failures import translated
from sinks.pool import Pool, create_pool
from sinks.postgres import PostgresSink
from sinks.refused_writes import Stall
from streams import metrics
from streams.checkpoints import Checkpoints
from streams.errors import WRONG_USE, Failure, GenerationClosed, NameTaken
from streams.lag.backlog import WORKER
from streams.lag.decided_until import note_decided
from streams.lag.pulse import beat
from streams.log import fingerprint, generations, topics
from streams.log.cluster import Cluster
from streams.log.connect import Connect
from streams.log.connector_monitor import monitor_connector
from streams.log.connector_progress import moved
from streams.log.generations import Generation
from streams.log.heartbeats import Heartbeats
from streams.log.integrity import Integrity
from streams.log.reader import KafkaLog
from streams.log.wal import confirmed, insert_lsn
from streams.pacing import GC_THRESHOLDS
from streams.partition_worker import Services
from streams.recovery import Recovery
from streams.rule_versions import PostgresVersions
from streams.setting_aside import SettingAside
from streams.surroundings import Surroundings
from streams.throttle import Throttle
from streams.worker import Worker, WorkerOptions
from streams.write_guard import WriteGuard

_STARTING = "start"
"""The subject of the alert that a worker cannot begin."""

_END_SECONDS = 7.0
"""How long a worker that has to end may take, whatever hangs."""

_loop_is_over = threading.Event()
"""Since when the command itself says of what the worker has ended."""

log = structlog.get_logger(__name__)


def run_worker(settings: Settings, metrics_port: int | None) -> None:
    """Run a worker until SIGTERM or SIGINT; what it cannot go on after is raised.

    When another generation of the log goes live, the process begins again with that.
    """
    logs.configure(level=settings.log_level)
    gc.set_threshold(*GC_THRESHOLDS)
    if metrics_port is not None:
        _serve_metrics(settings.metrics_host, metrics_port)
    try:
        event_loop.run(lambda: _until_told(settings))
    except GenerationClosed as closed:
        log.warning("beginning again with the live generation", reason=str(closed))
        _begin_again()
    except NameTaken as taken:
        raise _name_is_taken(taken) from None
    finally:
        _loop_is_over.set()


def _name_is_taken(taken: NameTaken) -> Failure:
    return Failure(
        f"another worker that is alive has the name {taken} in the consumer group, so they would "
        "throw each other out",
        hint="Give each host a name of its own, and do not copy a worker's "
        "BADGES_INSTANCE_DIRECTORY",
    )


def _serve_metrics(host: str, port: int) -> None:
    try:
        prometheus_client.start_http_server(port, addr=host, registry=metrics.WORKER)
    except OSError as error:
        raise Failure(
            f"metrics cannot be served at {host}, port {port}: {error.strerror}",
            hint="Set BADGES_METRICS_HOST, and for each worker a --metrics-port of its own",
        ) from None


def _begin_again() -> NoReturn:
    """Replace the program by itself: same process id, arguments and environment.

    Faust's threads, and the memory of the generation that is closed, end only with the program.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


async def _until_told(settings: Settings) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _end, task)
    try:
        await uncancelled(_work(settings))
    except asyncio.CancelledError:
        # To be told is how a worker ends, no interruption of what it was to do.
        return
    except GenerationClosed:
        # Told while Faust was being stopped for this: it swallows the cancellation.
        if not task.cancelling():
            raise


async def _work(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        pool = await create_pool(
            settings.database,
            application_name=WORKER,
            role="badges_worker",
            max_size=settings.partitions + 4,
        )
        stack.push_async_callback(_close, pool)
        alerts = PostgresAlerts(pool)
        for kind in ALERTS:
            metrics.ALERTS_OPEN.labels(kind).set_function(partial(_unwritten, alerts, kind))
        generation = await _live(pool, alerts)
        generations.refuse_other_prefix(generation, settings.prefix)
        await _know_source(pool, generation)
        worker = await _assemble(settings, generation, pool, alerts, stack)
        await worker.run()


def _unwritten(alerts: PostgresAlerts, kind: AlertKind) -> int:
    return alerts.unwritten.count(kind)


def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    _limit_end()


def _limit_end(error: Exception | None = None) -> None:
    """Let the process end in good order for `_END_SECONDS`, and then end it, whatever hangs.

    Else Faust's thread would keep its partitions, and nobody would decide anything of them. Nothing
    is lost: what was not committed with its position is decided again.
    """
    deadline = threading.Timer(_END_SECONDS, _give_up, [error])
    deadline.daemon = True
    deadline.start()


def _give_up(error: Exception | None) -> None:
    try:
        if error is not None and not _loop_is_over.is_set():
            _tell(error)
        log.warning("ended without good order: something did not answer", seconds=_END_SECONDS)
        sys.stderr.flush()
    finally:
        # Also where the disk is full or nobody reads what it says.
        os._exit(0 if error is None else WRONG_USE)


def _tell(error: Exception) -> None:
    """Say what the command would say of the error if it came to that."""
    if isinstance(error, NameTaken):
        error = _name_is_taken(error)
    if isinstance(error, Failure):
        report(error)
    else:
        log.error("a worker failed", exc_info=error)


async def _close(pool: Pool) -> None:
    """Close in good order within a second, or at once."""
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await pool.close()
    pool.terminate()


async def _live(pool: Pool, alerts: PostgresAlerts) -> Generation:
    """The live generation, waited for: a command may still be filling it."""
    lockout, stall = Lockout(), Stall(_STARTING, "a worker cannot see which log is live", alerts)
    clock, pauses = asyncio.get_running_loop().time, delays()
    while True:
        began, pause = clock(), next(pauses)
        try:
            with translated():
                generation = await generations.live(pool)
            lockout.connected()
            await stall.over()
            if generation is not None:
                return generation
            log.info("no log is live, waiting for `badges provision` or `badges resnapshot`")
        except StoreError as error:
            _refuse_address(error.__cause__)
            lockout.refused(error.__cause__, time.monotonic())
            log.warning("waiting for Postgres", error=str(error))
            pause = await stall.failed(error, began, pause)
        await asyncio.sleep(pause)


async def _know_source(pool: Pool, generation: Generation) -> None:
    """Have it recorded what the log is read from, where `badges migrate` was not there to do so."""
    try:
        with translated():
            if await fingerprint.stamp_unknown(pool, generation.log_id, generation.publication):
                log.warning(
                    "what the log is read from was not recorded, and is watched from now on: its "
                    "migrations were applied without `badges migrate`",
                    generation=generation.number,
                )
    except StoreError as error:
        log.warning("what the log is read from cannot be recorded", error=str(error))


def _refuse_address(error: BaseException | None) -> None:
    """Raise Failure where waiting is in vain: what is no address, or a pooler's."""
    if isinstance(error, asyncpg.ClientConfigurationError):
        raise Failure(f"BADGES_DATABASE_URL: {error}")
    if isinstance(error, asyncpg.ProtocolViolationError):
        raise Failure(
            f"BADGES_DATABASE_URL is not the address of a Postgres server, which would take the "
            f"worker's settings ({error.args[0]})",
            hint="Give it that of the database itself, not of PgBouncer or another pooler",
        )


async def _answering(cluster: Cluster, alerts: PostgresAlerts) -> None:
    """Return when Kafka answers: started before it, or while it restarts, a worker waits.

    The guard closes the alert that is raised when that takes long, for Kafka says no more of a
    wrong password than that it does not answer.
    """
    began = time.monotonic()
    for pause in delays():
        try:
            await cluster.start()
        except (KafkaError, OSError) as error:
            log.warning("waiting for Kafka", error=str(error))
            if time.monotonic() - began >= PATIENCE_S:
                message = (
                    f"a worker waits for Kafka: {error}. Check BADGES_KAFKA_* and that it runs"
                )
                await alerts.raise_alert("log_unreachable", {"message": message})
        else:
            return
        await asyncio.sleep(pause)


async def _assemble(
    settings: Settings,
    generation: Generation,
    pool: Pool,
    alerts: PostgresAlerts,
    stack: AsyncExitStack,
) -> Worker:
    kafka = settings.kafka_access()
    cluster = Cluster(kafka)
    stack.push_async_callback(cluster.close)
    await _answering(cluster, alerts)
    connect = await stack.enter_async_context(Connect(settings.connect_url.get_secret_value()))
    heartbeats = await stack.enter_async_context(Heartbeats(kafka))
    name = topics.dead_letters(settings.prefix).name
    dead_letters = KafkaDeadLetters(name, kafka.client_options())
    stack.push_async_callback(dead_letters.close)
    sink = PostgresSink(pool)
    versions = PostgresVersions(pool, alerts)
    source = KafkaLog(kafka, generation.topic)
    integrity = Integrity(generation, pool, cluster, connect)
    checkpoints = Checkpoints(settings.checkpoints, generation.log_id)
    recovery = Recovery(generation, sink, versions, source, checkpoints=checkpoints)
    services = Services(
        sink=sink,
        aside=SettingAside(
            generation.topic, dead_letters, partial(wrong_types, pool, LOG_TYPES), alerts
        ),
        versions=versions,
        source=source,
        recovery=recovery,
        checkpoints=checkpoints,
        guard=WriteGuard(integrity.look, integrity.mark_broken, alerts),
        wal_written=partial(insert_lsn, pool),
        wal_sent=partial(confirmed, pool, generation.slot),
        alerts=alerts,
        throttle=Throttle(settings.backfill_pause),
    )
    options = WorkerOptions(kafka, settings.session_timeout, settings.instance_directory)
    worker: Worker
    duties: list[Callable[[], Coroutine[Any, Any, None]]] = [
        partial(
            monitor_connector,
            generation,
            connect,
            alerts,
            integrity,
            partial(moved, generation, pool, cluster),
        ),
        Surroundings(pool, sink, versions, alerts, generation).watch,
        partial(note_decided, generation, pool, cluster, heartbeats),
        alerts.keep_writing,
        checkpoints.tidy,
        partial(watch, pool),
        partial(beat, pool, lambda: worker.partitions, recovery.progress),
    ]
    try:
        worker = Worker(options, generation, services, versions, duties, on_error=_limit_end)
    except OSError as error:
        raise Failure(
            f"a worker's name cannot be kept: {error.filename}: {error.strerror}",
            hint="Set BADGES_INSTANCE_DIRECTORY to a folder that it may write to",
        ) from None
    return worker
