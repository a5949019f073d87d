"""What Postgres, Kafka and Connect say of how far behind the awards are, each within its time."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal, TypeAlias

from aiokafka.errors import KafkaError
from msgspec import Struct, field
from msgspec.structs import replace

from sinks.errors import StoreError
from sinks.failures import translated
from sinks.pool import Connection, Pool
from streams.errors import ConnectAway, ConnectRefused
from streams.lag.backfill import Backfill, backfill
from streams.lag.backlog import Backlog, backlog, unexplained, without_marks
from streams.lag.fill_progress import Filling, filling
from streams.log import generations
from streams.log.cluster import Cluster, Member
from streams.log.connect import Connect
from streams.log.connector_monitor import Outage, outage
from streams.log.debezium import committed_at
from streams.log.generations import Generation
from streams.log.heartbeats import Heartbeats
from streams.log.wal import insert_lsn, read_slot

State: TypeAlias = Literal["ok", "behind", "stopped", "missing", "unreachable"]

_DATABASE_S = 3.0
"""How long Postgres may take of the time for a measurement: the others are asked after it."""

_NOT_MIGRATED = ("42P01", "42703", "42883", "3F000")
"""SQLSTATEs of a database without our tables, columns, functions or schema."""

_ALERTS = """
SELECT k AS kind, (SELECT min(at) FROM badge_alerts a
                   WHERE a.kind = k AND a.resolved_at IS NULL) AS since
FROM badges_private.open_alerts() AS k ORDER BY k
"""
"""Since when is not told to those who may not read the alerts themselves."""


class Clients(Struct, frozen=True):
    """Whom is asked: clients that are kept from one measurement to the next.

    `database` and `kafka` are where they are, for people.
    """

    pool: Pool
    cluster: Cluster
    connect: Connect
    heartbeats: Heartbeats
    database: str
    kafka: str


class DatabaseAnswer(Struct, frozen=True):
    """What Postgres says. `slot`, and in bytes of WAL the next two, are the slot's.

    `reason` says why it says nothing, or that the slot is missing. `now` and what is older may be
    those of an earlier answer where it does not answer any more.
    """

    answers: bool = False
    now: datetime | None = None
    generation: Generation | None = None
    alerts: Mapping[str, datetime | None] = field(default_factory=dict)
    live_at: datetime | None = None
    decided_until: datetime | None = None
    slot: State = "missing"
    confirmed: int = 0
    unconfirmed: int | None = None
    backfill: Backfill | None = None
    filling: Filling | None = None
    reason: str = ""


class KafkaAnswer(Struct, frozen=True):
    """What Kafka says. `oldest` are commit times by partition of what is next to be decided.

    `explained` are partitions that wait while an open alert says why they do.
    """

    state: State = "unreachable"
    waiting: Backlog | None = None
    oldest: Mapping[int, datetime | None] = field(default_factory=dict)
    heartbeat: datetime | None = None
    members: Sequence[Member] = ()
    filled: int | None = None
    explained: frozenset[int] = frozenset()
    reason: str = ""


async def ask_database(clients: Clients, limit: float) -> DatabaseAnswer:
    """Everything that Postgres says; where it does not answer, why, and nothing else."""
    limit = min(limit, _DATABASE_S)
    try:
        with translated():
            async with _session(clients.pool, limit) as connection:
                return await _asked(connection)
    except StoreError as error:
        if error.sqlstate in _NOT_MIGRATED:
            return DatabaseAnswer(
                reason=f"the database {clients.database} lacks what it must have: run "
                f"`badges migrate` ({error})"
            )
        return DatabaseAnswer(
            slot="unreachable",
            reason=f"Postgres at {clients.database} cannot be asked: {error}. See that it runs, "
            "and accepts the user and password of BADGES_DATABASE_URL",
        )


@asynccontextmanager
async def _session(pool: Pool, limit: float) -> AsyncIterator[Connection]:
    """A connection that is broken off where its questions take longer than `limit` seconds.

    To cancel a statement means to wait for the server, and one that hangs says nothing to that.
    """
    clock = asyncio.get_running_loop()
    until = clock.time() + limit
    try:
        async with asyncio.timeout_at(until):
            connection = await pool.acquire()
    except TimeoutError:
        raise TimeoutError(f"no connection within {limit:g} s") from None
    ending = clock.call_at(until, connection.terminate)
    try:
        yield connection
    except asyncio.CancelledError:
        connection.terminate()
        raise
    finally:
        ending.cancel()
        await pool.release(connection)


async def _asked(connection: Connection) -> DatabaseAnswer:
    generation = await generations.live(connection) or await generations.newest(connection)
    alerts = {row["kind"]: row["since"] for row in await connection.fetch(_ALERTS)}
    now = await connection.fetchval("SELECT clock_timestamp()")
    database = DatabaseAnswer(True, now, generation, alerts, filling=await filling(connection))
    if generation is None:
        return replace(database, reason="there is no log: run `badges provision`")
    slot = await read_slot(connection, generation.slot)
    written = await insert_lsn(connection)
    if slot is None or slot.wal_status == "lost":
        reason = (
            f"the replication slot {generation.slot} is gone, or has lost WAL: `badges "
            "resnapshot` makes a new generation of the log"
        )
    else:
        database, reason = replace(database, slot="ok"), ""
    times = await connection.fetchrow(
        "SELECT live_at, decided_until FROM badge_logs WHERE log_id = $1", generation.log_id
    )
    return replace(
        database,
        reason=reason,
        live_at=times["live_at"] if times else None,
        decided_until=times["decided_until"] if times else None,
        confirmed=(slot.confirmed or 0) if slot else 0,
        unconfirmed=max(written - slot.confirmed, 0) if slot and slot.confirmed else None,
        backfill=await backfill(connection, generation.log_id),
    )


async def ask_kafka(clients: Clients, database: DatabaseAnswer, limit: float) -> KafkaAnswer:
    """Everything that Kafka says, in this order: what was committed before the heartbeat lies
    before the ends. Where it does not answer, why.
    """
    try:
        return await _asked_kafka(clients, database, limit)
    except (KafkaError, OSError) as error:
        return unreachable(clients, str(error) or type(error).__name__)
    except StoreError as error:
        return KafkaAnswer(
            "behind", reason=f"Postgres does not say where the positions are: {error}"
        )


def unreachable(clients: Clients, why: str) -> KafkaAnswer:
    return KafkaAnswer(
        reason=f"Kafka at {clients.kafka} cannot be asked: {why}. See that it runs, and that "
        "BADGES_KAFKA_BOOTSTRAP and the other settings for Kafka are right"
    )


async def _asked_kafka(clients: Clients, database: DatabaseAnswer, limit: float) -> KafkaAnswer:
    cluster, generation = clients.cluster, database.generation
    filling = database.filling
    names = [generation.topic, generation.heartbeat_topic] if generation else []
    topics = await cluster.topics([*names, *([filling.topic] if filling else [])])
    filled = None
    if filling and filling.topic in topics:
        filled = sum(await cluster.ends(topics[filling.topic]))
    if generation is None:
        return KafkaAnswer("ok", filled=filled)
    topic = topics.get(generation.topic)
    if topic is None:
        reason = f"the topic {generation.topic} is gone: `badges resnapshot` makes a new one"
        return KafkaAnswer("missing", filled=filled, reason=reason)
    members = await cluster.members(generation.group)
    if not database.answers:
        return KafkaAnswer("ok", members=members, filled=filled)
    heartbeat = None
    if generation.heartbeat_topic in topics:
        heartbeat = await clients.heartbeats.newest(generation.heartbeat_topic, database.confirmed)
    with translated():
        async with _session(clients.pool, limit) as connection:
            waiting = await backlog(generation, connection, cluster)
            explained = waiting.waits - set(await unexplained(connection, sorted(waiting.waits)))
    waiting, values = await without_marks(waiting, topic, cluster)
    oldest = {number: committed_at(value) for number, value in values.items()}
    # One that was killed stays in the group for its session.
    members = members if waiting.sessions else []
    return KafkaAnswer("ok", waiting, oldest, heartbeat, members, filled, frozenset(explained))


async def ask_connect(
    clients: Clients, generation: Generation | None, limit: float
) -> Outage | None:
    """Why the connector does not run; without a generation, whether Connect answers at all."""
    try:
        async with asyncio.timeout(limit):
            if generation is not None:
                return await outage(generation, clients.connect)
            await clients.connect.connectors()
    except (ConnectAway, ConnectRefused) as error:
        return Outage("connect_away", f"{error}. No new rows arrive until it answers.")
    except TimeoutError:
        return Outage(
            "connect_away",
            f"Kafka Connect at {clients.connect.place} does not answer within {limit:.0f} s. See "
            "that it runs; no new rows arrive until it answers.",
        )
    return None
