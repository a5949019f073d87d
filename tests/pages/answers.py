"""Answers of GET /v1/status, as the API would write them, for looks at the page in each state."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter

from badges.api.history import Sample
from badges.api.overview import Minute, Unlocks
from badges.api.status import Alert, Status, WaitingCount
from badges.queries.overview import AwardSeconds, Definitions, LastAudit
from badges.remedies import remedy_of
from sinks.alerts import AlertKind
from streams.lag.backfill import Backfill
from streams.lag.stages import CatchUp, GenerationState, Lag, PartitionLag, Stage
from streams.log.cluster import Member
from tables.languages import Language

PARTITIONS = 12
KINDS: tuple[AlertKind, ...] = ("nobody_works", "write_refused", "dead_letters")

GOOD = Lag(
    on_time=True,
    behind_seconds=0.0,
    behind_records=0,
    as_of=datetime.now(UTC),
    stages=[
        Stage("slot", "ok", 0.0, 5216),
        Stage("connector", "ok", 0.0),
        Stage("kafka", "ok", 0.0, behind_records=0),
        Stage("worker", "ok", 0.0, behind_records=0),
    ],
    partitions=[PartitionLag(number, 100, 100, 0, 0.0) for number in range(PARTITIONS)],
    workers=[Member("badges-1", "127.0.0.1", [*range(PARTITIONS)])],
    backfill=None,
    generation=GenerationState(1, "live"),
    alerts=[],
)
LATE = replace(
    GOOD,
    on_time=False,
    behind_seconds=16.8,
    behind_records=214,
    stages=[
        *GOOD.stages[:2],
        Stage("kafka", "behind", 16.8, behind_records=214),
        Stage("worker", "stopped", 16.8, None, 214, "no worker is connected"),
    ],
    partitions=[
        PartitionLag(number, 100, 100 + number, number, 1.4 * number)
        for number in range(PARTITIONS)
    ],
    workers=[],
    backfill=Backfill(1, 3, PARTITIONS, 12.5),
    alerts=[*KINDS],
    stage="worker",
    catch_up=CatchUp(214, 20.0, 10.7),
)
KAFKA_AWAY = replace(
    LATE,
    behind_seconds=None,
    behind_records=None,
    stages=[
        *(replace(each, behind_seconds=None) for each in GOOD.stages[:2]),
        Stage("kafka", "unreachable", None, message="Kafka cannot be asked"),
        Stage("worker", "behind", None),
    ],
    partitions=[],
    alerts=["log_unreachable"],
    stage="kafka",
    catch_up=None,
)
POSTGRES_AWAY = replace(
    KAFKA_AWAY,
    stages=[
        Stage("slot", "unreachable", None, message="Postgres cannot be asked"),
        Stage("connector", "ok", None),
        Stage("kafka", "ok", None),
        Stage("worker", "behind", None),
    ],
    workers=GOOD.workers,
    backfill=None,
    alerts=[],
    stage="slot",
)


def status(lag: Lag | None, language: Language = "en") -> Status:
    """What the API would answer with this measurement, and nothing of Postgres without one."""
    now = datetime.now(UTC)
    counted = lag is not None and lag.behind_records is not None
    postgres = lag is not None and lag.stages[0].state != "unreachable"
    per_minute = [Minute(now - timedelta(minutes=each), 14) for each in range(30)]
    return Status(
        at=now,
        measured_at=now if lag else None,
        lag=lag,
        unlocks=Unlocks(37, per_minute) if postgres else None,
        award_seconds=AwardSeconds(0.048, 0.132, 412) if postgres else None,
        events_per_minute=186.0 if counted else None,
        history=[_sample(now - timedelta(seconds=5 * ago), ago) for ago in range(179, -1, -1)],
        dead_letters=WaitingCount(3),
        refused_writes=WaitingCount(1) if postgres else None,
        definitions=Definitions(14, 2, 1, 1, 1) if postgres else None,
        last_audit=LastAudit(now - timedelta(days=1), {"missing": 1}) if postgres else None,
        alerts=[_alert(kind, now, language) for kind in (lag.alerts if lag else ())],
    )


def as_json(answer: Status) -> str:
    """The answer's body."""
    return TypeAdapter(Status).dump_json(answer).decode()


def _sample(at: datetime, ago: int) -> Sample:
    """Nothing was behind but for a while, of which nothing is known in the middle."""
    seconds = max(0.0, 8 - abs(ago - 90) / 4)
    known = None if 88 <= ago <= 92 else seconds
    return Sample(
        at,
        {"slot": 0.0, "connector": 0.0, "kafka": known, "worker": known},
        {number: None if known is None else known * number / 11 for number in range(PARTITIONS)},
    )


def _alert(kind: str, now: datetime, language: Language) -> Alert:
    remedy = remedy_of(kind)
    what, todo = remedy.what(language), remedy.todo(language)
    return Alert(kind, now, 1, what, todo, remedy.command, remedy.page)
