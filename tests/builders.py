"""Rows, versions and whole stories of a mentor, for tests: short to write, random where wanted."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeAlias
from uuid import UUID, uuid5

import msgspec.structs

from streams.log import generations
from streams.log.generations import Generation
from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import parse
from tables.criteria.union import TYPES
from tables.periods import day_number
from tables.types import (
    Activity,
    Award,
    Day,
    DefinitionVersion,
    Mentor,
    OrganizationVersion,
    Pause,
    TrainingCompletion,
    Version,
)

Row: TypeAlias = Mentor | Activity | TrainingCompletion | Pause | Award

MENTOR = "6d000000-0000-4000-8000-000000000000"
ORGANIZATION = "org-a"
OTHER_ORGANIZATION = "org-b"
FIRST_SAVE = datetime(2026, 1, 1, tzinfo=UTC)


def day(text: str) -> Day:
    """A date like 2026-01-31 as a day number."""
    return day_number(datetime.fromisoformat(text).date())


def mentor(*, organization: str = ORGANIZATION, active: bool = True) -> Mentor:
    return Mentor(MENTOR, organization, active)


def activity(row_id: str, on: Day | str, kind: str = "visit", minutes: int | None = 30) -> Activity:
    return Activity(row_id, MENTOR, kind, day(on) if isinstance(on, str) else on, minutes)


def training(row_id: str, course: str, on: Day | str) -> TrainingCompletion:
    return TrainingCompletion(row_id, MENTOR, course, day(on) if isinstance(on, str) else on)


def pause(row_id: str, starts: Day | str, ends: Day | str | None = None) -> Pause:
    starts = day(starts) if isinstance(starts, str) else starts
    return Pause(row_id, MENTOR, starts, day(ends) if isinstance(ends, str) else ends)


def award_id(name: str) -> str:
    """The id of an award that a test knows by a name; the log has no others."""
    return str(uuid5(UUID(MENTOR), name))


def definition(
    key: str,
    criteria: Mapping[str, Any] | str,
    *,
    version: int = 1,
    saved: int = 0,
    **fields: Any,
) -> DefinitionVersion:
    """An active definition for everyone whose id is its key, saved `saved` seconds after others."""
    text = criteria if isinstance(criteria, str) else json.dumps({"version": 1, **criteria})
    given = {"id": key, "key": key, "status": "active", "deleted": False, **fields}
    moment = FIRST_SAVE + timedelta(seconds=saved)
    return DefinitionVersion(version=version, saved_at=moment, criteria=text, **given)


def tiers(version: int, levels: dict[str, int]) -> DefinitionVersion:
    """The tiers of the badge `a` by the count of activities, by name."""
    steps = [{"name": name, "at_least": level} for name, level in levels.items()]
    criteria = {"type": "tier", "metric": "count", "tiers": steps}
    return definition("a", criteria, version=version)


def organization(
    organization_id: str = ORGANIZATION, timezone: str = "Europe/Oslo", version: int = 1
) -> OrganizationVersion:
    return OrganizationVersion(organization_id, version, FIRST_SAVE, timezone)


def generation(number: int = 1, **fields: Any) -> Generation:
    """A live generation of the log, with one partition whose every record is an event."""
    given = {
        "log_id": "log",
        "partitions": 1,
        "system_identifier": "7",
        "timeline": 1,
        "state": "live",
        "starts": (0,),
        **fields,
    }
    names = generations.names("badges", number)
    return Generation(
        number=number, topic=names.topic, slot=names.slot, connector=names.connector, **given
    )


class Took(msgspec.Struct, frozen=True):
    """Versions that take effect together."""

    versions: tuple[Version, ...]


class Put(msgspec.Struct, frozen=True):
    """A row that came or changed."""

    row: Row


class Gone(msgspec.Struct, frozen=True):
    """A row that was deleted; an award of the rule is named by its definition's id."""

    kind: type
    row_id: str


Happening: TypeAlias = Took | Put | Gone

LONG = "l\N{LATIN SMALL LETTER O WITH STROKE}ng" * 49 + "nam\N{SPARKLES}"
"""A name of 200 characters; longer ones that begin with it are the same."""
_TYPES = ["visit", "phone", "chat", LONG]
_COURSES = ["basic", "ethics", "safety", LONG]
_ENDINGS = ["", "1", "2", "\N{SPARKLES}"]
_KEYS = ["k0", "k1", "k2", "k3", "k4", "k5"]
_ZONES = ["Europe/Oslo", "America/Sao_Paulo", "Asia/Kolkata", "No/Where", "Pacific/Apia"]
_METRICS = ["count", "minutes", "active_days", "distinct_types"]


_MADE_UP = {"threshold", "streak", "training", "badges", "all", "any", "tier", "raw"}


def _of_examples() -> list[str]:
    """The types of criteria that are not made up at random: a story takes their examples."""
    return [name for name, each in TYPES.items() if name not in _MADE_UP and not each.root_only]


class Storyteller:
    """Tells random stories of one mentor, and remembers which rows there are to change."""

    tier_names: tuple[str, ...] = ("bronze", "silver", "gold", "onyx")

    def __init__(self, random: Random, *, days: int = 60, definitions: int = 6) -> None:
        self._random = random
        self._first = day("2023-10-10") + random.randrange(200)
        self._days = random.choice([8, 25, days])
        self._keys = _KEYS[: random.randint(1, definitions)]
        self._types = random.sample(_TYPES, random.randint(1, 3))
        self._versions: dict[str, int] = {}
        self._rows: dict[type, dict[str, Row]] = {}
        self._saves = 0
        self._named = 0

    def tell(self, length: int) -> Iterable[Happening]:
        """A story that begins with rules and the mentor; about one in 12 events is another save."""
        yield Took((organization(), organization(OTHER_ORGANIZATION), *self._some_saves(2)))
        yield self._put(mentor())
        for _ in range(length):
            yield self._happening()

    def _happening(self) -> Happening:
        chance = self._random.random()
        if chance < 0.08:
            return Took(tuple(self._some_saves(3)))
        if chance < 0.12:
            return self._mentor()
        if chance < 0.20:
            return self._row(Pause, self._pause)
        if chance < 0.30:
            return self._row(TrainingCompletion, self._training)
        if chance < 0.38:
            return self._award()
        return self._row(Activity, self._activity)

    def _some_saves(self, most: int) -> list[Version]:
        return [self._save() for _ in range(self._random.randint(1, most))]

    def _save(self) -> Version:
        random = self._random
        self._saves += 1
        if random.random() < 0.1:
            name = random.choice([ORGANIZATION, OTHER_ORGANIZATION])
            return organization(name, random.choice(_ZONES), self._next(name, start=1))
        key = random.choice(self._keys)
        owner = random.choice([None, None, ORGANIZATION, OTHER_ORGANIZATION])
        definition_id = f"{key}-{owner or 'everyone'}"
        text: Mapping[str, Any] | str = self._criteria()
        if random.random() < 0.05:
            text = '{"version": 1, "type": "thresh"}'
        return definition(
            key,
            text,
            id=definition_id,
            version=self._next(definition_id),
            saved=self._saves,
            organization_id=owner,
            counts_from=self._day() if random.random() < 0.2 else None,
            revocable=random.random() < 0.5,
            status=random.choice(["active"] * 6 + ["draft", "retired"]),
            deleted=random.random() < 0.07,
        )

    def _next(self, name: str, start: int = 0) -> int:
        self._versions[name] = self._versions.get(name, start) + 1
        return self._versions[name]

    def _criteria(self) -> dict[str, Any]:
        if self._random.random() < 0.25:
            return {"type": "tier", "tiers": self._tiers(), **self._measured(minutes=False)}
        if self._random.random() < 0.02:
            return {"type": "raw", "criteria_raw": {}, "reason": "it cannot be said"}
        return self._node(1)

    def _tiers(self) -> list[dict[str, Any]]:
        levels = sorted({self._level() for _ in range(self._random.randint(1, 4))})
        names = self._random.sample(self.tier_names, len(levels))
        return [{"name": n, "at_least": k} for n, k in zip(names, levels, strict=True)]

    def _node(self, depth: int) -> dict[str, Any]:
        random = self._random
        kinds = ["threshold"] * 3 + ["streak"] * 2 + ["training", "badges"]
        kinds += [name for name in _of_examples() for _ in range(3)]
        kind = random.choice(kinds + (["all", "any"] if depth < 3 else []))
        if kind in _of_examples():
            return dict(random.choice(TYPES[kind].examples))
        if kind == "threshold":
            measured = self._measured(minutes=True)
            level = self._level() * (25 if measured["metric"] == "minutes" else 1)
            if measured["metric"] == "active_days":
                level = min(level, measured.get("window", {}).get("rolling_days", level))
            return {"type": kind, "at_least": level, **measured}
        if kind == "streak":
            return self._streak()
        if kind == "training":
            return {"type": kind, **self._some("courses", _COURSES)}
        if kind == "badges":
            return {"type": kind, **self._some("badges", [*self._keys, "nothing"])}
        parts = [self._node(depth + 1) for _ in range(random.randint(1, 3))]
        node: dict[str, Any] = {"type": kind, "of": parts}
        if kind == "any" and random.random() < 0.6:
            node["at_least"] = random.randint(1, len(parts))
        return node

    def _streak(self) -> dict[str, Any]:
        random = self._random
        node: dict[str, Any] = {
            "type": "streak",
            "period": random.choice(["day", "day", "week", "month"]),
            "length": random.randint(1, 4),
            **self._types_named(),
        }
        if random.random() < 0.5:
            node["grace"] = random.randint(0, 3)
        if random.random() < 0.5:
            node["metric"] = random.choice(_METRICS)
            node["per_period"] = random.randint(1, 60 if node["metric"] == "minutes" else 3)
        return node

    def _measured(self, *, minutes: bool) -> dict[str, Any]:
        random = self._random
        node: dict[str, Any] = {
            "metric": random.choice(_METRICS if minutes else ["count", "active_days"])
        }
        node |= self._types_named()
        kind = random.choice(["ever", "ever", "rolling", "calendar", "fixed"])
        if kind == "rolling":
            node["window"] = {"rolling_days": random.choice([1, 2, 5, 9, 30])}
        elif kind == "calendar":
            node["window"] = {"calendar": random.choice(["week", "month", "quarter", "year"])}
        elif kind == "fixed":
            first = self._day()
            epoch = datetime(1970, 1, 1, tzinfo=UTC)
            dates = [epoch + timedelta(days=d) for d in (first, first + random.randrange(20))]
            node["window"] = {"from": str(dates[0].date()), "to": str(dates[1].date())}
        return node

    def _types_named(self) -> dict[str, Any]:
        if self._random.random() < 0.6:
            return {}
        return {"activity_types": self._random.sample(_TYPES, self._random.randint(1, 2))}

    def _some(self, name: str, among: list[str]) -> dict[str, Any]:
        names = self._random.sample(among, self._random.randint(1, min(3, len(among))))
        node: dict[str, Any] = {name: names}
        if self._random.random() < 0.5:
            node["at_least"] = self._random.randint(1, len(names))
        return node

    def _level(self) -> int:
        return self._random.choice([1, 2, 2, 3, 3, 4, 5, 6, 8, 12])

    def _day(self) -> Day:
        return self._first + self._random.randrange(self._days)

    def _row(self, kind: type, make: Any) -> Happening:
        known = self._rows.setdefault(kind, {})
        chance = self._random.random()
        if known and chance < 0.25:
            row_id = self._random.choice(sorted(known))
            del known[row_id]
            return Gone(kind, row_id)
        if known and chance < 0.45:
            return self._put(make(self._random.choice(sorted(known))))
        self._named += 1
        return self._put(make(f"r{self._named:03}"))

    def _put(self, row: Row) -> Put:
        self._rows.setdefault(type(row), {})[row.id] = row
        return Put(row)

    def _activity(self, row_id: str) -> Activity:
        minutes = self._random.choice([None, 0, 10, 25, 60])
        return activity(row_id, self._day(), self._name(self._types), minutes)

    def _training(self, row_id: str) -> TrainingCompletion:
        return training(row_id, self._name(_COURSES), self._day())

    def _name(self, among: list[str]) -> str:
        name = self._random.choice(among)
        return name + self._random.choice(_ENDINGS) if name == LONG else name

    def _pause(self, row_id: str) -> Pause:
        starts = self._day()
        length = self._random.choice([None, -2, 0, 1, 3, 8])
        return pause(row_id, starts, None if length is None else starts + length)

    def _mentor(self) -> Happening:
        if self._random.random() < 0.2:
            return Gone(Mentor, MENTOR)
        home = self._random.choice([ORGANIZATION, ORGANIZATION, OTHER_ORGANIZATION])
        return self._put(mentor(organization=home, active=self._random.random() < 0.7))

    def _award(self) -> Happening:
        random = self._random
        ids = sorted(name for name in self._versions if "-" in name and name[:4] != "org-")
        if not ids:
            return self._mentor()
        definition_id = random.choice(ids)
        if random.random() < 0.3:
            return Gone(Award, definition_id)
        moment = datetime(2023, 11, 1, tzinfo=UTC) + timedelta(hours=random.randrange(2000))
        tier = random.choice([None, None, "bronze", "gold", "tin"])
        latest = self._versions[definition_id]
        # A row whose record is older than the dates has none, nor the tier's version.
        dated = random.random() < 0.6
        on = day_number(moment.date()) + random.randrange(-1, 2)
        return Put(
            Award(
                id=definition_id if random.random() < 0.8 else f"another-{definition_id}",
                peer_mentor_id=MENTOR,
                badge_definition_id=definition_id,
                earned_at=moment,
                definition_version=random.choice([None, 1, latest, random.randint(1, latest)]),
                tier=tier,
                tier_earned_at=moment if tier else None,
                awarded_by=random.choice(["rule", "anna"]),
                revoked_by=random.choice([None, None, "rule", "bo"]),
                changed_by=random.choice(["anna", "audit"]),
                earned_on=on if dated else None,
                tier_earned_on=on if dated and tier else None,
                tier_version=random.randint(1, latest) if dated and tier else None,
            )
        )


class ExampleTeller(Storyteller):
    """Tells of definitions that have the examples of one type of criteria, among others."""

    def __init__(self, random: Random, kind: str) -> None:
        super().__init__(random)
        self._kind = kind
        self.saved: set[tuple[str, int]] = set()
        """The ids and versions of definitions of that type."""
        self._examples = TYPES[kind].examples
        parsed = [parse(json.dumps({"version": 1, **example})) for example in self._examples]
        asked = {key for each in parsed for key in each.badge_keys()}
        self._keys = sorted(asked) or self._keys

    def _save(self) -> Version:
        version = super()._save()
        if (
            isinstance(version, DefinitionVersion)
            and json.loads(version.criteria)["type"] == self._kind
        ):
            self.saved.add((version.id, version.version))
        return version

    def _criteria(self) -> dict[str, Any]:
        if self._random.random() < 0.4:
            return super()._criteria()
        return dict(self._random.choice(self._examples))


class TierTeller(Storyteller):
    """Tells of one definition whose tiers are given other names and levels again and again."""

    tier_names = ("bronze", "silver", "gold", "onyx", "opal")

    def __init__(self, random: Random) -> None:
        super().__init__(random, definitions=1)
        self._measure = self._measured(minutes=False)
        self._revocable = random.random() < 0.3

    def _happening(self) -> Happening:
        if self._random.random() < 0.15:
            return Took(tuple(self._some_saves(2)))
        return super()._happening()

    def _save(self) -> Version:
        tiers = self._tiers()
        number = self._next("k0-everyone")
        return definition(
            "k0",
            {"type": "tier", **self._measure, "tiers": tiers},
            id="k0-everyone",
            version=number,
            saved=number,
            revocable=self._revocable,
            deleted=self._random.random() < 0.05,
        )


class PlainTeller(Storyteller):
    """Tells nothing that some version decided otherwise than today's.

    Names are short, days begin in Oslo, tiers keep their names, valid criteria can hold, awards
    have no dates beside their instants, and nobody writes to an award what it says already.
    """

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self._given = 0

    def _name(self, among: list[str]) -> str:
        return self._random.choice(among)

    def _save(self) -> Version:
        version = super()._save()
        while isinstance(version, OrganizationVersion):
            version = super()._save()
        return version

    def _criteria(self) -> dict[str, Any]:
        while True:
            found = super()._criteria()
            try:
                parse(json.dumps({"version": 1, **found}))
            except InvalidCriteria:
                continue
            return found

    def _tiers(self) -> list[dict[str, Any]]:
        levels = sorted(self._random.sample(range(1, 13), len(self.tier_names)))
        names = self._random.sample(self.tier_names, len(levels))
        return [{"name": n, "at_least": k} for n, k in zip(names, levels, strict=True)]

    def _award(self) -> Happening:
        told = super()._award()
        if not isinstance(told, Put) or not isinstance(told.row, Award):
            return told
        self._given += 1
        tier = self._random.choice(self.tier_names)
        moment = FIRST_SAVE + timedelta(hours=self._given)
        undated = {"earned_on": None, "tier_earned_on": None, "tier_version": None}
        return Put(msgspec.structs.replace(told.row, tier=tier, tier_earned_at=moment, **undated))
