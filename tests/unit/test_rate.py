"""How fast a number changes is told by what was seen of it of late, and not too soon."""

from streams.lag.rate import Rate


def test_it_is_told_once_the_number_was_seen_for_long_enough() -> None:
    rate = Rate(span_s=30, least_s=2)
    assert rate.per_second is None
    rate.see(100, 50)
    rate.see(101, 40)
    assert rate.per_second is None
    rate.see(102, 30)
    assert rate.per_second == -10


def test_what_is_older_than_the_span_does_not_count() -> None:
    rate = Rate(span_s=30, least_s=2)
    for at, number in ((0, 1000), (10, 0), (40, 60)):
        rate.see(at, number)
    assert rate.per_second == 2


def test_what_was_forgotten_is_compared_with_nothing() -> None:
    rate = Rate(span_s=30, least_s=2)
    rate.see(0, 10)
    rate.forget()
    assert rate.per_second is None
    rate.see(10, 1000)
    assert rate.per_second is None
