from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tables.measures.best_period import BestPeriod
from tables.measures.choices import Choice
from tables.periods import month_of
from tables.rows import Change, begins


@given(st.lists(st.tuples(st.integers(0, 120), st.booleans()), max_size=60))
def test_the_best_period_of_days_is_right_after_every_batch(
    steps: list[tuple[int, bool]],
) -> None:
    best = BestPeriod(Choice(None), "active_days", "month")
    days: set[int] = set()
    batch: list[Change] = []
    for day, ends_batch in steps:
        batch.append(~begins(day) if day in days else begins(day))
        days ^= {day}
        if ends_batch:
            best.apply(batch)
            batch.clear()
            months = Counter(map(month_of, days))
            assert best.value == max(months.values(), default=0)
