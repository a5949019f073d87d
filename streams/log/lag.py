"""How far behind the database the awards are, stage by stage, and what holds them up.

Everything is measured by Postgres' clock: the time of a row is that of its commit, which the log
carries, and now is what the same server says. So no other clock can make it wrong.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from sinks.alerts import BREAKS, OUTAGES, OutageKind
from sinks.failures import translated
from sinks.pool import Executor
from streams.log import generations
from streams.log.backfill import Backfill, backfill
from streams.log.backlog import Backlog, backlog
from streams.log.cluster import Cluster, KafkaError, Member
from streams.log.connect import Connect
from streams.log.connector_monitor import Outage, outage
from streams.log.debezium import committed_at
from streams.log.generations import Generation
from streams.log.heartbeats import Heartbeats
from streams.log.wal import insert_lsn, read_slot

_TIMEOUT_S = 5.0
_FRESH_S = 5.0
"""One so young tells that the chain lives and holds nothing back.

A heartbeat comes each second, and the one after it moves what Connect confirms each second: the
newest that is confirmed was found 1.3 to 3.2 s old on a busy machine.
"""

State: TypeAlias = Literal["ok", "behind", "stopped", "missing", "unreachable"]

_OUTAGE_STATES: Mapping[OutageKind, State] = {
    "connect_away": "unreachable",
    "connector_missing": "missing",
}
"""What Connect says, in a word; every other outage is a connector that is stopped."""

_NOT_ON_TIME = frozenset({*BREAKS, *OUTAGES, "log_unreachable", "nobody_works"})
"""Alerts during which nothing is on time, whatever is measured."""


@dataclass(frozen=True)
class Stage:
    """One part of the way, and how far behind is what waits there; None: not known.

    Bytes are told of the slot, records of Kafka and the worker.
    """

    name: Literal["slot", "connector", "kafka", "worker"]
    state: State
    behind_seconds: float | None
    behind_bytes: int | None = None
    behind_records: int | None = None
    message: str = ""


@dataclass(frozen=True)
class PartitionLag:
    partition: int
    next_offset: int
    end_offset: int
    behind_records: int
    behind_seconds: float | None


@dataclass(frozen=True)
class GenerationState:
    number: int
    state: generations.State


@dataclass(frozen=True)
class Lag:
    """`behind_seconds` is now less the commit time of the oldest row that is not decided yet.

    0 when there is none. Where rows may be under way that nobody can see yet it is how old the
    oldest of them can be at most; None when not even that is known.
    """

    on_time: bool
    behind_seconds: float | None
    behind_records: int | None
    as_of: datetime | None
    stages: list[Stage]
    partitions: list[PartitionLag]
    workers: list[Member]
    backfill: Backfill | None
    generation: GenerationState | None
    alerts: list[str]

    @property
    def unreachable(self) -> list[str]:
        """The stages that do not answer."""
        return [stage.name for stage in self.stages if stage.state == "unreachable"]


class _Database(Struct, frozen=True):
    """What Postgres says. `slot`, and in bytes of WAL the next two, are the slot's."""

    now: datetime
    alerts: Sequence[str]
    decided_until: datetime | None = None
    slot: State = "missing"
    confirmed: int = 0
    unconfirmed: int | None = None
    backfill: Backfill | None = None


class _Kafka(Struct, frozen=True):
    """What Kafka says. `oldest` are commit times by partition of what is next to be decided."""

    state: State = "unreachable"
    waiting: Backlog | None = None
    oldest: Mapping[int, datetime | None] = field(default_factory=dict)
    heartbeat: datetime | None = None
    members: Sequence[Member] = ()


class Parts(Struct, frozen=True):
    """Whom is asked: clients that are kept from one measurement to the next."""

    connection: Executor
    cluster: Cluster
    connect: Connect
    heartbeats: Heartbeats


async def measure(parts: Parts, on_time_s: float) -> Lag:
    """Measure once, within some seconds. On time is what is behind by `on_time_s` at most.

    Raises StoreError when Postgres does not answer: without it nothing is known.
    """
    with translated():
        async with asyncio.timeout(_TIMEOUT_S):
            generation = await generations.live(parts.connection)
            generation = generation or await generations.newest(parts.connection)
            database = await _ask_database(parts.connection, generation)
    if generation is None:
        return _told(None, database, _Kafka("missing"), None, on_time_s)
    kafka, out = await asyncio.gather(
        _ask_kafka(parts, generation, database.confirmed), outage(generation, parts.connect)
    )
    return _told(generation, database, kafka, out, on_time_s)


async def _ask_database(connection: Executor, generation: Generation | None) -> _Database:
    alerts = await connection.fetch("SELECT kind FROM badges_private.open_alerts() AS kind")
    now = await connection.fetchval("SELECT clock_timestamp()")
    database = _Database(now, alerts=[row["kind"] for row in alerts])
    if generation is None:
        return database
    slot = await read_slot(connection, generation.slot)
    lost = slot is None or slot.wal_status == "lost"
    written = await insert_lsn(connection)
    return replace(
        database,
        decided_until=await connection.fetchval(
            "SELECT decided_until FROM badge_logs WHERE log_id = $1", generation.log_id
        ),
        slot="missing" if lost else "ok",
        confirmed=(slot.confirmed or 0) if slot else 0,
        unconfirmed=max(written - slot.confirmed, 0) if slot and slot.confirmed else None,
        backfill=await backfill(connection, generation.log_id),
    )


async def _ask_kafka(parts: Parts, generation: Generation, confirmed: int) -> _Kafka:
    """In this order: what was committed before the heartbeat lies before the ends."""
    cluster = parts.cluster
    try:
        with translated():
            async with asyncio.timeout(_TIMEOUT_S):
                topics = await cluster.topics([generation.topic, generation.heartbeat_topic])
                if generation.topic not in topics:
                    return _Kafka("missing")
                heartbeat = None
                if generation.heartbeat_topic in topics:
                    heartbeat = await parts.heartbeats.newest(generation.heartbeat_topic, confirmed)
                waiting = await backlog(generation, parts.connection, cluster)
                next_up = {
                    n: waiting.positions[n] for n, behind in waiting.behind.items() if behind
                }
                values = (
                    await cluster.values_at(topics[generation.topic], next_up) if next_up else {}
                )
                workers = await cluster.members(f"{generation.prefix}-worker")
    except (KafkaError, OSError):
        return _Kafka("unreachable")
    oldest = {number: committed_at(value) for number, value in values.items()}
    return _Kafka("ok", waiting, oldest, heartbeat, workers if waiting.sessions else ())


def _told(
    generation: Generation | None,
    database: _Database,
    kafka: _Kafka,
    out: Outage | None,
    on_time_s: float,
) -> Lag:
    partitions = _partitions(kafka, database.now)
    unsent = _unsent(database, kafka)
    undecided = _undecided(partitions, database, kafka)
    behind = (
        _since(database.decided_until, database.now)
        if unsent is None or undecided is None
        else max(unsent, undecided)
    )
    records = sum(each.behind_records for each in partitions) if kafka.waiting else None
    stages = [
        Stage("slot", _slot(database, unsent, on_time_s), unsent, database.unconfirmed),
        Stage(
            "connector",
            _connector(generation, out, unsent, on_time_s),
            unsent,
            message=out.message if out else "",
        ),
        Stage("kafka", kafka.state, undecided, behind_records=records),
        Stage("worker", _worker(generation, kafka, behind, on_time_s), behind, None, records),
    ]
    return Lag(
        on_time=(
            generation is not None
            and generation.state == "live"
            and all(stage.state == "ok" for stage in stages)
            and _NOT_ON_TIME.isdisjoint(database.alerts)
        ),
        behind_seconds=behind,
        behind_records=records,
        as_of=database.decided_until,
        stages=stages,
        partitions=partitions,
        workers=list(kafka.members),
        backfill=database.backfill,
        generation=GenerationState(generation.number, generation.state) if generation else None,
        alerts=list(database.alerts),
    )


def _slot(database: _Database, unsent: float | None, on_time_s: float) -> State:
    return _late(unsent, on_time_s) if database.slot == "ok" else database.slot


def _connector(
    generation: Generation | None, out: Outage | None, unsent: float | None, on_time_s: float
) -> State:
    if generation is None:
        return "missing"
    return _OUTAGE_STATES.get(out.kind, "stopped") if out else _late(unsent, on_time_s)


def _worker(
    generation: Generation | None, kafka: _Kafka, behind: float | None, on_time_s: float
) -> State:
    if generation is None:
        return "missing"
    stopped = kafka.waiting is not None and kafka.waiting.sessions == 0
    return "stopped" if stopped else _late(behind, on_time_s)


def _late(seconds: float | None, on_time_s: float) -> State:
    return "ok" if seconds is not None and seconds <= on_time_s else "behind"


def _seconds(now: datetime, then: datetime) -> float:
    return round(max((now - then).total_seconds(), 0.0), 3)


def _since(then: datetime | None, now: datetime) -> float | None:
    return None if then is None else _seconds(now, then)


def _partitions(kafka: _Kafka, now: datetime) -> list[PartitionLag]:
    if kafka.waiting is None:
        return []
    return [
        PartitionLag(
            number,
            kafka.waiting.positions[number],
            kafka.waiting.positions[number] + behind,
            behind,
            _since(kafka.oldest.get(number), now) if behind else 0.0,
        )
        for number, behind in kafka.waiting.behind.items()
    ]


def _unsent(database: _Database, kafka: _Kafka) -> float | None:
    """How old the oldest row can be at most that is not in Kafka yet."""
    sent = max(filter(None, (kafka.heartbeat, database.decided_until)), default=None)
    if kafka.waiting is None or sent is None:
        return None
    seconds = _seconds(database.now, sent)
    return seconds if seconds > _FRESH_S else 0.0


def _undecided(
    partitions: Sequence[PartitionLag], database: _Database, kafka: _Kafka
) -> float | None:
    """How old the oldest row is that is in Kafka and not decided."""
    if kafka.waiting is None or not partitions:
        return None
    seconds = [each.behind_seconds for each in partitions]
    known = [each for each in seconds if each is not None]
    if len(known) == len(seconds):
        return max(known)
    return _since(database.decided_until, database.now)
