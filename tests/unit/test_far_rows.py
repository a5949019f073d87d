"""Rows that no calendar knows: nothing raises, and what can be said is right."""

from datetime import UTC, datetime
from random import Random

import pytest

from tables.decisions import Cause
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.rules import RuleBook
from tables.types import Award
from tables.watchlist import Watchlist
from tests.builders import (
    MENTOR,
    Storyteller,
    Took,
    activity,
    definition,
    mentor,
    organization,
    pause,
    training,
)
from tests.explain import explain

FAR = [-(2**31) + 6, -800_000, -719_163, -719_162, -1, 0, 2_932_896, 2_932_897, 2**31 - 7]
"""Up to what 32 bits hold: no log has a date that is farther away."""


@pytest.mark.parametrize("seed", range(25))
def test_no_date_and_no_number_raises(seed: int) -> None:
    random = Random(seed)
    book, ledger = RuleBook(), Ledger(MENTOR)
    watchlist = Watchlist(ledger, book)
    for happening in Storyteller(random).tell(60):
        if isinstance(happening, Took):
            book.apply(happening.versions)
    every_row = {"type": "threshold", "metric": "count", "at_least": 1000}
    book.apply([definition("all", every_row)])
    ledger.put_mentor(mentor())
    for number in range(60):
        day = random.choice(FAR) + random.randrange(-3, 4) * random.randrange(3)
        row = f"r{number % 40}"
        kind = random.randrange(8)
        if kind == 0:
            ledger.put_pause(pause(row, day, random.choice([None, random.choice(FAR)])))
        elif kind == 1:
            ledger.put_training(training(row, "basic", day))
        elif kind == 2:
            ledger.drop_activity(row)
        else:
            ledger.put_activity(activity(row, day, minutes=random.choice([None, -5, 2**31 - 1])))
        evaluate(watchlist, Cause("log", 0, number))
    assert ledger.stats().activity_count > 0
    assert all(award.earned_at.tzinfo for award in ledger.held.values())
    standings = explain(ledger, book)
    assert standings["all"].done == ledger.stats().activity_count
    assert all(0 <= each.done <= each.needed for each in standings.values())


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
def test_an_award_from_the_edge_of_time_counts_as_a_prerequisite(moment: datetime) -> None:
    book, ledger = RuleBook(), Ledger(MENTOR)
    book.apply(
        [
            organization(timezone="Pacific/Apia"),
            definition("old", {"type": "training", "courses": ["none"]}),
            definition("new", {"type": "badges", "badges": ["old"]}),
        ]
    )
    ledger.put_mentor(mentor())
    ledger.put_award(Award("a", MENTOR, "old", moment.replace(tzinfo=UTC), awarded_by="anna"))
    (decision,) = evaluate(Watchlist(ledger, book), Cause("log", 0, 0))
    assert decision.after.badge_definition_id == "new"
    assert abs(decision.after.earned_at - moment.replace(tzinfo=UTC)).days <= 1
