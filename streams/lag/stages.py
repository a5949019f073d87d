"""How far behind the database the awards are, stage by stage, and what holds them up.

Everything is measured by Postgres' clock: the time of a row is that of its commit, which the log
carries, and now is what the same server says. So no other clock can make it wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from sinks.alerts import BREAKS, OUTAGES, OutageKind
from streams.lag.answers import DatabaseAnswer, KafkaAnswer, State
from streams.lag.backfill import Backfill
from streams.lag.fill_progress import Filling
from streams.lag.pulse import Restoring
from streams.log import generations
from streams.log.cluster import Member
from streams.log.connector_monitor import Outage

_FRESH_S = 5.0
"""One so young tells that the chain lives and holds nothing back.

A heartbeat comes each second, and the one after it moves what Connect confirms each second: the
newest that is confirmed was found 1.3 to 3.2 s old on a busy machine.
"""

_OUTAGE_STATES: Mapping[OutageKind, State] = {
    "connect_away": "unreachable",
    "connector_missing": "missing",
}
"""What Connect says, in a word; every other outage is a connector that is stopped."""

_NOT_ON_TIME = frozenset({*BREAKS, *OUTAGES, "log_unreachable", "nobody_works"})
"""Alerts during which nothing is on time, whatever is measured."""

_StageName: TypeAlias = Literal["slot", "connector", "kafka", "worker"]

_GRAVEST: Sequence[tuple[_StageName, State]] = (
    # Without Postgres or Kafka the others cannot do their part either.
    ("slot", "unreachable"),
    ("kafka", "unreachable"),
    ("slot", "missing"),
    ("connector", "missing"),
    ("connector", "unreachable"),
    ("kafka", "missing"),
    ("connector", "stopped"),
    ("worker", "missing"),
    ("worker", "stopped"),
    ("slot", "behind"),
    ("connector", "behind"),
    ("kafka", "behind"),
    ("worker", "behind"),
)
"""What is looked for first, to say which stage holds up the others."""


@dataclass(frozen=True)
class Stage:
    """One part of the way, and how far behind is what waits there; None: not known.

    Bytes are told of the slot, records of Kafka and the worker.
    """

    name: _StageName
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
class CatchUp:
    """Records that wait, how many fewer there are each second, and how long that lasts.

    The last two are None while they cannot be told: one measurement alone says neither.
    """

    records: int
    records_per_second: float | None
    seconds_left: float | None


@dataclass(frozen=True)
class FillingState:
    """A generation that is being filled, with about `of_rows` rows."""

    number: int
    rows: int | None
    of_rows: int
    seconds_left: float | None


@dataclass(frozen=True)
class Lag:
    """`behind_seconds` is now less the commit time of the oldest row that is not decided yet.

    0 when there is none. Where rows may be under way that nobody can see yet it is how old the
    oldest of them can be at most; None when not even that is known. `stage` is the name of the one
    that holds up the others, None when all is well with each.
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
    stage: _StageName | None = None
    catch_up: CatchUp | None = None
    restoring: list[Restoring] = field(default_factory=list)
    filling: FillingState | None = None
    alerts_since: dict[str, datetime | None] = field(default_factory=dict)

    @property
    def unreachable(self) -> list[str]:
        """The stages that do not answer."""
        return [stage.name for stage in self.stages if stage.state == "unreachable"]


def assemble(
    database: DatabaseAnswer,
    kafka: KafkaAnswer,
    out: Outage | None,
    on_time_s: float,
    *,
    silent: str = "",
    restoring: Sequence[Restoring] = (),
    unwritten: Sequence[str] = (),
) -> Lag:
    """What the parts have said, put together. On time is what is behind by `on_time_s` at most.

    `silent` says that the workers do not get on, if that is so; `unwritten` are alerts that are not
    in the database yet.
    """
    partitions = _partitions(kafka, database.now)
    unsent = _unsent(database, kafka)
    undecided = _undecided(partitions, database, kafka)
    behind = (
        _since(database.decided_until, database.now)
        if unsent is None or undecided is None
        else max(unsent, undecided)
    )
    records = sum(each.behind_records for each in partitions) if kafka.waiting else None
    generation = database.generation
    stages = [
        Stage(
            "slot",
            _slot(database, unsent, on_time_s),
            unsent,
            database.unconfirmed,
            message=database.reason,
        ),
        _connector(database, out, unsent, on_time_s),
        Stage("kafka", kafka.state, undecided, behind_records=records, message=kafka.reason),
        _worker(database, kafka, (behind, records), silent, on_time_s),
    ]
    alerts = {**dict.fromkeys(unwritten), **database.alerts}
    return Lag(
        on_time=(
            generation is not None
            and generation.state == "live"
            and all(stage.state == "ok" for stage in stages)
            and _NOT_ON_TIME.isdisjoint(alerts)
        ),
        behind_seconds=behind,
        behind_records=records,
        as_of=database.decided_until,
        stages=stages,
        partitions=partitions,
        workers=list(kafka.members),
        backfill=database.backfill,
        generation=GenerationState(generation.number, generation.state) if generation else None,
        alerts=sorted(alerts),
        stage=_gravest(stages),
        restoring=list(restoring),
        filling=_filling(database.filling, kafka.filled),
        alerts_since=alerts,
    )


def _filling(filling: Filling | None, rows: int | None) -> FillingState | None:
    if filling is None:
        return None
    left = filling.seconds_left(rows or 0)
    return FillingState(filling.number, rows, filling.of_rows, left)


def _gravest(stages: Sequence[Stage]) -> _StageName | None:
    states = {stage.name: stage.state for stage in stages}
    return next((name for name, found in _GRAVEST if states[name] == found), None)


def _slot(database: DatabaseAnswer, unsent: float | None, on_time_s: float) -> State:
    return _late(unsent, on_time_s) if database.slot == "ok" else database.slot


def _connector(
    database: DatabaseAnswer, out: Outage | None, unsent: float | None, on_time_s: float
) -> Stage:
    # It answers that it runs: what it has sent nobody knows without Postgres.
    state, message = _late(unsent, on_time_s) if database.answers else "ok", ""
    if out is not None:
        state, message = _OUTAGE_STATES.get(out.kind, "stopped"), out.message
    elif database.generation is None and database.answers:
        state = "missing"
    return Stage("connector", state, unsent, message=message)


def _worker(
    database: DatabaseAnswer,
    kafka: KafkaAnswer,
    behind: tuple[float | None, int | None],
    silent: str,
    on_time_s: float,
) -> Stage:
    seconds, records = behind
    state, message = _late(seconds, on_time_s), silent
    if database.generation is None and database.answers:
        state = "missing"
    elif kafka.waiting is not None and kafka.waiting.sessions == 0:
        state, message = "stopped", "no worker is connected: start one with `badges worker`"
    elif silent:
        state = "stopped"
    elif not database.answers:
        state = "behind"
    return Stage("worker", state, seconds, None, records, message)


def _late(seconds: float | None, on_time_s: float) -> State:
    return "ok" if seconds is not None and seconds <= on_time_s else "behind"


def _since(then: datetime | None, now: datetime | None) -> float | None:
    if then is None or now is None:
        return None
    return round(max((now - then).total_seconds(), 0.0), 3)


def _partitions(kafka: KafkaAnswer, now: datetime | None) -> list[PartitionLag]:
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


def _unsent(database: DatabaseAnswer, kafka: KafkaAnswer) -> float | None:
    """How old the oldest row can be at most that is not in Kafka yet."""
    sent = max(filter(None, (kafka.heartbeat, database.decided_until)), default=None)
    seconds = _since(sent, database.now)
    if kafka.waiting is None or seconds is None:
        return None
    return seconds if seconds > _FRESH_S else 0.0


def _undecided(
    partitions: Sequence[PartitionLag], database: DatabaseAnswer, kafka: KafkaAnswer
) -> float | None:
    """How old the oldest row is that is in Kafka and not decided."""
    if kafka.waiting is None or not partitions:
        return None
    seconds = [each.behind_seconds for each in partitions]
    known = [each for each in seconds if each is not None]
    if len(known) == len(seconds):
        return max(known)
    return _since(database.decided_until, database.now)
