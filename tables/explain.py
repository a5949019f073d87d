"""Explaining: how far a mentor is with each badge, and what is missing, from the fold's state."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from tables.conditions import Condition, Parts
from tables.criteria import All, AnyOf, Badges, Criteria, Raw, Streak, Tier, Training
from tables.ledger import Ledger
from tables.plans import Rule
from tables.rules import RuleBook
from tables.wording import missing

Measured: TypeAlias = Callable[[Criteria], int]
"""What a leaf of some criteria amounts to now: the metric, the longest run, courses or badges."""


class Standing(Struct, frozen=True):
    """How far one criterion is: `done` of `needed`, each part of it the same, and what is missing.

    `path` is the criterion's JSON path. A tier stands towards the next tier above the one reached;
    `all` and `any` count the parts that hold, and their percentage is that of the nearest parts.
    """

    path: str
    type: str
    done: int
    needed: int
    percent: int
    missing: str
    parts: tuple["Standing", ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing is missing."""
        return self.done >= self.needed


def standing(criteria: Criteria, measured: Measured, path: str = "$") -> Standing:
    """How far criteria are, given what their leaves amount to."""
    if isinstance(criteria, All | AnyOf):
        parts = tuple(
            standing(part, measured, f"{path}.of[{index}]")
            for index, part in enumerate(criteria.of)
        )
        needed = len(parts) if isinstance(criteria, All) else criteria.at_least
        done = min(sum(part.holds for part in parts), needed)
        nearest = sorted((part.percent for part in parts), reverse=True)[:needed]
        percent = sum(nearest) // needed
        lacking = missing(criteria, done, needed)
        return Standing(path, criteria.type, done, needed, percent, lacking, parts)
    amount = 0 if isinstance(criteria, Raw) else measured(criteria)
    needed = _needed(criteria, amount)
    done = min(amount, needed)
    percent = 100 * done // needed
    return Standing(path, criteria.type, done, needed, percent, missing(criteria, done, needed))


def _needed(criteria: Criteria, amount: int) -> int:
    if isinstance(criteria, Tier):
        levels = [step.at_least for step in criteria.tiers]
        return next((level for level in levels if level > amount), levels[-1])
    if isinstance(criteria, Streak):
        return criteria.length
    if isinstance(criteria, Training):
        return criteria.at_least or len(set(criteria.courses))
    if isinstance(criteria, Badges):
        return criteria.at_least or len(set(criteria.badges))
    return 1 if isinstance(criteria, Raw | All | AnyOf) else criteria.at_least


def explain(ledger: Ledger, book: RuleBook) -> Mapping[str, Standing]:
    """How far a mentor is with every badge that is being decided, by definition id.

    Empty for a mentor without a row of their own. Badges that are held stand at their rule as well.
    """
    if ledger.mentor is None:
        return {}
    plan = book.plan(ledger.mentor.organization_id)
    return {rule.definition_id: _of_rule(ledger, rule) for rule in plan.rules}


def _of_rule(ledger: Ledger, rule: Rule) -> Standing:
    amounts: dict[int, int] = {}
    _measure(ledger, rule.criteria, rule.condition, amounts)
    if isinstance(rule.criteria, Tier):
        top = rule.tiers[-1][1]
        amounts[id(rule.criteria)] = top.amount_so_far(ledger)
    return standing(rule.criteria, lambda node: amounts[id(node)])


def _measure(
    ledger: Ledger, criteria: Criteria, condition: Condition, amounts: dict[int, int]
) -> None:
    """Note what each leaf amounts to, under the identity of its criteria."""
    if isinstance(condition, Parts) and isinstance(criteria, All | AnyOf):
        for node, part in zip(criteria.of, condition.parts, strict=True):
            _measure(ledger, node, part, amounts)
    else:
        amounts[id(criteria)] = condition.amount_so_far(ledger)
