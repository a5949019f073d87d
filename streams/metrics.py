"""Every metric that the processes export, by name."""

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("badges_records_folded", "Records of the mentor log that were folded.")
TURNS = Counter("badges_turns_written", "Transactions of the worker.")
TURN_SECONDS = Histogram(
    "badges_turn_write_seconds",
    "From the first attempt to write a turn to its commit.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)
AWARDS = Counter("badges_award_changes", "Rows of badge_awards that the rule changed.")
DROPPED = Counter(
    "badges_decisions_dropped",
    "Decisions not written: overtaken by a person, or about what was deleted meanwhile.",
    ["reason"],
)
REFUSED = Counter("badges_writes_refused", "What was decided and has to wait to be written.")
DEAD_LETTERS = Counter("badges_dead_letters", "Input set aside in the dead-letter topic.")
FENCED = Counter("badges_turns_fenced", "Turns refused because the position had moved.")
RETRIES = Counter("badges_retries", "Attempts that failed because something was away.")
RESTORE_SECONDS = Histogram(
    "badges_partition_restore_seconds",
    "How long it took to hold what a partition taken up came to, and where that came from.",
    ["source"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
CHECKPOINT_BYTES = Gauge(
    "badges_checkpoint_bytes", "The size of a partition's checkpoint.", ["partition"]
)
CHECKPOINT_SECONDS = Histogram(
    "badges_checkpoint_seconds",
    "How long a checkpoint took until it was on the disk.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
NEXT_OFFSET = Gauge("badges_next_offset", "The next offset to decide.", ["partition"])
MENTORS = Gauge("badges_mentors", "Ledgers held in memory.", ["partition"])
BEHIND = Gauge("badges_behind_records", "Records that wait to be decided.", ["partition"])
BACKFILL_DEFINITIONS = Gauge(
    "badges_backfill_definitions",
    "Definitions and time zones whose newest version not every partition has taken up.",
)
BACKFILL_PARTITIONS_DONE = Gauge(
    "badges_backfill_partitions_done", "Partitions that have taken up all newest versions."
)
BACKFILL_SECONDS_LEFT = Gauge(
    "badges_backfill_seconds_left", "Until all have, NaN while that cannot be told."
)
