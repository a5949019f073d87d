"""A plan: the rules that one organization's mentors are decided by, in order."""

from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from typing import TypeAlias

from msgspec import Struct

from tables.criteria.base import Criterion
from tables.criteria.condition import Condition
from tables.criteria.errors import InvalidCriteria
from tables.criteria.reached import Reached
from tables.measures.specs import MeasureSpec
from tables.tiers import Tiers
from tables.types import Award, DefinitionVersion

_Parsed: TypeAlias = Callable[[DefinitionVersion], Criterion | InvalidCriteria]


class Rule(Struct, frozen=True, eq=False):
    """An active definition, ready to be decided; `tiers` are empty unless it has some.

    `tiers_before` are those that it had in its versions so far.
    """

    definition_id: str
    version: int
    revocable: bool
    criteria: Criterion
    condition: Condition
    tiers: tuple[tuple[str, Reached], ...] = ()
    specs: frozenset[MeasureSpec] = frozenset()
    tiers_before: Tiers = Tiers()

    def above(self, award: Award) -> tuple[tuple[str, Reached], ...]:
        """The tiers that are above the one held, ascending; all of them when none is held."""
        if not self.tiers or award.tier is None:
            return self.tiers
        levels = {name: reached.level for name, reached in self.tiers}
        level = levels.get(award.tier)
        if level is None:
            given_by = award.tier_version or award.definition_version
            level = self.tiers_before.level(award.tier, given_by)
        return tuple(tier for tier in self.tiers if tier[1].level > level)


class Plan(Struct, frozen=True, eq=False):
    """The rules of an organization, prerequisites first, and its time zone.

    `cycles` are the active definitions that are set aside because, in the order in which the
    versions in effect were saved (then by id), they close a cycle of badges; with the keys in it.
    """

    rules: tuple[Rule, ...]
    zone: tzinfo
    cycles: Mapping[str, tuple[str, ...]]
    training: tuple[int, ...]
    """The numbers of the rules that ask for training."""
    dependents: Mapping[str, tuple[int, ...]]
    """The numbers of the rules that ask for a definition's badge, by its id."""


def draw_up(
    definitions: Iterable[DefinitionVersion],
    parsed: _Parsed,
    tiers: Mapping[str, Tiers],
    zone: tzinfo,
) -> Plan:
    """Compile the definitions that apply to one organization: its own and everyone's.

    `tiers` are those of all versions so far, by definition id.
    """
    in_order = sorted(definitions, key=lambda each: (each.saved_at, each.id))
    keys = _keys(in_order)
    active: dict[str, tuple[DefinitionVersion, Criterion]] = {}
    needs: dict[str, list[str]] = {}
    cycles: dict[str, tuple[str, ...]] = {}
    names = {definition.id: definition.key for definition in in_order}
    for definition in in_order:
        criteria = parsed(definition)
        if definition.status != "active" or isinstance(criteria, InvalidCriteria):
            continue
        if criteria.by_hand:
            continue
        needed = sorted({keys[key] for key in criteria.badge_keys() if key in keys})
        circle = _path(needed, definition.id, needs)
        if circle:
            cycles[definition.id] = tuple(names[each] for each in [definition.id, *circle])
        else:
            active[definition.id] = definition, criteria
            needs[definition.id] = needed
    rules = [_rule(*active[each], tiers[each], keys) for each in _ordered(needs)]
    return Plan(
        tuple(rules),
        zone,
        cycles,
        tuple(n for n, each in enumerate(rules) if each.condition.asks_training),
        _dependents([needs[each.definition_id] for each in rules]),
    )


def _dependents(needs: list[list[str]]) -> dict[str, tuple[int, ...]]:
    dependents: dict[str, tuple[int, ...]] = {}
    for number, needed in enumerate(needs):
        for definition_id in needed:
            dependents[definition_id] = (*dependents.get(definition_id, ()), number)
    return dependents


def _keys(definitions: list[DefinitionVersion]) -> dict[str, str]:
    """Which definition each key names: the organization's own before everyone's, then the newest.

    The status does not matter: what a retired definition awarded still counts.
    """
    ranked = sorted(definitions, key=lambda each: each.organization_id is not None)
    return {definition.key: definition.id for definition in ranked}


def _path(starts: list[str], goal: str, needs: Mapping[str, list[str]]) -> list[str]:
    """A way from some definitions along what they need to `goal`, empty if there is none."""
    ways = [[start] for start in starts]
    seen = set(starts)
    while ways:
        way = ways.pop()
        if way[-1] == goal:
            return way
        for needed in needs.get(way[-1], ()):
            if needed not in seen:
                seen.add(needed)
                ways.append([*way, needed])
    return []


def _ordered(needs: Mapping[str, list[str]]) -> list[str]:
    """Definitions after everything that they need, otherwise by id."""
    order: dict[str, None] = {}
    waiting = sorted(needs, reverse=True)
    while waiting:
        open_needs = [each for each in needs[waiting[-1]] if each in needs and each not in order]
        if open_needs:
            waiting += reversed(open_needs)
        else:
            order[waiting.pop()] = None
    return list(order)


def _rule(
    definition: DefinitionVersion,
    criteria: Criterion,
    tiers_before: Tiers,
    keys: Mapping[str, str],
) -> Rule:
    condition = criteria.condition(definition.counts_from, keys)
    return Rule(
        definition.id,
        definition.version,
        definition.revocable,
        criteria,
        condition,
        tuple(criteria.steps(definition.counts_from)),
        frozenset(condition.specs()),
        tiers_before,
    )
