from hypothesis import given, settings
from hypothesis import strategies as st

from tables.rows import Timeline


class Small(Timeline):
    """Chunks of four, so that few rows fill many."""

    _FULL = 4  # type: ignore[misc]


ROWS = st.integers(0, 30)


@settings(max_examples=200)
@given(st.lists(ROWS), st.lists(st.tuples(ROWS, st.booleans()), max_size=60), ROWS, ROWS)
def test_a_timeline_is_a_sorted_multiset(
    first: list[int], changes: list[tuple[int, bool]], low: int, high: int
) -> None:
    timeline, rows = Small(first), list(first)
    for row, comes in changes:
        if comes:
            rows.append(row)
            timeline.apply([row])
        elif row in rows:
            rows.remove(row)
            timeline.apply([~row])
    inside = sorted(row for row in rows if low <= row < high)
    assert list(timeline.between(low, high)) == inside
    assert list(timeline.backwards(low, high)) == inside[::-1]
    assert timeline.any_between(low, high) == bool(inside)
    assert list(timeline.between()) == sorted(rows)
