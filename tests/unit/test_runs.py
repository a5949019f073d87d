from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from tables.measures.pauses import Pauses
from tables.measures.runs import Runs

SPANS = st.lists(
    st.tuples(st.integers(-5, 40), st.one_of(st.none(), st.integers(-8, 45))), max_size=4
)


def by_hand(periods: Iterable[int], grace: int, paused: set[int]) -> list[int]:
    lengths: list[int] = []
    last: int | None = None
    for period in sorted(periods):
        missed = [p for p in range((last or 0) + 1, period) if p not in paused]
        if last is not None and len(missed) <= grace:
            lengths[-1] += 1
        else:
            lengths.append(1)
        last = period
    return lengths


@given(SPANS, st.integers(-10, 50), st.integers(1, 60))
def test_paused_periods_between_two_are_counted(
    spans: list[tuple[int, int | None]], first: int, apart: int
) -> None:
    second = first + apart
    expected = sum(
        any(start <= each and (end is None or each <= end) for start, end in spans)
        for each in range(first + 1, second)
    )
    assert Pauses(spans, "day").between(first, second) == expected


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), max_size=60),
    st.integers(0, 3),
    SPANS,
    SPANS,
)
def test_runs_stay_right_through_every_change(
    toggled: list[tuple[int, int]],
    grace: int,
    spans: list[tuple[int, int | None]],
    later: list[tuple[int, int | None]],
) -> None:
    spans, waiting = list(spans), list(later)
    runs = Runs(grace, Pauses(spans, "day"))
    counting: set[int] = set()
    for period, chance in toggled:
        if chance == 0 and spans:
            gone = spans.pop()
            runs.pause(Pauses(spans, "day"), *gone)
        elif chance == 1 and waiting:
            spans.append(waiting.pop())
            runs.pause(Pauses(spans, "day"), *spans[-1])
        if period in counting:
            counting.remove(period)
            runs.remove(period)
        else:
            counting.add(period)
            runs.add(period)
        paused = {
            each
            for each in range(-10, 60)
            if any(start <= each and (end is None or each <= end) for start, end in spans)
        }
        lengths = by_hand(counting, grace, paused)
        assert runs.longest == max(lengths, default=0)
        assert runs.newest == ((lengths[-1], max(counting)) if lengths else (0, None))


def longest(grace: int, pauses: list[tuple[int, int | None]], periods: list[int]) -> int:
    runs = Runs(grace, Pauses(pauses, "day"))
    for period in periods:
        runs.add(period)
    return runs.longest


def test_miss_paused_miss_is_two_misses_in_a_row() -> None:
    assert longest(1, [(2, 2)], [0, 4]) == 1
    assert longest(2, [(2, 2)], [0, 4]) == 2
    assert longest(0, [(1, None)], [0, 40]) == 2


def test_a_pause_that_ends_before_it_starts_pauses_nothing() -> None:
    assert longest(0, [(3, 1)], [0, 4]) == 1
