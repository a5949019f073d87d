"""What the demo is made of: people with a history, and moments to be played in turn."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal, TypeAlias
from uuid import UUID, uuid5

from badges.demo.catalogue import Badge, Organization

NAMESPACE = UUID("5b3f9f0e-7a55-4f0f-8d3c-0c6a0f1c2b9d")

Kind: TypeAlias = Literal[
    "new", "late", "corrected", "deleted", "moved", "two at once", "pause", "training",
    "by hand", "newcomer", "new badge",
]  # fmt: skip

INSERT_MENTOR = "INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ($1, $2, $3)"
INSERT_ACTIVITY = (
    "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes) "
    "VALUES ($1, $2, $3, $4, $5)"
)
INSERT_TRAINING = (
    "INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on) "
    "VALUES ($1, $2, $3, $4)"
)
INSERT_PAUSE = (
    "INSERT INTO mentor_pauses (id, peer_mentor_id, starts_on, ends_on) VALUES ($1, $2, $3, $4)"
)

SLUGS = "demo-"
"""How the slugs of the demo's organizations begin."""

_INITIALS = "ABCDEFGHJKLMNOPRSTVW"


@dataclass(frozen=True)
class Statement:
    sql: str
    values: tuple[Any, ...]


Transaction: TypeAlias = Sequence[Statement]


@dataclass(frozen=True)
class Person:
    """A mentor of the demo; `organization` is a slug."""

    id: UUID
    organization: str
    name: str


@dataclass(frozen=True)
class Moment:
    """Something that happens while one watches.

    `after` is the time in seconds since the story began. Several transactions are saved at the same
    time, each in a connection of its own. `subject` is the badge that a new badge is about.
    """

    kind: Kind
    person: Person | None
    text: str
    transactions: Sequence[Transaction]
    after: float = 0.0
    subject: str = ""


@dataclass
class History:
    """Rows that are there before anything is played, in the order of the tables' columns."""

    mentors: list[Person] = field(default_factory=list)
    activities: list[tuple[UUID, UUID, str, date, int | None]] = field(default_factory=list)
    trainings: list[tuple[UUID, UUID, str, date]] = field(default_factory=list)
    pauses: list[tuple[UUID, UUID, date, date | None]] = field(default_factory=list)

    def __len__(self) -> int:
        tables = (self.mentors, self.activities, self.trainings, self.pauses)
        return sum(len(rows) for rows in tables)

    def add(self, other: "History") -> None:
        self.mentors += other.mentors
        self.activities += other.activities
        self.trainings += other.trainings
        self.pauses += other.pauses


@dataclass(frozen=True)
class World:
    """Everything of one run. `script` says in which second each moment comes."""

    organizations: Sequence[Organization]
    badges: Sequence[Badge]
    history: History
    script: Sequence[tuple[float, Moment]]

    def people(self) -> Iterator[Person]:
        yield from self.history.mentors
        yield from (moment.person for _, moment in self.script if moment.person)

    def with_badges(self, badges: Sequence[Badge]) -> "World":
        return replace(self, badges=badges)


class Ids:
    """Ids of one run: the same for the same name, others in every run."""

    def __init__(self, name: str, run: int) -> None:
        self._name = f"{name}/{run}"
        self._count = 0

    @property
    def first(self) -> UUID:
        """The id that tells whether this run has been here before: that of its first mentor."""
        return uuid5(NAMESPACE, f"{self._name}/1")

    def next(self) -> UUID:
        self._count += 1
        return uuid5(NAMESPACE, f"{self._name}/{self._count}")


def organization_id(slug: str) -> UUID:
    return uuid5(NAMESPACE, f"organization/{slug}")


def definition_id(organization: str | None, key: str) -> UUID:
    """The id of a badge of the demo, in every run; the organization is a slug."""
    return uuid5(NAMESPACE, f"badge/{organization or ''}/{key}")


class Maker:
    """What a story is told with: it makes people, their history, and statements to play."""

    def __init__(
        self, rng: random.Random, ids: Ids, organization: Organization, today: date
    ) -> None:
        self.rng = rng
        self.ids = ids
        self.organization = organization
        self.today = today
        self.history = History()
        self.person = self.somebody()

    def somebody(self) -> Person:
        first_name = self.rng.choice(self.organization.first_names)
        name = f"{first_name} {self.rng.choice(_INITIALS)}."
        person = Person(self.ids.next(), self.organization.slug, name)
        self.history.mentors.append(person)
        return person

    def in_week(self, weeks_ago: int) -> date:
        """Some day of an earlier ISO week; of this one, today."""
        if weeks_ago == 0:
            return self.today
        monday = self.today - timedelta(days=self.today.weekday(), weeks=weeks_ago)
        return monday + timedelta(days=self.rng.randrange(7))

    def was_active(
        self, days: Sequence[date], kinds: str = "visit phone", minutes: int = 0
    ) -> list[UUID]:
        """Activities on these days, of these kinds in turn, sharing the minutes. Their ids."""
        chosen = kinds.split()
        share = minutes // len(days) if days else 0
        ids = []
        for number, day in enumerate(days):
            ids.append(self.ids.next())
            self.history.activities.append(
                (ids[-1], self.person.id, chosen[number % len(chosen)], day, share or None)
            )
        return ids

    def was_trained(self, course: str, day: date) -> None:
        self.history.trainings.append((self.ids.next(), self.person.id, course, day))

    def save_activity(self, kind: str, day: date, minutes: int) -> list[Statement]:
        return [Statement(INSERT_ACTIVITY, (self.ids.next(), self.person.id, kind, day, minutes))]


def weeks(first: int, last: int) -> Iterator[int]:
    """Weeks ago, from the older to the newer, both included."""
    return iter(range(first, last - 1, -1))
