"""One mentor's random story, decided by the fold, written as the worker would have written it."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import msgspec.structs

from sinks.pool import Connection
from sinks.queries import QUERIES
from tables.criteria.condition import Condition
from tables.periods import first_instant, local_day
from tables.types import (
    Activity,
    Award,
    Day,
    DefinitionVersion,
    Mentor,
    OrganizationVersion,
    Pause,
    TrainingCompletion,
)
from tests.builders import MENTOR, Gone, Happening, Put, Storyteller, Took
from tests.unit.stories import Fold

EPOCH = date(1970, 1, 1)
LIVE_SINCE = datetime(2026, 2, 1, tzinfo=UTC)
AWARDED = LIVE_SINCE + timedelta(days=1)


def uuid(name: str) -> UUID:
    """The id that something of a story has in the database."""
    return UUID(name) if name == MENTOR else uuid5(UUID(MENTOR), name)


class _Teller(Storyteller):
    """Tells of awards alone that somebody can have written: instants lie on their dates."""

    def _award(self) -> Happening:
        told = super()._award()
        if not isinstance(told, Put) or not isinstance(told.row, Award):
            return told
        version = told.row.definition_version or self._versions[told.row.badge_definition_id]
        return Put(msgspec.structs.replace(told.row, definition_version=version))


class Event(NamedTuple):
    """A row of badge_award_events."""

    award: str
    definition: str
    kind: str
    tier: str | None
    version: int | None
    source: str
    actor: str | None


class Life:
    """The fold of a story, with what the log does not carry of its awards."""

    def __init__(self, random: Random, length: int) -> None:
        self.fold = Fold()
        self.rows: dict[tuple[type, str], Any] = {}
        self.versions: dict[tuple[str, int], DefinitionVersion] = {}
        self.organizations: list[OrganizationVersion] = []
        self.evidence: dict[str, Any] = {}
        self.dated_by: dict[str, str | None] = {}
        self.events: list[Event] = []
        for happening in _Teller(random).tell(length):
            self._live(happening)
        if self.fold.ledger.mentor is None:
            self._live(Put(Mentor(MENTOR, "org-a", True)))

    def _live(self, happening: Happening) -> None:
        if isinstance(happening, Took):
            self._save(happening)
        elif isinstance(happening, Gone):
            self.rows.pop((happening.kind, happening.row_id), None)
        elif isinstance(happening.row, Award):
            happening = Put(self._written(happening.row))
        else:
            self.rows[type(happening.row), happening.row.id] = happening.row
        for decision in self.fold.live(happening):
            after = decision.after
            if decision.kind == "granted":
                self.evidence[after.id] = decision.evidence
                self.dated_by[after.id] = None
                self._forget(after.id)
            self.events.append(
                Event(after.id, after.badge_definition_id, decision.kind, after.tier,
                      decision.definition_version, decision.cause.source, None)
            )  # fmt: skip

    def _save(self, took: Took) -> None:
        for version in took.versions:
            if isinstance(version, OrganizationVersion):
                self.organizations.append(version)
            else:
                self.versions[version.id, version.version] = version

    def _written(self, row: Award) -> Award:
        """An award as the trigger dates it that somebody writes, with the events it writes."""
        zone = self.fold.book.zone(self.home)
        before = self.fold.ledger.held.get(row.badge_definition_id)
        if before is not None and before.id != row.id:
            before = None
        day, instant = row.earned_on, row.earned_at
        if before is not None and row.changed_by == "audit":
            # It writes the date that the evidence says.
            day, instant = before.earned_on, before.earned_at
        elif day is None:
            day = local_day(instant, zone)
        else:
            instant = first_instant(day, zone)
        tier_day = None if row.tier_earned_at is None else local_day(row.tier_earned_at, zone)
        row = msgspec.structs.replace(
            row, earned_at=instant, earned_on=day, tier_earned_on=tier_day
        )
        self._note(before, row)
        return row

    def _note(self, before: Award | None, row: Award) -> None:
        kinds = []
        if before is None:
            kinds.append("granted")
            self.evidence[row.id] = {}
            self._forget(row.id)
        elif row.tier is not None and row.tier != before.tier:
            kinds.append("promoted")
        if row.revoked_by is not None and (before is None or before.revoked_by is None):
            kinds.append("revoked")
        elif before is not None and row.revoked_by is None and before.revoked_by is not None:
            kinds.append("restored")
        if before is None or (before.earned_at, before.day) != (row.earned_at, row.earned_on):
            self.dated_by[row.id] = row.changed_by
            evidence = self.evidence[row.id] or {}
            if row.changed_by == "audit" and "earned_on" in evidence and row.earned_on is not None:
                day = str(as_date(row.earned_on))
                self.evidence[row.id] = {**evidence, "earned_on": day}
        source = "replay" if row.changed_by == "audit" else "admin"
        self.events += [
            Event(row.id, row.badge_definition_id, kind, row.tier, row.definition_version,
                  source, row.changed_by)
            for kind in kinds
        ]  # fmt: skip

    def _forget(self, award_id: str) -> None:
        """A row that was deleted is another one afterwards, though stories name it the same."""
        self.events = [each for each in self.events if each.award != award_id]

    @property
    def home(self) -> str:
        """The mentor's organization."""
        mentor = self.fold.ledger.mentor
        return mentor.organization_id if mentor else "org-a"

    @property
    def definitions(self) -> dict[str, DefinitionVersion]:
        """Those that are there, as they were saved last."""
        newest = {each.id: each for _, each in sorted(self.versions.items())}
        return {name: each for name, each in newest.items() if not each.deleted}

    def conditions(self) -> dict[str, Condition]:
        """What decides for this mentor, by definition; nothing while the mentor is inactive."""
        mentor = self.fold.ledger.mentor
        if mentor is None or not mentor.active:
            return {}
        rules = self.fold.book.plan(mentor.organization_id).rules
        return {rule.definition_id: rule.condition for rule in rules}

    def held(self) -> Iterator[Award]:
        """The awards that are in the database: those of definitions that are gone went along."""
        there = self.definitions
        for award in self.fold.ledger.held.values():
            gone = self.fold.book.deleted_before(award.badge_definition_id)
            if award.badge_definition_id in there and (award.definition_version or 0) >= gone:
                yield award

    async def write(self, db: Connection) -> None:
        """Write all of it, without a trigger."""
        await db.execute("SET LOCAL session_replication_role = replica")
        await self._write_rules(db)
        await self._write_rows(db)
        await self._write_results(db)

    async def _write_rules(self, db: Connection) -> None:
        for version in self.organizations:
            await db.execute(
                "INSERT INTO organizations (id, slug, timezone) VALUES ($1, $2, $3) "
                "ON CONFLICT (id) DO UPDATE SET timezone = excluded.timezone",
                *(uuid(version.id), version.id, version.timezone),
            )
            await db.execute(
                "INSERT INTO organization_versions (id, version, saved_by, saved_at, timezone) "
                "VALUES ($1, $2, 'me', $3, $4)",
                *(uuid(version.id), version.version, version.saved_at, version.timezone),
            )
        columns = "organization_id, key, criteria, counts_from, revocable, status"
        for each in self.versions.values():
            await db.execute(
                f"INSERT INTO badge_definition_versions (id, version, saved_by, saved_at, deleted, "
                f"{columns}) VALUES ($1, $2, 'me', $3, $4, $5, $6, $7, $8, $9, $10)",
                *(uuid(each.id), each.version, each.saved_at, each.deleted, *_columns(each)),
            )
        await db.execute(
            "INSERT INTO badge_logs (log_id, generation, topic, slot, connector, partitions, "
            "system_identifier, timeline, state, live_at) "
            "VALUES ('log', 1, 't', 's', 'c', 1, '7', 1, 'live', $1)",
            LIVE_SINCE,
        )
        for each in self.definitions.values():
            await db.execute(
                f"INSERT INTO badge_definitions (id, name, version, {columns}) "
                "VALUES ($1, 'A badge', $2, $3, $4, $5, $6, $7, $8)",
                *(uuid(each.id), each.version, *_columns(each)),
            )
            await db.execute(
                "INSERT INTO badge_rule_positions (kind, id, version, log_id, partition, turn, "
                "\"offset\") VALUES ('definition', $1, $2, 'log', 0, 1, 1)",
                *(uuid(each.id), each.version),
            )

    async def _write_rows(self, db: Connection) -> None:
        mentor = self.fold.ledger.mentor
        assert mentor is not None
        await db.execute(
            "INSERT INTO peer_mentors (id, organization_id, active) VALUES ($1, $2, $3)",
            *(UUID(MENTOR), uuid(mentor.organization_id), mentor.active),
        )
        for (kind, name), row in self.rows.items():
            if kind is Mentor:
                continue
            values = msgspec.structs.asdict(row)
            values |= {"id": uuid(name), "peer_mentor_id": UUID(MENTOR)}
            for column in ("activity_date", "completed_on", "starts_on", "ends_on"):
                if values.get(column) is not None:
                    values[column] = as_date(values[column])
            places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
            await db.execute(
                f"INSERT INTO {_TABLES[kind]} ({', '.join(values)}) VALUES ({places})",
                *values.values(),
            )

    async def _write_results(self, db: Connection) -> None:
        for award in self.held():
            await write_award(db, award, self.evidence[award.id], self.dated_by[award.id])
        for event in self.events:
            await db.execute(
                "INSERT INTO badge_award_events (badge_award_id, badge_definition_id, kind, tier, "
                "definition_version, source, actor, peer_mentor_id) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                *(uuid(event.award), uuid(event.definition), *event[2:], UUID(MENTOR)),
            )
        stats = msgspec.json.encode([self.fold.ledger.stats()]).decode()
        await db.execute(QUERIES["write_stats"], stats, [MENTOR])


async def write_award(
    db: Connection, award: Award, evidence: dict[str, Any], dated_by: str | None = None
) -> None:
    """Write an award as it is believed to be."""
    evidence = {**evidence, "rows": [str(uuid(row)) for row in evidence.get("rows", ())]}
    await db.execute(
        "INSERT INTO badge_awards (id, peer_mentor_id, badge_definition_id, earned_at, earned_on, "
        "awarded_at, definition_version, tier, tier_earned_at, tier_earned_on, tier_version, "
        "evidence, awarded_by, revoked_by, revoked_at, changed_by, dated_by) VALUES "
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        *(uuid(award.id), UUID(MENTOR), uuid(award.badge_definition_id), award.earned_at),
        *(as_date(award.day), AWARDED, award.definition_version, award.tier),
        *(award.tier_earned_at, as_date(award.tier_earned_on), award.tier_version),
        *(json.dumps(evidence), award.awarded_by, award.revoked_by),
        *(AWARDED if award.revoked_by else None, award.changed_by, dated_by),
    )


_TABLES: dict[type, str] = {
    Activity: "activities",
    TrainingCompletion: "training_completions",
    Pause: "mentor_pauses",
}


def _columns(each: DefinitionVersion) -> tuple[Any, ...]:
    owner = uuid(each.organization_id) if each.organization_id else None
    return (owner, each.key, each.criteria, as_date(each.counts_from), each.revocable, each.status)


def as_date(day: Day | None) -> date | None:
    """The date of a day of a story."""
    return None if day is None else EPOCH + timedelta(days=day)
