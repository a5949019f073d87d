"""The rule book: which versions of definitions and time zones are in effect."""

from collections.abc import Iterable, Mapping
from datetime import UTC, tzinfo
from typing import TypeVar

from tables.criteria.base import Criterion
from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import parse
from tables.plans import Plan, draw_up
from tables.tiers import Tiers, levels_in
from tables.types import DefinitionVersion, OrganizationVersion, Version
from tables.zones import zone

_V = TypeVar("_V", DefinitionVersion, OrganizationVersion)


class RuleBook:
    """Everything that is saved about definitions and time zones, as far as it was applied.

    What is in effect depends on the newest version of each id alone, never on how versions were
    handed over. Bad data sets a definition aside with its reason and raises nothing. A time zone
    that is not known counts as UTC, until a known one is saved.
    """

    def __init__(self) -> None:
        self.revision = 0
        """Grows whenever versions are applied; who was evaluated under another is so anew."""
        self._definitions: dict[str, DefinitionVersion] = {}
        self._organizations: dict[str, OrganizationVersion] = {}
        self._deleted: dict[str, int] = {}
        self._criteria: dict[str, Criterion | InvalidCriteria] = {}
        self._tiers: dict[str, Tiers] = {}
        self._plans: dict[str, Plan] = {}

    def apply(self, versions: Iterable[Version]) -> None:
        """Put new versions into effect, deletions included; of several of an id, the newest."""
        for version in sorted(versions, key=lambda each: each.version):
            if isinstance(version, OrganizationVersion):
                _newest(self._organizations, version)
                continue
            if version.deleted:
                last = self._deleted.get(version.id, 0)
                self._deleted[version.id] = max(last, version.version)
            if _newest(self._definitions, version):
                self._criteria.pop(version.id, None)
                self._note_tiers(version)
        self.revision += 1
        self._plans.clear()

    def _note_tiers(self, version: DefinitionVersion) -> None:
        if version.deleted or version.id not in self._tiers:
            self._tiers[version.id] = Tiers()
        if not version.deleted:
            self._tiers[version.id].note(version.version, levels_in(version.criteria))

    def knows_organization(self, organization_id: str) -> bool:
        """Whether any version of the organization was applied."""
        return organization_id in self._organizations

    def knows_definition(self, definition_id: str) -> bool:
        """Whether any version of the definition was applied, be it its deletion."""
        return definition_id in self._definitions

    def deleted_before(self, definition_id: str) -> int:
        """The version of the newest deletion, 0 without: awards of lower versions went with it."""
        return self._deleted.get(definition_id, 0)

    def tier_level(self, definition_id: str, tier: str, given_by: int | None) -> int:
        """What a tier asked for in the version that gave it; see `Tiers.level`."""
        tiers = self._tiers.get(definition_id)
        return tiers.level(tier, given_by) if tiers else 0

    def zone(self, organization_id: str) -> tzinfo:
        """The organization's time zone in effect."""
        version = self._organizations.get(organization_id)
        return zone(version.timezone if version else "UTC") or UTC

    def plan(self, organization_id: str) -> Plan:
        """What is to be decided about a mentor of the organization, and in which order."""
        plan = self._plans.get(organization_id)
        if plan is None:
            plan = self._plans[organization_id] = draw_up(
                self._applying(organization_id),
                self.criteria,
                self._tiers,
                self.zone(organization_id),
            )
        return plan

    def _applying(self, organization_id: str | None) -> list[DefinitionVersion]:
        return [
            definition
            for definition in self._definitions.values()
            if not definition.deleted and definition.organization_id in (None, organization_id)
        ]

    def criteria(self, definition: DefinitionVersion) -> Criterion | InvalidCriteria:
        """The parsed criteria of the version in effect, or what is wrong with them."""
        parsed = self._criteria.get(definition.id)
        if parsed is None:
            try:
                parsed = parse(definition.criteria)
            except InvalidCriteria as error:
                parsed = error
            self._criteria[definition.id] = parsed
        return parsed

    @property
    def set_aside(self) -> Mapping[str, str]:
        """Why definitions are frozen, and organizations count as UTC, by id."""
        reasons = {
            definition.id: f"invalid criteria: {parsed}"
            for definition in self._definitions.values()
            if not definition.deleted
            and isinstance(parsed := self.criteria(definition), InvalidCriteria)
        }
        for organization in self._organizations.values():
            if zone(organization.timezone) is None:
                reasons[organization.id] = (
                    f"unknown time zone {organization.timezone!r}: dates begin in UTC"
                )
        kept = (each for each in self._definitions.values() if not each.deleted)
        # Organizations without a definition of their own have everyone's plan.
        for organization_id in sorted({"", *(each.organization_id or "" for each in kept)}):
            for definition_id, keys in self.plan(organization_id).cycles.items():
                reasons.setdefault(definition_id, f"closes a cycle of badges: {' -> '.join(keys)}")
        return reasons


def _newest(known: dict[str, _V], new: _V) -> bool:
    old = known.get(new.id)
    if old is not None and old.version >= new.version:
        return False
    known[new.id] = new
    return True
