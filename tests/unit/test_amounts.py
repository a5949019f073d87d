from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tables.amounts import PeriodAmounts
from tables.periods import Crossing, month_of


@given(st.lists(st.tuples(st.integers(0, 120), st.booleans()), max_size=60))
def test_the_best_period_of_days_is_right_after_every_batch(
    steps: list[tuple[int, bool]],
) -> None:
    amounts, peak = PeriodAmounts("active_days", "month"), 0
    days: set[int] = set()
    batch: list[Crossing] = []
    for day, ends_batch in steps:
        batch.append((day, day not in days))
        days ^= {day}
        if ends_batch:
            peak = amounts.peak_of_days(batch, peak)
            batch.clear()
            months = Counter(map(month_of, days))
            assert peak == max(months.values(), default=0)
            assert amounts.values == months
