"""What a worker counts: every metric that it exposes, by name. docs/metrics.md is made from it.

What has a closed set of values as a label exposes each of them from the beginning, so that a rate
over the first one counts.
"""

from typing import Final, Literal, TypeAlias, get_args

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tables.decisions import Kind, Source

_DroppedFor: TypeAlias = Literal["overtaken", "gone"]
SetAsideFor: TypeAlias = Literal["unreadable", "no_row", "value"]
"""Not to be read at all or of no table of the log; of a row without an id; wrong in a column."""
Tried: TypeAlias = Literal[
    "restore", "read", "write", "set_aside", "look_at_columns", "read_rules", "tell_evaluator"
]
"""What a partition tries until it succeeds."""
_RestoredFrom: TypeAlias = Literal["checkpoint", "log"]

# When a series began is no series of its own: it would be a second one for each.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


def process_registry() -> CollectorRegistry:
    """What one kind of process exposes; at first, what Prometheus' clients tell of any process."""
    registry = CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)
    prometheus_client.PlatformCollector(registry=registry)
    prometheus_client.GCCollector(registry=registry)
    return registry


WORKER: Final = process_registry()
"""What a worker serves."""

COMMIT_TO_AWARD = Histogram(
    "badges_commit_to_award_seconds",
    "From the commit of the row that caused an award to the commit of the award, or of its "
    "promotion, revocation or restoration.",
    unit="seconds",
    registry=WORKER,
    buckets=(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
AWARDS = Counter(
    "badges_awards",
    "Rows of badge_awards that the rule really changed, by what happened to them and by what "
    "caused that: a row (stream), or a new version or the log's start (replay).",
    ["kind", "source"],
    registry=WORKER,
)
DECISIONS = Counter(
    "badges_decisions",
    "What the rules decided, by what is to happen to an award.",
    ["kind"],
    registry=WORKER,
)
DROPPED = Counter(
    "badges_decisions_dropped",
    "Decisions that were not written: a person had changed the award first (overtaken), or what "
    "they are about was deleted meanwhile (gone).",
    ["reason"],
    registry=WORKER,
)
REFUSED = Counter(
    "badges_writes_refused",
    "What was decided and has to wait, because Postgres refused to write it.",
    registry=WORKER,
)
RECORDS = Counter(
    "badges_records_folded",
    "Records of the mentor log that were folded and whose position is written.",
    registry=WORKER,
)
BATCH_RECORDS = Histogram(
    "badges_batch_records",
    "Records of a partition that one fetch brought.",
    registry=WORKER,
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000),
)
FOLD_SECONDS = Histogram(
    "badges_fold_seconds",
    "How long the records of one fetch took to fold and to decide, without waiting for anything.",
    unit="seconds",
    registry=WORKER,
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
TURNS = Counter(
    "badges_turns_written", "Transactions that moved a partition's position.", registry=WORKER
)
TURN_SECONDS = Histogram(
    "badges_turn_write_seconds",
    "From the first attempt to write a turn to its commit.",
    unit="seconds",
    registry=WORKER,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)
FENCED = Counter(
    "badges_turns_fenced",
    "Turns that were not written because another worker had moved the position.",
    registry=WORKER,
)
RETRIES = Counter(
    "badges_retries",
    "Attempts that failed because something was away, by what was tried.",
    ["what"],
    registry=WORKER,
)
DEAD_LETTERS = Counter(
    "badges_dead_letters",
    "Records set aside in the dead-letter topic: nothing of them can be read, or no table of the "
    "log (unreadable); not which row it is (no_row); or not what a column says (value).",
    ["reason"],
    registry=WORKER,
)
CATCHING_UP = Gauge(
    "badges_catching_up_partitions",
    "Partitions whose state is being read, from a checkpoint or the log.",
    registry=WORKER,
)
RESTORE_SECONDS = Histogram(
    "badges_partition_restore_seconds",
    "How long it took to hold what a partition taken up came to, and where that came from.",
    ["source"],
    unit="seconds",
    registry=WORKER,
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
CHECKPOINT_BYTES = Gauge(
    "badges_checkpoint_bytes",
    "The size of a partition's checkpoint.",
    ["partition"],
    unit="bytes",
    registry=WORKER,
)
CHECKPOINT_SECONDS = Histogram(
    "badges_checkpoint_seconds",
    "How long a checkpoint took until it was on the disk.",
    unit="seconds",
    registry=WORKER,
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
NEXT_OFFSET = Gauge(
    "badges_next_offset", "The next offset to decide.", ["partition"], registry=WORKER
)
MENTORS = Gauge("badges_mentors", "Ledgers held in memory.", ["partition"], registry=WORKER)
ALERTS_OPEN = Gauge(
    "badges_alerts_open",
    "Alerts that are open, by their kind (operating/alerts.md). The API tells of the rows of "
    "badge_alerts; a worker only of what it could not write there yet.",
    ["kind"],
    registry=WORKER,
)

for _kind in get_args(Kind):
    DECISIONS.labels(_kind)
    for _source in get_args(Source):
        AWARDS.labels(_kind, _source)
for _metric, _values in (
    (DROPPED, _DroppedFor),
    (DEAD_LETTERS, SetAsideFor),
    (RETRIES, Tried),
    (RESTORE_SECONDS, _RestoredFrom),
):
    for _value in get_args(_values):
        _metric.labels(_value)
