"""Evaluation: what holds is compared with what is held, and the difference is decisions."""

from collections.abc import Iterable
from datetime import datetime
from heapq import heapify, heappop, heappush

import msgspec.structs

from tables.criteria.condition import Wait
from tables.criteria.reached import Reached
from tables.decisions import Cause, Decision, Kind
from tables.evidence import evidence
from tables.ledger import Ledger
from tables.periods import first_instant
from tables.plans import Plan, Rule
from tables.rules import RuleBook
from tables.types import Award, Day
from tables.watchlist import Watchlist


def evaluate(watchlist: Watchlist, cause: Cause) -> list[Decision]:
    """What the rules in effect change about one mentor's awards after an event.

    Prerequisites come first. The ledger then holds what is believed after the decisions. Nothing
    is decided while the mentor is inactive or has no row.
    """
    if watchlist.is_quiet():
        return []
    ledger, stale = watchlist.ledger, watchlist.is_stale()
    if stale:
        watchlist.begin(_plan(ledger, watchlist.book))
    plan = watchlist.plan
    if plan is None:
        ledger.keep_measures(())
        return []
    due = range(len(plan.rules)) if stale else watchlist.due_rules()
    decisions = _evaluate(watchlist, plan, due, cause)
    watchlist.rearm()
    if stale or decisions:
        ledger.keep_measures(watchlist.wanted())
    return decisions


def _plan(ledger: Ledger, book: RuleBook) -> Plan | None:
    """The rules for the mentor as things are; None when nothing may be decided."""
    for award in list(ledger.held.values()):
        # It went with a deletion of its definition; its own delete may be to come.
        version = award.definition_version
        if version is not None and version < book.deleted_before(award.badge_definition_id):
            ledger.drop_award(award.id)
    mentor = ledger.mentor
    if mentor is None or not mentor.active:
        return None
    plan = book.plan(mentor.organization_id)
    ledger.date_awards(plan.zone)
    return plan


def _evaluate(watchlist: Watchlist, plan: Plan, due: Iterable[int], cause: Cause) -> list[Decision]:
    """Decide the rules that are due, and those that depend on what that changes."""
    decisions: list[Decision] = []
    queue = list(due)
    heapify(queue)
    last = -1
    while queue:
        number = heappop(queue)
        if number == last:
            continue
        last = number
        case = _Case(watchlist.ledger, plan, plan.rules[number], cause)
        decided = case.decide()
        watchlist.wait(number, case.waits())
        if decided:
            decisions += decided
            for dependent in plan.dependents.get(case.rule.definition_id, ()):
                if watchlist.is_open(dependent):
                    heappush(queue, dependent)
    return decisions


class _Case:
    """One rule and one mentor, in the light of one event."""

    def __init__(self, ledger: Ledger, plan: Plan, rule: Rule, cause: Cause) -> None:
        self.ledger = ledger
        self.plan = plan
        self.rule = rule
        self.cause = cause

    def decide(self) -> list[Decision]:
        award = self.ledger.held.get(self.rule.definition_id)
        if award is None:
            return [self._grant()] if self.rule.condition.holds(self.ledger) else []
        if award.revoked_by == "rule":
            if not self.rule.condition.holds(self.ledger):
                return []
            restored = self._change("restored", award, revoked_by=None)
            return [restored, *self._promote(restored.after)]
        if award.revoked_by is not None:
            return []
        if self._may_be_lost(award) and not self.rule.condition.holds(self.ledger):
            return [self._change("revoked", award, revoked_by="rule")]
        return self._promote(award)

    def waits(self) -> Iterable[Wait] | None:
        """What may change the outcome from here; None when only people can.

        That is so where the badge is held for good, or was taken away by somebody.
        """
        rule, ledger = self.rule, self.ledger
        award = ledger.held.get(rule.definition_id)
        if award is None or award.revoked_by == "rule":
            return rule.condition.until(ledger, holds=True)
        above = rule.above(award)[:1] if award.revoked_by is None else ()
        waits = [wait for _, reached in above for wait in reached.until(ledger, holds=True)]
        if award.revoked_by is None and self._may_be_lost(award):
            return [*rule.condition.until(ledger, holds=False), *waits]
        return waits if above else None

    def _may_be_lost(self, award: Award) -> bool:
        return self.rule.revocable and award.awarded_by == "rule"

    def _grant(self) -> Decision:
        rule, mentor_id = self.rule, self.ledger.mentor_id
        tier, tier_day = self._top(rule.tiers)
        day = rule.condition.day(self.ledger)
        award = Award(
            id=self.cause.award_id(mentor_id, rule.definition_id),
            peer_mentor_id=mentor_id,
            badge_definition_id=rule.definition_id,
            earned_at=self._instant(day),
            definition_version=rule.version,
            tier=tier,
            tier_earned_at=None if tier_day is None else self._instant(tier_day),
            earned_on=day,
            tier_earned_on=tier_day,
            tier_version=None if tier is None else rule.version,
        )
        self.ledger.believe(award)
        shown = evidence(self.ledger, rule, day, self.cause)
        return Decision("granted", self.cause, None, award, rule.version, shown)

    def _promote(self, award: Award) -> list[Decision]:
        tier, day = self._top(self.rule.above(award))
        if day is None:
            return []
        instant = self._instant(day)
        changes = {"tier": tier, "tier_earned_at": instant, "tier_earned_on": day}
        return [self._change("promoted", award, tier_version=self.rule.version, **changes)]

    def _top(self, tiers: Iterable[tuple[str, Reached]]) -> tuple[str | None, Day | None]:
        """The name and date of the highest of some tiers that is reached, if one is."""
        top: tuple[str, Reached] | None = None
        for tier in tiers:
            if not tier[1].holds(self.ledger):
                break
            top = tier
        return (None, None) if top is None else (top[0], top[1].day(self.ledger))

    def _instant(self, day: Day) -> datetime:
        return first_instant(day, self.plan.zone)

    def _change(self, kind: Kind, award: Award, **changes: object) -> Decision:
        after = msgspec.structs.replace(award, changed_by="rule", changed_in=None, **changes)
        self.ledger.believe(after)
        return Decision(kind, self.cause, award, after, self.rule.version)
