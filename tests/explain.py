"""How far a mentor is with each badge, and what is missing, from the fold's state: for tests."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from tables.criteria.base import Criterion
from tables.criteria.condition import Condition
from tables.ledger import Ledger
from tables.rules import RuleBook


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


def standing(criteria: Criterion, amounts: Mapping[str, int], path: str = "$") -> Standing:
    """How far criteria are, given what those without parts amount to now, by their JSON paths.

    Criteria that nobody measures, because they are never evaluated, amount to nothing.
    """
    parts = tuple(
        standing(part, amounts, f"{path}.of[{index}]") for index, part in enumerate(criteria.parts)
    )
    amount = sum(part.holds for part in parts) if parts else amounts.get(path, 0)
    needed = criteria.needed(amount)
    done = min(amount, needed)
    missing = criteria.missing(done, needed) if done < needed else ""
    percent = 100 * done // needed
    if parts:
        nearest = sorted((part.percent for part in parts), reverse=True)[:needed]
        percent = sum(nearest) // needed
    return Standing(path, criteria.type, done, needed, percent, missing, parts)


def explain(ledger: Ledger, book: RuleBook) -> Mapping[str, Standing]:
    """How far a mentor is with every badge that is being decided, by definition id.

    Empty for a mentor without a row of their own. Badges that are held stand at their rule as well.
    """
    if ledger.mentor is None:
        return {}
    plan = book.plan(ledger.mentor.organization_id)
    return {
        rule.definition_id: standing(rule.criteria, dict(_amounts(ledger, rule.condition, "$")))
        for rule in plan.rules
    }


def _amounts(ledger: Ledger, condition: Condition, path: str) -> Iterator[tuple[str, int]]:
    """What each condition without parts amounts to, by its path in the criteria."""
    if not condition.parts:
        yield path, condition.amount_so_far(ledger)
    for index, part in enumerate(condition.parts):
        yield from _amounts(ledger, part, f"{path}.of[{index}]")
