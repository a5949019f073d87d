"""When the ends of two logs are near enough for the older one to be closed."""

import pytest

from streams.filling.handover import Passes


@pytest.mark.parametrize(
    ("took", "enough"),
    [
        ([4.9], 1),
        ([300, 80, 20, 4.9], 4),
        ([7, 7, 6.5, 7, 7, 7], 6),
        ([300, 300, 300, 300, 300, 59], None),
        ([300, 59, 61, 61, 61, 59], 6),
    ],
    ids=["near", "nearer each time", "no nearer", "it would cost too much", "a minute at most"],
)
def test_the_ends_are_near_or_as_near_as_they_come(took: list[float], enough: int | None) -> None:
    passes = Passes()
    ended = [passes.are_enough(each) for each in took]
    assert ended == [number == enough for number in range(1, len(took) + 1)]
