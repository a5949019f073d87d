"""Which definitions are decided for whom: the audit's own reading of what is saved."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from badges.queries.audit.statements import AUDIT
from sinks.pool import Connection
from tables.criteria.base import Criterion
from tables.criteria.parsing import parse_saved

_NOTHING: Final[frozenset[UUID]] = frozenset()


class Version(Struct, frozen=True):
    """A version of a definition; without criteria where those it has are not valid."""

    number: int
    criteria: Criterion | None
    revocable: bool

    @property
    def levels(self) -> Mapping[str, int]:
        """What each tier asks for at least, by its name; empty without tiers."""
        steps = self.criteria.steps(None) if self.criteria else ()
        return {name: reached.level for name, reached in steps}


class Definition(Struct, frozen=True):
    """A definition that is there, with its versions since it was last inserted, ascending."""

    id: UUID
    organization_id: UUID | None
    key: str
    is_active: bool
    """Whether it is active, and its newest version in effect everywhere."""
    versions: Sequence[Version]

    @property
    def newest(self) -> Version:
        """The version that is decided by."""
        return self.versions[-1]

    @property
    def may_be_decided(self) -> bool:
        """Whether it is decided for somebody, unless it closes a cycle."""
        criteria = self.newest.criteria
        return self.is_active and criteria is not None and not criteria.by_hand

    def version(self, number: int | None) -> Version | None:
        """One of its versions, if that is on record."""
        return next((each for each in self.versions if each.number == number), None)

    def level(self, tier: str, given_by: int | None) -> int:
        """How high a tier ranks: by the version that gave it, else by the newest that had one.

        A name that no version had is below every tier.
        """
        by = self.version(given_by)
        newest_first = [each.levels for each in ([by] if by else []) + [*reversed(self.versions)]]
        return next((levels[tier] for levels in newest_first if tier in levels), 0)


class Rules:
    """All definitions, in the order in which their newest versions were saved."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self.definitions = {each.id: each for each in definitions}
        self._decided: dict[UUID, Mapping[UUID, frozenset[UUID]]] = {}

    def decided(self, organization: UUID) -> Mapping[UUID, frozenset[UUID]]:
        """The definitions that are decided for mentors of an organization.

        With each, those that it builds on, directly or not.
        """
        found = self._decided.get(organization)
        if found is None:
            found = self._decided[organization] = self._without_cycles(organization)
        return found

    def _without_cycles(self, organization: UUID) -> Mapping[UUID, frozenset[UUID]]:
        applying = [
            each
            for each in self.definitions.values()
            if each.organization_id in (None, organization)
        ]
        # The organization's own definition before the one of every organization, whatever state.
        ranked = sorted(applying, key=lambda each: each.organization_id is not None)
        named = {each.key: each.id for each in ranked}
        needs: dict[UUID, frozenset[UUID]] = {}
        for definition in applying:
            criteria = definition.newest.criteria
            if not definition.may_be_decided or criteria is None:
                continue
            wanted = frozenset(named[key] for key in criteria.badge_keys() if key in named)
            # Of those that form a circle the one that was saved last is set aside.
            if definition.id not in wanted | _reached(wanted, needs):
                needs[definition.id] = wanted
        return {each: wanted | _reached(wanted, needs) for each, wanted in needs.items()}


def _reached(starts: frozenset[UUID], needs: Mapping[UUID, frozenset[UUID]]) -> frozenset[UUID]:
    """What some definitions need, directly or not."""
    reached: set[UUID] = set()
    waiting = list(starts)
    while waiting:
        new = needs.get(waiting.pop(), _NOTHING) - reached
        reached |= new
        waiting += new
    return frozenset(reached)


async def read_rules(connection: Connection) -> Rules:
    """All definitions as they are saved."""
    rows: dict[UUID, list[Record]] = defaultdict(list)
    for row in await connection.fetch(AUDIT["versions"]):
        rows[row["id"]].append(row)
    return Rules(_definition(versions) for versions in rows.values())


def _definition(rows: Sequence[Record]) -> Definition:
    newest = rows[-1]
    return Definition(
        newest["id"],
        newest["organization_id"],
        newest["key"],
        newest["active"] and newest["in_effect"] and newest["is_newest"],
        [Version(row["version"], _criteria(row["criteria"]), row["revocable"]) for row in rows],
    )


def _criteria(text: str | None) -> Criterion | None:
    return None if text is None else parse_saved(text)
