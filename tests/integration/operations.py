"""Seeded random operations on the application's tables, to go on while something breaks.

Two crowds. The storied live random stories (tests.builders): every kind of row comes, changes,
moves and goes in any order, under rules that are edited meanwhile. The counted each get exactly
TALLIES rows, and there is a badge for as many and one for one more: whoever gets that was counted
twice.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from itertools import cycle, islice
from random import Random
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID, uuid5

from tables.types import (
    Activity,
    Award,
    DefinitionVersion,
    Mentor,
    Pause,
    TrainingCompletion,
    Version,
)
from tests.builders import (
    ORGANIZATION,
    OTHER_ORGANIZATION,
    Gone,
    PlainTeller,
    Put,
    Storyteller,
    Took,
)
from tests.integration.pipeline import count_of, criteria_text

TALLIES = 12
"""Rows of each counted mentor."""

EPOCH = date(1970, 1, 1)
NAMESPACE = UUID("0b7f0c52-55a5-4f0e-8f0b-3f1f4c6c7f11")
ENDLESS = 1_000_000


UNBOUNDED = (
    "ALTER TABLE activities DROP CONSTRAINT IF EXISTS activities_activity_type_check",
    "DROP INDEX IF EXISTS activities_mentor_date_type_idx",
    "CREATE INDEX activities_mentor_date_type_idx "
    "ON activities (peer_mentor_id, activity_date, left(activity_type, 200))",
)
"""What makes of our table of activities one without a bound, with the index that it has then."""


class Statement(NamedTuple):
    """A statement and its values. Running it twice is as good as once."""

    sql: str
    values: Sequence[Any]


Transaction: TypeAlias = list[Statement]


class _Table(NamedTuple):
    name: str
    columns: str
    values: Callable[[Any], tuple[Any, ...]]


_TABLES: dict[type, _Table] = {
    Activity: _Table(
        "activities",
        "activity_type, activity_date, duration_minutes",
        lambda row: (row.activity_type, _date(row.activity_date), row.duration_minutes),
    ),
    TrainingCompletion: _Table(
        "training_completions",
        "course_code, completed_on",
        lambda row: (row.course_code, _date(row.completed_on)),
    ),
    Pause: _Table(
        "mentor_pauses",
        "starts_on, ends_on",
        lambda row: (_date(row.starts_on), _date(row.ends_on, not_before=row.starts_on)),
    ),
}


class Operations:
    """All that happens in one seed: `setup`, then as many transactions as are asked for."""

    def __init__(
        self,
        seed: int,
        *,
        storied: int = 10,
        counted: int = 20,
        saves: bool = True,
        teller: type[Storyteller] = Storyteller,
    ) -> None:
        """So many mentors of each crowd; without `saves` no rule changes once it has begun."""
        self._saves_too = saves
        self.random = Random(f"operations {seed}")
        self._seed = seed
        self.organizations = [self.id(name) for name in (ORGANIZATION, OTHER_ORGANIZATION)]
        self.storied = [self.id(f"storied {number}") for number in range(storied)]
        self.counted = [self.id(f"counted {number}") for number in range(counted)]
        self.reached, self.one_short = self.id("reached"), self.id("one short")
        self._moving: list[UUID] = []
        self._tallies = self._shuffled_tallies()
        self.tell_by(teller)

    def id(self, name: str) -> UUID:
        """The id of something of this seed."""
        return uuid5(NAMESPACE, f"{self._seed}/{name}")

    def tell_by(self, teller: type[Storyteller]) -> None:
        """From here on tell other stories, of the same mentors and definitions."""
        self._teller = teller
        self._stories = {mentor: self._story() for mentor in self.storied}
        self._rules = (version for told in self._story() for version in _versions(told))

    def setup(self) -> Iterator[Statement]:
        """Organizations, the two counting badges, some random ones, and everybody."""
        # Applications' own tables take types of any length, and stories have some.
        for sql in UNBOUNDED if self._teller is not PlainTeller else ():
            yield Statement(sql, [])
        for organization in self.organizations:
            yield Statement(
                "INSERT INTO organizations (id, slug, name) VALUES ($1, $1::uuid::text, 'Random')",
                [organization],
            )
        for badge, at_least in ((self.reached, TALLIES), (self.one_short, TALLIES + 1)):
            criteria = criteria_text(count_of(at_least, "tally"))
            yield self._save(badge, None, str(badge), criteria)
        yield from islice(self._saves(), 6)
        home = cycle(self.organizations)
        for mentor in (*self.storied, *self.counted):
            yield Statement(
                "INSERT INTO peer_mentors (id, organization_id, display_name) "
                "VALUES ($1, $2, 'Nobody')",
                [mentor, next(home)],
            )

    def transactions(self) -> Iterator[Transaction]:
        """What happens, without an end: most transactions hold one row's change, some several."""
        while True:
            several = self.random.random() < 0.2
            yield [
                statement
                for _ in range(self.random.randint(2, 6) if several else 1)
                for statement in self._something()
            ]

    def rest(self) -> Iterator[Transaction]:
        """The tallies that are still to be dealt, so that each counted mentor has all of them."""
        for statement in self._tallies:
            yield [statement]

    def edit(self) -> Transaction:
        """A random save or deletion of a definition, or another time zone of an organization."""
        return [next(self._saves())]

    def _something(self) -> Iterator[Statement]:
        chance = self.random.random()
        if chance < 0.3 and (tally := next(self._tallies, None)):
            yield tally
        elif chance < 0.33 and self._saves_too:
            yield next(self._saves())
        elif chance < 0.38 and self._moving:
            yield self._move()
        else:
            mentor = self.random.choice(self.storied)
            yield from self._tell(mentor, next(self._stories[mentor]))

    def _shuffled_tallies(self) -> Iterator[Statement]:
        dealt = [(mentor, n) for mentor in self.counted for n in range(TALLIES)]
        self.random.shuffle(dealt)
        for mentor, n in dealt:
            row = Activity(f"{mentor} {n}", "", "tally", 20_000 + n % 9, n)
            yield self._put_row(mentor, row)

    def _story(self) -> Iterator[Put | Gone | Took]:
        return iter(self._teller(Random(self.random.random())).tell(ENDLESS))

    def _tell(self, mentor: UUID, told: Put | Gone | Took) -> Iterator[Statement]:
        if isinstance(told, Gone):
            yield self._delete(mentor, told)
        elif isinstance(told, Put) and isinstance(told.row, Mentor):
            yield Statement(
                """
                INSERT INTO peer_mentors (id, organization_id, display_name, active)
                VALUES ($1, $2, 'Nobody', $3)
                ON CONFLICT (id) DO UPDATE
                SET organization_id = excluded.organization_id, active = excluded.active
                """,
                [mentor, self.id(told.row.organization_id), told.row.active],
            )
        elif isinstance(told, Put) and isinstance(told.row, Award):
            yield from self._by_hand(mentor, told.row)
        elif isinstance(told, Put):
            yield self._put_row(mentor, told.row)

    def _put_row(self, mentor: UUID, row: Any) -> Statement:
        """Insert or change a row, if the mentor is there at all."""
        table, columns, values = _TABLES[type(row)]
        row_id = self.id(f"{mentor} {row.id}")
        if isinstance(row, Activity) and row.activity_type != "tally":
            self._moving.append(row_id)
        names = [name.strip() for name in columns.split(",")]
        places = ", ".join(f"${number}" for number in range(3, 3 + len(names)))
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        return Statement(
            f"""
            INSERT INTO {table} (id, peer_mentor_id, {columns})
            SELECT $1, m.id, {places} FROM peer_mentors m WHERE m.id = $2
            ON CONFLICT (id) DO UPDATE SET {changes}
            """,
            [row_id, mentor, *values(row)],
        )

    def _move(self) -> Statement:
        row_id = self._moving.pop(self.random.randrange(len(self._moving)))
        return Statement(
            "UPDATE activities SET peer_mentor_id = m.id FROM peer_mentors m "
            "WHERE activities.id = $1 AND m.id = $2",
            [row_id, self.random.choice(self.storied)],
        )

    def _delete(self, mentor: UUID, told: Gone) -> Statement:
        if told.kind is Mentor:
            return Statement("DELETE FROM peer_mentors WHERE id = $1", [mentor])
        if told.kind is Award:
            return Statement(
                "DELETE FROM badge_awards WHERE peer_mentor_id = $1 AND badge_definition_id = $2",
                [mentor, self.id(told.row_id)],
            )
        table = _TABLES[told.kind].name
        return Statement(f"DELETE FROM {table} WHERE id = $1", [self.id(f"{mentor} {told.row_id}")])

    def _by_hand(self, mentor: UUID, row: Award) -> Iterator[Statement]:
        """A person gives a badge, where they may, or changes an award that is there."""
        definition = self.id(row.badge_definition_id)
        if row.awarded_by != "rule":
            yield Statement(
                """
                SELECT award_badge(m.id, d.id, $3, '{}', $4)
                FROM peer_mentors m, badge_definitions d
                WHERE m.id = $1 AND d.id = $2 AND d.status <> 'draft'
                    AND (d.organization_id IS NULL OR d.organization_id = m.organization_id)
                """,
                [mentor, definition, row.earned_at, row.awarded_by],
            )
        new: dict[str, object] = {
            "revoked_by": row.revoked_by,
            "tier": row.tier,
            "tier_earned_at": row.tier_earned_at,
        }
        if row.earned_on is not None:
            new["earned_on"] = _date(row.earned_on)
        changes = ", ".join(f"{name} = ${place}" for place, name in enumerate(new, start=3))
        yield Statement(
            f"UPDATE badge_awards SET {changes} "
            "WHERE peer_mentor_id = $1 AND badge_definition_id = $2",
            [mentor, definition, *new.values()],
        )

    def _saves(self) -> Iterator[Statement]:
        """The next rules of the story, as long as one is asked for."""
        for version in self._rules:
            if isinstance(version, DefinitionVersion):
                yield self._save_version(version)
            elif version.timezone != "No/Where":
                yield Statement(
                    "UPDATE organizations SET timezone = $2 WHERE id = $1",
                    [self.id(version.id), version.timezone],
                )

    def _save_version(self, version: DefinitionVersion) -> Statement:
        definition = self.id(version.id)
        if version.deleted:
            return Statement("DELETE FROM badge_definitions WHERE id = $1", [definition])
        return self._save(
            definition,
            self.id(version.organization_id) if version.organization_id else None,
            self._key(version.key),
            re.sub(r'"(k\d)"', lambda found: f'"{self._key(found[1])}"', version.criteria),
            version.status,
            version.revocable,
            _date(version.counts_from),
        )

    def _key(self, key: str) -> str:
        """A definition for everybody shares its keys with other seeds: so they have a number."""
        return f"{key}-{self._seed}"

    def _save(
        self,
        definition: UUID,
        organization: UUID | None,
        key: str,
        criteria: str,
        status: str = "active",
        revocable: bool = False,
        counts_from: date | None = None,
    ) -> Statement:
        return Statement(
            """
            INSERT INTO badge_definitions
                (id, organization_id, key, name, criteria, status, revocable, counts_from)
            VALUES ($1, $2, $3, $3, $4, $5, $6, $7)
            ON CONFLICT (id) DO UPDATE
            SET criteria = excluded.criteria, status = excluded.status,
                revocable = excluded.revocable, counts_from = excluded.counts_from
            """,
            [definition, organization, key, criteria, status, revocable, counts_from],
        )


def _versions(told: Put | Gone | Took) -> Sequence[Version]:
    return told.versions if isinstance(told, Took) else ()


def _date(day: int | None, not_before: int | None = None) -> date | None:
    if day is None:
        return None
    return EPOCH + timedelta(days=day if not_before is None else max(day, not_before))
