"""The reference: one mentor's log evaluated after every event, by brute force.

It is given a mentor's events in their order, rows and versions of rules interleaved, and says after
each what badge_awards holds for the mentor, what badge_award_events was told, and the stats. Use it
to check anything that claims to follow the contract:

    reference = Reference("mentor id")
    reference.apply(versions)            # versions that take effect together: an event
    reference.put(row)                   # a Mentor, Activity, ...: an event
    reference.delete(Activity, row_id)   # an event as well
    reference.awards, reference.events, reference.stats()

Rows that were there at the log's start are given by `found` and `lost`, which decide nothing, and
are decided once by the `apply` that follows.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec.structs
from msgspec import Struct

from reference.reading import (
    READINGS,
    Rows,
    begins,
    counting_from,
    number,
    reached_on,
    stats,
    true_since,
)
from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import parse
from tables.types import (
    Activity,
    Award,
    Day,
    DefinitionVersion,
    Mentor,
    OrganizationVersion,
    Pause,
    Stats,
    TrainingCompletion,
    Version,
)
from tables.zones import zone

_Row: TypeAlias = Mentor | Activity | TrainingCompletion | Pause | Award


class Event(Struct, frozen=True):
    """A row of badge_award_events, ids and instants of writing aside."""

    kind: str
    badge_definition_id: str
    tier: str | None
    definition_version: int


class Reference:
    """One mentor, by the book."""

    def __init__(self, mentor_id: str) -> None:
        self.mentor_id = mentor_id
        self.rows: dict[type, dict[str, Any]] = {
            kind: {} for kind in (Mentor, Activity, TrainingCompletion, Pause)
        }
        self.awards: dict[str, Award] = {}
        """What badge_awards holds, by definition id; a rule's award has its definition's id."""
        self.events: list[Event] = []
        self.definitions: dict[str, DefinitionVersion] = {}
        self.organizations: dict[str, OrganizationVersion] = {}
        """The newest version of each."""
        self._deleted: dict[str, int] = {}
        """The last version in which a definition was deleted."""
        self._saved: list[Version] = []
        """Every version so far, the newest last."""

    def apply(self, versions: Iterable[Version]) -> None:
        """New versions take effect: an event."""
        self._saved = sorted([*self._saved, *versions], key=lambda version: version.version)
        definitions = [each for each in self._saved if isinstance(each, DefinitionVersion)]
        self.organizations = {v.id: v for v in self._saved if isinstance(v, OrganizationVersion)}
        self.definitions = {version.id: version for version in definitions}
        self._deleted = {version.id: version.version for version in definitions if version.deleted}
        self.evaluate()

    def put(self, row: _Row) -> None:
        """A row came or changed: an event."""
        self.found(row)
        self.evaluate()

    def delete(self, kind: type, row_id: str) -> None:
        """A row went: an event."""
        self.lost(kind, row_id)
        self.evaluate()

    def found(self, row: _Row) -> None:
        """A row before the log's start."""
        if isinstance(row, Award):
            award = _with_what_was_known(row, self.awards.get(row.badge_definition_id))
            self.lost(Award, row.id)
            self.awards[row.badge_definition_id] = award
        else:
            kind = next(kind for kind in self.rows if isinstance(row, kind))
            self.rows[kind][row.id] = row

    def lost(self, kind: type, row_id: str) -> None:
        """A row that went before the log's start."""
        if issubclass(kind, Award):
            self.awards = {k: award for k, award in self.awards.items() if award.id != row_id}
            return
        self.rows[next(each for each in self.rows if issubclass(kind, each))].pop(row_id, None)
        if issubclass(kind, Mentor):
            self.awards = {}

    def stats(self) -> Stats:
        """The mentor's row of peer_mentor_stats."""
        return stats(self.mentor_id, self._rows(UTC, {}))

    def evaluate(self) -> None:
        """Evaluate the rules in effect, prerequisites first."""
        self.awards = {
            definition_id: award
            for definition_id, award in self.awards.items()
            if award.definition_version is None
            or award.definition_version >= self._deleted.get(definition_id, 0)
        }
        mentor = self.rows[Mentor].get(self.mentor_id)
        if mentor is None or not mentor.active:
            return
        named, waiting = self._applying(mentor.organization_id)
        rows = self._rows(_zone(self.organizations.get(mentor.organization_id)), named)
        self._date_awards(rows.zone)
        while waiting:
            ready = [
                each
                for each in waiting
                if not any(named.get(key) in waiting for key in _badge_keys(waiting[each]))
            ]
            for definition_id in ready:
                self._decide(self.definitions[definition_id], waiting.pop(definition_id), rows)

    def _date_awards(self, zone: tzinfo) -> None:
        """Awards that the log gives no date get one where the mentor is first decided with them."""
        for definition_id, award in self.awards.items():
            if award.earned_on is None and award.derived_on is None:
                day = _date_in(zone, award.earned_at)
                self.awards[definition_id] = msgspec.structs.replace(award, derived_on=day)

    def _applying(self, organization: str) -> tuple[dict[str, str], dict[str, Mapping[str, Any]]]:
        """Which definition each key names, and the criteria of those that are to be decided."""
        everyones = [d for d in self._in_effect() if d.organization_id is None]
        own = [d for d in self._in_effect() if d.organization_id == organization]
        named = {definition.key: definition.id for definition in everyones + own}
        decided: dict[str, Mapping[str, Any]] = {}
        for definition in sorted(everyones + own, key=lambda d: (d.saved_at, d.id)):
            criteria = _read_criteria(definition.criteria)
            if definition.status == "active" and criteria and criteria["type"] in READINGS:
                decided[definition.id] = criteria
                if self._circular(definition.id, decided, named):
                    del decided[definition.id]
        return named, decided

    def _in_effect(self) -> list[DefinitionVersion]:
        known = sorted(self.definitions.values(), key=lambda d: (d.saved_at, d.id))
        return [definition for definition in known if not definition.deleted]

    @staticmethod
    def _circular(start: str, criteria: Mapping[str, Any], named: Mapping[str, str]) -> bool:
        """Whether a definition needs itself, by way of others."""
        needed = {named.get(key, "") for key in _badge_keys(criteria[start])}
        while True:
            if start in needed:
                return True
            more = {
                named.get(key, "")
                for each in needed
                if each in criteria
                for key in _badge_keys(criteria[each])
            }
            if more <= needed:
                return False
            needed |= more

    def _rows(self, zone: tzinfo, named: Mapping[str, str]) -> Rows:
        return Rows(
            list(self.rows[Activity].values()),
            list(self.rows[TrainingCompletion].values()),
            list(self.rows[Pause].values()),
            lambda key: self.awards.get(named.get(key, "")),
            zone,
        )

    def _decide(
        self, definition: DefinitionVersion, criteria: Mapping[str, Any], all_rows: Rows
    ) -> None:
        award = self.awards.get(definition.id)
        if award and award.revoked_by not in (None, "rule"):
            return
        rows = counting_from(all_rows, definition.counts_from)
        tiers = criteria["tiers"] if criteria["type"] == "tier" else []
        if award and award.revoked_by is None and not self._may_be_lost(definition, award):
            # Only a higher tier can follow, so nothing else is looked at.
            tiers = [tier for tier in tiers if tier["at_least"] > self._rank(award, criteria)]
            if not tiers:
                return
        dates = {t["name"]: reached_on(criteria, rows, t["at_least"]) for t in tiers}
        reached = {name: day for name, day in dates.items() if day is not None}
        since = true_since(criteria, rows)
        top = list(reached)[-1] if reached else None
        if award is None:
            if since is not None:
                self._grant(definition, since, top, reached, rows.zone)
            return
        if award.revoked_by == "rule" and since is not None:
            award = self._write("restored", definition, award, revoked_by=None)
        elif self._may_be_lost(definition, award) and since is None:
            if award.revoked_by is None:
                self._write("revoked", definition, award, revoked_by="rule")
            return
        if award.revoked_by is None and top and self._is_above(top, award, criteria):
            self._write(
                "promoted",
                definition,
                award,
                tier=top,
                tier_earned_at=begins(reached[top], rows.zone),
                tier_earned_on=reached[top],
                tier_version=definition.version,
            )

    def _is_above(self, tier: str, award: Award, criteria: Mapping[str, Any]) -> bool:
        return _levels(criteria)[tier] > self._rank(award, criteria)

    def _rank(self, award: Award, criteria: Mapping[str, Any]) -> int:
        """What the held tier asks for, or asked for once; 0 for none and for one never heard of."""
        levels = _levels(criteria)
        if award.tier is None or award.tier in levels:
            return 0 if award.tier is None else levels[award.tier]
        saved = self._since_deletion(award.badge_definition_id)
        gave = award.tier_version if award.tier_version else award.definition_version
        # The version that gave it comes last, and so counts, if it has the tier at all.
        saved += [version for version in saved if version.version == gave]
        known = [
            _levels(_read_criteria(version.criteria) or {}).get(award.tier) for version in saved
        ]
        return [0, *(level for level in known if level is not None)][-1]

    def _since_deletion(self, definition_id: str) -> list[DefinitionVersion]:
        deleted = self._deleted.get(definition_id, 0)
        return [
            version
            for version in self._saved
            if isinstance(version, DefinitionVersion)
            and version.id == definition_id
            and version.version > deleted
        ]

    @staticmethod
    def _may_be_lost(definition: DefinitionVersion, award: Award) -> bool:
        return definition.revocable and award.awarded_by == "rule"

    def _grant(
        self,
        definition: DefinitionVersion,
        since: Day,
        top: str | None,
        reached: Mapping[str, Day],
        zone: tzinfo,
    ) -> None:
        self._write(
            "granted",
            definition,
            Award(
                id=definition.id,
                peer_mentor_id=self.mentor_id,
                badge_definition_id=definition.id,
                earned_at=begins(since, zone),
                definition_version=definition.version,
                tier=top,
                tier_earned_at=begins(reached[top], zone) if top else None,
                earned_on=since,
                tier_earned_on=reached[top] if top else None,
                tier_version=definition.version if top else None,
            ),
        )

    def _write(
        self, kind: str, definition: DefinitionVersion, award: Award, **changes: object
    ) -> Award:
        after = msgspec.structs.replace(award, changed_by="rule", changed_in=None, **changes)
        self.awards[definition.id] = after
        self.events.append(Event(kind, definition.id, after.tier, definition.version))
        return after


def _with_what_was_known(row: Award, before: Award | None) -> Award:
    """A row, with what it does not say: dates never move, and the same tier was given once."""
    if before is None or before.id != row.id:
        return row
    kept: dict[str, Any] = {}
    if row.tier_version is None and row.tier == before.tier:
        kept["tier_version"] = before.tier_version
    if row.earned_on is None and row.earned_at == before.earned_at:
        kept |= {"earned_on": before.earned_on, "derived_on": before.derived_on}
    if row.tier_earned_on is None and row.tier_earned_at == before.tier_earned_at:
        kept["tier_earned_on"] = before.tier_earned_on
    return msgspec.structs.replace(row, **kept)


def _badge_keys(criteria: Mapping[str, Any]) -> list[str]:
    """The keys of badges that criteria name, at any depth."""
    found: list[str] = list(criteria["badges"]) if criteria["type"] == "badges" else []
    for part in criteria.get("of", ()):
        found += _badge_keys(part)
    return found


@lru_cache(maxsize=1 << 12)
def _read_criteria(text: str) -> Mapping[str, Any] | None:
    """The criteria as JSON, None when they are not valid (which is the contract's to say)."""
    try:
        parse(text)
    except InvalidCriteria:
        return None
    criteria: Mapping[str, Any] = json.loads(text)
    return criteria


def _levels(criteria: Mapping[str, Any]) -> dict[str, int]:
    """What each tier asks for, by name; nothing where criteria are of another type."""
    if criteria.get("type") != "tier":
        return {}
    return {tier["name"]: tier["at_least"] for tier in criteria["tiers"]}


def _date_in(zone: tzinfo, instant: datetime) -> Day:
    """The date of an instant in a time zone, or in its own where no calendar goes that far."""
    try:
        return number(instant.astimezone(zone).date())
    except OverflowError:
        return number(instant.date())


def _zone(organization: OrganizationVersion | None) -> tzinfo:
    """The time zone in effect; one that is unknown counts as UTC."""
    return (zone(organization.timezone) if organization else None) or UTC
