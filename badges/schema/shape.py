"""Columns, types and keys of the tables, as the contract has them."""

from dataclasses import dataclass

_TYPES = {"timestamptz": "timestamp with time zone"}

ALIKE = {"text": {"text", "character varying"}, "integer": {"integer", "smallint"}}
"""Types that serve as well: the log and the rules see no difference."""

SOURCE = (
    "organizations: id uuid!, slug text!, name text, timezone text",
    "peer_mentors: id uuid!, organization_id uuid!, display_name text, active boolean",
    "activities: id uuid!, peer_mentor_id uuid!, activity_type text!, activity_date date!, "
    "duration_minutes integer, created_at timestamptz",
    "training_completions: id uuid!, peer_mentor_id uuid!, course_code text!, completed_on date!",
    "mentor_pauses: id uuid!, peer_mentor_id uuid!, starts_on date!, ends_on date",
    "badge_definitions: id uuid!, organization_id uuid, key text!, name text, description text, "
    "icon text, criteria jsonb, counts_from date, revocable boolean, status text, version integer",
)

RESULT = (
    "badge_awards: id uuid!, peer_mentor_id uuid!, badge_definition_id uuid!, "
    "earned_at timestamptz!, earned_on date!, awarded_at timestamptz!, definition_version integer, "
    "tier text, tier_earned_at timestamptz, tier_earned_on date, evidence jsonb!, "
    "awarded_by text!, revoked_at timestamptz, revoked_by text, changed_by text!, changed_xid xid8",
    "badge_award_events: id bigint!, xid xid8!, badge_award_id uuid!, peer_mentor_id uuid!, "
    "badge_definition_id uuid!, kind text!, tier text, at timestamptz!, "
    "definition_version integer, source text!, actor text, reason text",
    "peer_mentor_stats: peer_mentor_id uuid!, activity_count integer!, minutes_total bigint!, "
    "active_days integer!, counts_by_type jsonb!, training_count integer!, "
    "first_activity_on date, last_activity_on date, day_streak_longest integer!, "
    "day_streak_length integer!, day_streak_last_on date, week_streak_longest integer!, "
    "week_streak_length integer!, week_streak_last_on date, month_streak_longest integer!, "
    "month_streak_length integer!, month_streak_last_on date, updated_at timestamptz!",
    "badge_definition_versions: id uuid!, version integer!, saved_at timestamptz!, saved_by text!, "
    "deleted boolean!, organization_id uuid, key text, name text, description text, icon text, "
    "criteria jsonb, counts_from date, revocable boolean, status text",
    "organization_versions: id uuid!, version integer!, saved_at timestamptz!, saved_by text!, "
    "timezone text!",
    "badge_logs: log_id text!, generation integer!, topic text!, slot text!, connector text!, "
    "partitions integer!, system_identifier text!, timeline integer!, state text!, "
    "start_lsn pg_lsn, starts bigint[], reason text, created_at timestamptz!, "
    "live_at timestamptz, closed_at timestamptz, kept boolean!, columns jsonb, fingerprint jsonb, "
    "found json, stand_in text",
    "badge_log_positions: log_id text!, partition integer!, next_offset bigint!, turn bigint!, "
    "turn_id uuid, last_offset bigint, last_sequence text, highest_end bigint",
    "badge_rule_positions: kind text!, id uuid!, version integer!, log_id text!, "
    "partition integer!, turn bigint!, offset bigint!",
    "badge_refused_writes: id bigint!, log_id text!, partition integer!, kind text!, "
    "peer_mentor_id uuid!, badge_definition_id uuid, badge_award_id uuid, decision json!, "
    "sqlstate text, message text!, refused_by text, since timestamptz!, tries integer!, "
    "last_at timestamptz!",
    "badge_alerts: id bigint!, kind text!, at timestamptz!, detail jsonb!, resolved_at timestamptz",
    "badge_heartbeats: id integer!, at timestamptz!",
)

ADDED_COLUMNS = ("badge_awards", "badge_logs")
"""Result tables that may be older than this project: missing columns are added."""


@dataclass(frozen=True)
class Column:
    """A column as it must be; `type` is Postgres's own name for it."""

    name: str
    type: str
    not_null: bool

    @property
    def needed(self) -> str:
        """The type and whether it may be null, as SQL."""
        return self.type + (" NOT NULL" if self.not_null else "")


@dataclass(frozen=True)
class Reference:
    """A foreign key to `target`(id); `cascades` when deletes must go through."""

    table: str
    column: str
    target: str
    cascades: bool


REFERENCES = (
    Reference("peer_mentors", "organization_id", "organizations", False),
    Reference("activities", "peer_mentor_id", "peer_mentors", True),
    Reference("training_completions", "peer_mentor_id", "peer_mentors", True),
    Reference("mentor_pauses", "peer_mentor_id", "peer_mentors", True),
    Reference("badge_awards", "peer_mentor_id", "peer_mentors", True),
    Reference("badge_award_events", "peer_mentor_id", "peer_mentors", True),
    Reference("peer_mentor_stats", "peer_mentor_id", "peer_mentors", True),
    Reference("badge_awards", "badge_definition_id", "badge_definitions", True),
)

PRIMARY_KEYS = {
    "peer_mentor_stats": ("peer_mentor_id",),
    "badge_definition_versions": ("id", "version"),
    "organization_versions": ("id", "version"),
    "badge_logs": ("log_id",),
    "badge_log_positions": ("log_id", "partition"),
    "badge_rule_positions": ("log_id", "partition", "kind", "id", "version"),
}
"""Where it is not (id)."""


def tables(lines: tuple[str, ...]) -> dict[str, list[Column]]:
    """The columns that the lines describe, by table; `!` is NOT NULL."""
    return {
        name: [_column(text) for text in columns.split(", ")]
        for name, columns in (line.split(": ", 1) for line in lines)
    }


def _column(text: str) -> Column:
    name, written = text.split(" ", 1)
    kind = written.removesuffix("!")
    return Column(name, _TYPES.get(kind, kind), written.endswith("!"))
