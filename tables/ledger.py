"""A ledger: the latest version of every row about one mentor, and what they amount to."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from tables.journal import EVERYTHING, TRAINING, Journal
from tables.names import counted
from tables.types import Award, Day, Mentor, Stats, TrainingCompletion

if TYPE_CHECKING:
    from tables.agenda import Agenda


class Ledger(Journal):
    """One mentor: a pure function of the mentor's log.

    Every put and drop returns whether it changed anything. A ledger without its mentor's own row
    holds rows but decides nothing and has no stats worth writing.
    """

    __slots__ = ("agenda", "completions", "edition", "held", "mentor", "mentor_id", "trainings")

    def __init__(self, mentor_id: str) -> None:
        super().__init__()
        self.mentor_id = mentor_id
        self.mentor: Mentor | None = None
        self.held: dict[str, Award] = {}
        """What the fold believes is in badge_awards, by definition id."""
        self.trainings: dict[str, tuple[str, Day]] = {}
        """Course and date of each completion, by id."""
        self.completions: dict[str, list[Day]] = {}
        """The dates of the completions of each course, ascending."""
        self.edition = -1
        """The edition of the rule book that the mentor was decided under, -1 for none yet."""
        self.agenda: Agenda | None = None
        """What the rules wait for; None while nothing may be decided."""

    @property
    def empty(self) -> bool:
        """Whether nothing is left, so that the ledger may be discarded."""
        rows = self.rows or self.trainings or self._pauses or self.texts
        return not (self.mentor or rows or self.held)

    def put_mentor(self, row: Mentor) -> bool:
        """The mentor's own row came or changed."""
        mentor = Mentor(row.id, row.organization_id, row.active)
        if mentor == self.mentor:
            return False
        self.mentor = mentor
        self.tell(EVERYTHING)
        return True

    def drop_mentor(self) -> bool:
        """The mentor was deleted, and the awards with it; the deletes of other rows follow."""
        if self.mentor is None and not self.held:
            return False
        self.mentor = None
        self.held.clear()
        self.tell(EVERYTHING)
        return True

    def put_training(self, row: TrainingCompletion) -> bool:
        """A training completion came or changed."""
        new = (counted(row.course_code), row.completed_on)
        if self.trainings.get(row.id) == new:
            return False
        self.drop_training(row.id)
        self.trainings[row.id] = new
        insort(self.completions.setdefault(new[0], []), row.completed_on)
        self.tell(TRAINING)
        return True

    def drop_training(self, training_id: str) -> bool:
        """A training completion went."""
        self.forget(training_id)
        old = self.trainings.pop(training_id, None)
        if old is None:
            return False
        course, day = old
        days = self.completions[course]
        days.remove(day)
        if not days:
            del self.completions[course]
        self.tell(TRAINING)
        return True

    def course(self, training_id: str) -> str | None:
        """The course of a training completion that is there, or is remembered."""
        training = self.trainings.get(training_id)
        return self.text(training_id) if training is None else training[0]

    def put_award(self, row: Award) -> bool:
        """An award as somebody wrote it, or as it was found: it replaces what was believed."""
        award = Award(*(getattr(row, name) for name in Award.__struct_fields__))
        believed = self.held.get(row.badge_definition_id)
        if believed is not None:
            _keep_what_is_known(believed, award)
        if believed == award:
            return False
        self.drop_award(row.id)
        self.held[row.badge_definition_id] = award
        self.tell(EVERYTHING)
        return True

    def drop_award(self, award_id: str) -> bool:
        """An award row was deleted: the rule may give it again."""
        for definition_id, award in self.held.items():
            if award.id == award_id:
                del self.held[definition_id]
                self.tell(EVERYTHING)
                return True
        return False

    def stats(self) -> Stats:
        """The mentor's row of peer_mentor_stats."""
        return self.tally().stats(self.mentor_id, len(self.trainings))


def _keep_what_is_known(before: Award, after: Award) -> None:
    """What a record does not say of an award stays as it was, as long as what it says does."""
    if before.id != after.id:
        return
    if before.tier == after.tier:
        after.tier_version = before.tier_version
    if after.earned_on is None and before.earned_at == after.earned_at:
        after.earned_on, after.derived_on = before.earned_on, before.derived_on
    if after.tier_earned_on is None and before.tier_earned_at == after.tier_earned_at:
        after.tier_earned_on = before.tier_earned_on
