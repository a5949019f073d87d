"""How far a mentor is with each badge, by what the fold's state amounts to: to compare with."""

from collections.abc import Iterator, Mapping

from tables.criteria.condition import Condition
from tables.criteria.standing import Standing, standing
from tables.ledger import Ledger
from tables.rules import RuleBook


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
