"""The vocabulary: rows of a mentor's log, and what is saved about definitions and organizations.

Field names are the column names of the source and result tables. Ids are UUIDs in canonical text
form (lower case, hyphens), as the log carries them.
"""

from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Day: TypeAlias = int
"""A date as days since 1970-01-01, in 32 bits, as Debezium writes it; `toordinal() - 719163`."""

COUNTED: Final = 200
"""How many characters (code points) of a name count; names that begin alike are one."""

Status: TypeAlias = Literal["draft", "active", "retired"]


def counted(name: str) -> str:
    """A name as it counts."""
    return name[:COUNTED]


class Mentor(Struct):
    """A row of peer_mentors (names never reach the log)."""

    id: str
    organization_id: str
    active: bool


class Activity(Struct, gc=False):
    """A row of activities."""

    id: str
    peer_mentor_id: str
    activity_type: str
    activity_date: Day
    duration_minutes: int | None = None


class TrainingCompletion(Struct, gc=False):
    """A row of training_completions."""

    id: str
    peer_mentor_id: str
    course_code: str
    completed_on: Day


class Pause(Struct, gc=False):
    """A row of mentor_pauses; `ends_on` is inclusive, None while the pause lasts."""

    id: str
    peer_mentor_id: str
    starts_on: Day
    ends_on: Day | None = None


class Award(Struct, gc=False):
    """A row of badge_awards: as found, as people wrote it, or as the fold believes it to be.

    It is revoked exactly when `revoked_by` is set: to "rule", or to who did it. `changed_in` is the
    transaction (source.txId, 32 bits) in which a person last changed the row, if that is known.

    `tier_version` is the version that gave the tier. It, `earned_on` and `tier_earned_on` are None
    in a row whose record is older than these columns. What is no column: `derived_on`, which then
    stands in for `earned_on`.
    """

    id: str
    peer_mentor_id: str
    badge_definition_id: str
    earned_at: datetime
    definition_version: int | None = None
    tier: str | None = None
    tier_earned_at: datetime | None = None
    awarded_by: str = "rule"
    revoked_by: str | None = None
    changed_by: str = "rule"
    changed_in: int | None = None
    earned_on: Day | None = None
    tier_earned_on: Day | None = None
    derived_on: Day | None = None
    tier_version: int | None = None

    @property
    def day(self) -> Day:
        """The date that the award counts by; there is one once the mentor was decided with it."""
        day = self.derived_on if self.earned_on is None else self.earned_on
        assert day is not None
        return day

    def __post_init__(self) -> None:
        """Texts have their first COUNTED characters: the log, unlike the table, has no more."""
        if self.tier is not None:
            self.tier = counted(self.tier)
        if self.revoked_by is not None:
            self.revoked_by = counted(self.revoked_by)
        self.awarded_by = counted(self.awarded_by)
        self.changed_by = counted(self.changed_by)


class DefinitionVersion(Struct, frozen=True):
    """A row of badge_definition_versions: a whole definition as saved once, or its deletion."""

    id: str
    version: int
    saved_at: datetime
    deleted: bool
    organization_id: str | None = None
    key: str = ""
    criteria: str = "{}"
    counts_from: Day | None = None
    revocable: bool = False
    status: Status = "draft"


class OrganizationVersion(Struct, frozen=True):
    """A row of organization_versions: one saved time zone of an organization (IANA name)."""

    id: str
    version: int
    saved_at: datetime
    timezone: str


Version: TypeAlias = DefinitionVersion | OrganizationVersion
"""What is saved about the rules: a whole definition, or an organization's time zone."""

RuleKey: TypeAlias = tuple[str, str]
"""The kind, definition or organization, and the id that a version is of."""

Applied: TypeAlias = dict[RuleKey, int]
"""The version in effect of each."""


def rule_key(version: Version) -> RuleKey:
    """What a version is of."""
    is_definition = isinstance(version, DefinitionVersion)
    return ("definition" if is_definition else "organization"), version.id


class AppliedVersion(Struct, frozen=True):
    """A row of badge_rule_positions, its log aside: where a version took effect in a partition.

    That is before the record at `offset`, in the turn of that number.
    """

    partition: int
    turn: int
    offset: int
    kind: str  # 'definition' or 'organization'
    id: str
    version: int

    @property
    def key(self) -> RuleKey:
        return self.kind, self.id


class Stats(Struct):
    """A row of peer_mentor_stats. Days are `Day`; a run's last period is named by its first day."""

    peer_mentor_id: str
    activity_count: int
    minutes_total: int
    active_days: int
    counts_by_type: dict[str, int]
    training_count: int
    first_activity_on: Day | None
    last_activity_on: Day | None
    day_streak_longest: int
    day_streak_length: int
    day_streak_last_on: Day | None
    week_streak_longest: int
    week_streak_length: int
    week_streak_last_on: Day | None
    month_streak_longest: int
    month_streak_length: int
    month_streak_last_on: Day | None
