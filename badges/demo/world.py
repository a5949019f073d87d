"""What the demo is made of: people with a history, and moments to be played in turn."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any, Literal, TypeAlias
from uuid import UUID, uuid5

from badges.demo.catalogue import Badge, DemoOrganization

_NAMESPACE = UUID("5b3f9f0e-7a55-4f0f-8d3c-0c6a0f1c2b9d")

Kind: TypeAlias = Literal[
    "new", "late", "corrected", "deleted", "moved", "two at once", "pause", "training",
    "by hand", "newcomer", "new badge",
]  # fmt: skip

COLUMNS = {
    "peer_mentors": ("id", "organization_id", "display_name"),
    "activities": (
        "id", "peer_mentor_id", "activity_type", "activity_date", "duration_minutes",
    ),
    "training_completions": ("id", "peer_mentor_id", "course_code", "completed_on"),
    "mentor_pauses": ("id", "peer_mentor_id", "starts_on", "ends_on"),
}  # fmt: skip
"""What the demo writes of each table."""

SLUGS = "demo-"
"""How the slugs of the demo's organizations begin."""

_INITIALS = "ABCDEFGHJKLMNOPRSTVW"


Statement: TypeAlias = tuple[Any, ...]
"""SQL and its values, as a connection executes them."""

Transaction: TypeAlias = Sequence[Statement]


@dataclass(frozen=True)
class DemoPerson:
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
    person: DemoPerson | None
    text: str
    transactions: Sequence[Transaction]
    after: float = 0.0
    subject: str = ""


@dataclass
class World:
    """Everything of one run: rows that are there before anything is played, and what is played.

    `rows` are those of the mentors, by table. `script` says in which second each moment comes.
    """

    organizations: Sequence[DemoOrganization]
    badges: Sequence[Badge]
    mentors: list[DemoPerson] = field(default_factory=list)
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    script: list[tuple[float, Moment]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many rows are there before anything is played."""
        return len(self.mentors) + sum(map(len, self.rows.values()))

    def people(self) -> Iterator[DemoPerson]:
        yield from self.mentors
        yield from (moment.person for _, moment in self.script if moment.person)


def ids(name: str, run: int) -> Iterator[UUID]:
    """Ids of one run: the same for the same name, others in every run."""
    return (uuid5(_NAMESPACE, f"{name}/{run}/{number}") for number in count(1))


def insert(table: str, *values: Any) -> Statement:
    columns = COLUMNS[table]
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", *values


def organization_id(slug: str) -> UUID:
    return uuid5(_NAMESPACE, f"organization/{slug}")


def definition_id(organization: str | None, key: str) -> UUID:
    """The id of a badge of the demo, in every run; the organization is a slug."""
    return uuid5(_NAMESPACE, f"badge/{organization or ''}/{key}")


class Maker:
    """What a story is told with: it makes people, their history, and statements to play."""

    def __init__(
        self,
        rng: random.Random,
        ids: Iterator[UUID],
        world: World,
        organization: DemoOrganization,
        today: date,
    ) -> None:
        self.rng = rng
        self.ids = ids
        self.world = world
        self.organization = organization
        self.today = today
        self.person = self.somebody()

    def somebody(self) -> DemoPerson:
        first_name = self.rng.choice(self.organization.first_names)
        name = f"{first_name} {self.rng.choice(_INITIALS)}."
        person = DemoPerson(next(self.ids), self.organization.slug, name)
        self.world.mentors.append(person)
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
            ids.append(next(self.ids))
            self.world.rows["activities"].append(
                (ids[-1], self.person.id, chosen[number % len(chosen)], day, share or None)
            )
        return ids

    def was_trained(self, course: str, day: date) -> None:
        self.world.rows["training_completions"].append(
            (next(self.ids), self.person.id, course, day)
        )

    def save_activity(self, kind: str, day: date, minutes: int) -> list[Statement]:
        return [insert("activities", next(self.ids), self.person.id, kind, day, minutes)]


def weeks(first: int, last: int) -> Iterator[int]:
    """Weeks ago, from the older to the newer, both included."""
    return iter(range(first, last - 1, -1))
