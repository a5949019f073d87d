"""Many mentors with random histories, in a database and as the fold has them, and random rules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID, uuid4

from sinks.pool import Connection
from tables.criteria.base import Criterion
from tables.criteria.condition import Condition
from tables.ledger import Ledger
from tables.types import Activity, Award, Day, Pause, TrainingCompletion
from tests.builders import Storyteller

KEYS = ("k0", "k1", "k2", "k3", "k4", "k5")
FAR = (-2_440_588, -719_163, -719_162, -800_000, -1, 2_932_896, 2_932_897, 2_145_042_905)
"""Days at the edges of calendars: Postgres', Python's and ours."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class History:
    """One mentor as the fold has them, and the definitions that keys name for them."""

    ledger: Ledger
    keys: Mapping[str, str]


@dataclass
class Histories:
    """The mentors by id, and what of them is to be loaded."""

    by_mentor: dict[str, History] = field(default_factory=dict)
    mentors: list[tuple[str, str]] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    trainings: list[TrainingCompletion] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    awards: list[Award] = field(default_factory=list)


class _Historian(Storyteller):
    """Makes up what one mentor's tables hold, and rules like those of stories."""

    def __init__(self, random: Random, mentor_id: str) -> None:
        super().__init__(random, days=random.choice([60, 60, 400, 2000]))
        self._mentor_id = mentor_id
        self._far = random.random() < 0.1

    def _day(self) -> Day:
        if self._far and self._random.random() < 0.2:
            day = self._random.choice(FAR) + self._random.randrange(-2, 3)
            return min(max(day, FAR[0]), FAR[-1])
        return super()._day()

    def rows(self) -> Iterator[Activity | TrainingCompletion | Pause]:
        """Rows of all kinds; some mentors have few, some none."""
        random = self._random
        for make, most in ((self._activity, 60), (self._training, 6), (self._pause, 4)):
            for _ in range(random.randint(0, random.choice([0, 4, most]))):
                row = make(str(uuid4()))
                row.peer_mentor_id = self._mentor_id
                if isinstance(row, Pause) and row.ends_on is not None:
                    row.ends_on = min(max(row.ends_on, FAR[0]), FAR[-1])
                yield row

    def award(self, definition_id: str) -> Award:
        """An award, revoked or not."""
        return Award(
            str(uuid4()),
            self._mentor_id,
            definition_id,
            NOW,
            revoked_by=self._random.choice([None, None, "rule", "bo"]),
            earned_on=super()._day(),
        )


class RuleTeller(Storyteller):
    """Makes up one rule."""

    def rule(self) -> tuple[dict[str, Any], Day | None]:
        """Criteria, and from which day rows count."""
        since = self._day() if self._random.random() < 0.4 else None
        return {"version": 1, **self._criteria()}, since


def make_up(
    random: Random, organizations: Mapping[str, Mapping[str, str]], number: int
) -> Histories:
    """So many mentors; of each organization, by id, the definitions that keys name there."""
    made = Histories()
    for _ in range(number):
        mentor_id = str(uuid4())
        organization_id = random.choice(sorted(organizations))
        keys = organizations[organization_id]
        historian, ledger = _Historian(random, mentor_id), Ledger(mentor_id)
        made.mentors.append((mentor_id, organization_id))
        made.by_mentor[mentor_id] = History(ledger, keys)
        for row in historian.rows():
            match row:
                case Activity():
                    ledger.put_activity(row)
                    made.activities.append(row)
                case TrainingCompletion():
                    ledger.put_training(row)
                    made.trainings.append(row)
                case Pause():
                    ledger.put_pause(row)
                    made.pauses.append(row)
        everywhere = {each for keys in organizations.values() for each in keys.values()}
        for definition_id in sorted(everywhere):
            if random.random() < 0.4:
                award = historian.award(definition_id)
                ledger.put_award(award)
                made.awards.append(award)
    return made


async def define(db: Connection, random: Random) -> dict[str, dict[str, str]]:
    """Two organizations: of each, by id, the definitions that keys name for its mentors."""
    named: dict[str, dict[str, str]] = {}
    for slug in ("a", "b"):
        organization_id = await db.fetchval(
            "INSERT INTO organizations (slug) VALUES ($1) RETURNING id", slug
        )
        named[str(organization_id)] = {}
    for key in KEYS:
        for owner in (None, *named):
            if random.random() < 0.5:
                continue
            definition_id = await db.fetchval(
                "INSERT INTO badge_definitions (organization_id, key, criteria, status) "
                "VALUES ($1, $2, '{}', $3) RETURNING id",
                owner and UUID(owner),
                key,
                random.choice(["draft", "active", "retired"]),
            )
            for organization_id in [owner] if owner else named:
                named[organization_id][key] = str(definition_id)
    return named


async def load(db: Connection, made: Histories) -> None:
    """Insert everything. Types may be as long as an application's own table would let them be."""
    await db.execute("ALTER TABLE activities DROP CONSTRAINT activities_activity_type_check")
    await db.execute("ALTER TABLE mentor_pauses DROP CONSTRAINT mentor_pauses_check")
    for name in ("activities", "badge_awards"):
        await db.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
    await db.executemany(
        "INSERT INTO peer_mentors (id, organization_id) VALUES ($1, $2)", made.mentors
    )
    day = "date '1970-01-01' + "
    await db.executemany(
        "INSERT INTO activities "
        "(id, peer_mentor_id, activity_type, activity_date, duration_minutes) "
        f"VALUES ($1, $2, $3, {day} $4::int, $5)",
        [
            (row.id, row.peer_mentor_id, row.activity_type, row.activity_date, row.duration_minutes)
            for row in made.activities
        ],
    )
    await db.executemany(
        "INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on) "
        f"VALUES ($1, $2, $3, {day} $4::int)",
        [(row.id, row.peer_mentor_id, row.course_code, row.completed_on) for row in made.trainings],
    )
    await db.executemany(
        "INSERT INTO mentor_pauses (id, peer_mentor_id, starts_on, ends_on) "
        f"VALUES ($1, $2, {day} $3::int, {day} $4::int)",
        [(row.id, row.peer_mentor_id, row.starts_on, row.ends_on) for row in made.pauses],
    )
    await db.executemany(
        "INSERT INTO badge_awards (id, peer_mentor_id, badge_definition_id, earned_at, earned_on, "
        f"revoked_by, revoked_at, changed_by) VALUES ($1, $2, $3, $4, {day} $5::int, $6, $7, 'me')",
        [
            (
                row.id,
                row.peer_mentor_id,
                row.badge_definition_id,
                row.earned_at,
                row.earned_on,
                row.revoked_by,
                NOW if row.revoked_by else None,
            )
            for row in made.awards
        ],
    )
    await db.execute("ANALYZE")


Standings = dict[str, tuple[int, bool, Day | None]]
"""By path: how much there is, whether it holds, and since when."""


def standings(criteria: Criterion, since: Day | None, history: History) -> Standings:
    """What the fold says of a mentor."""
    condition = criteria.condition(since, history.keys)
    found = dict(_standings(condition, history.ledger, "$"))
    for place, (_, reached) in enumerate(criteria.steps(since)):
        found[f"$.tiers[{place}]"] = _standing(reached, history.ledger)
    return found


def _standings(
    condition: Condition, ledger: Ledger, path: str
) -> Iterator[tuple[str, tuple[int, bool, Day | None]]]:
    yield path, _standing(condition, ledger)
    for index, part in enumerate(condition.parts):
        yield from _standings(part, ledger, f"{path}.of[{index}]")


def _standing(condition: Condition, ledger: Ledger) -> tuple[int, bool, Day | None]:
    holds = condition.holds(ledger)
    return condition.amount_so_far(ledger), holds, condition.day(ledger) if holds else None
