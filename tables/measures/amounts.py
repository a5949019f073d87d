"""Amounts: what rows come to in one metric, together or period by period."""

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from tables.measures.dates import Dates
from tables.periods import PERIOD_OF, Period, PeriodName
from tables.rows import BIAS, DAY_AT, TYPE_MASK, Change, Row, day_in, minutes_in
from tables.types import Day

Metric: TypeAlias = Literal["count", "minutes", "active_days", "distinct_types"]


def _growing(metric: Metric, rows: Iterable[Row]) -> Iterator[tuple[Row, int]]:
    """Each row, and what the rows up to it amount to."""
    value = 0
    seen: set[int] = set()
    for row in rows:
        if metric == "count":
            value += 1
        elif metric == "minutes":
            value += minutes_in(row)
        else:
            seen.add(row >> DAY_AT if metric == "active_days" else row & TYPE_MASK)
            value = len(seen)
        yield row, value


def amount(metric: Metric, rows: Iterable[Row]) -> int:
    """What some rows amount to."""
    value = 0
    for _, value in _growing(metric, rows):  # noqa: B007 - the last one is it
        pass
    return value


def reaching(metric: Metric, level: int, rows: Iterable[Row]) -> Day:
    """The date of the row, of some by date, that brings the amount to a level."""
    for row, value in _growing(metric, rows):
        if value >= level:
            return day_in(row)
    raise LookupError(f"the rows do not reach {level}")


class PeriodAmounts:
    """What rows amount to in one metric, period by period; periods without rows have none."""

    __slots__ = ("_dates", "_metric", "_of", "_seen", "values")

    def __init__(self, metric: Metric, period: PeriodName) -> None:
        self._metric: Metric = metric
        self._of = PERIOD_OF[period]
        self._dates = Dates()
        """The dates that have a row, where dates are counted."""
        self._seen: dict[int, int] = {}
        """How many rows there are of each type in each period, where types are counted."""
        self.values: dict[Period, int] = {}

    def apply(self, changes: Iterable[Change]) -> Iterator[tuple[Period, int, int]]:
        """Add rows and take rows out: each period that changes, its amount before, and after."""
        for period, by in self._steps(changes).items():
            before = self.values.get(period, 0)
            after = before + by
            if after:
                self.values[period] = after
            elif before:
                del self.values[period]
            yield period, before, after

    def _steps(self, changes: Iterable[Change]) -> dict[Period, int]:
        """By how much each period grows or shrinks."""
        metric, of = self._metric, self._of
        steps: dict[Period, int] = {}
        for change in changes:
            row, by = change, 1
            if change < 0:
                row, by = ~change, -1
            day = (row >> DAY_AT) - BIAS
            period = of(day)
            if metric != "count":
                if metric == "minutes":
                    by *= minutes_in(row)
                elif metric == "active_days":
                    by = self._dates.count(day, by)
                else:
                    by = distinct(self._seen, period << 32 | row & TYPE_MASK, by)
            steps[period] = steps.get(period, 0) + by
        return steps


def distinct(seen: dict[int, int], key: int, step: int) -> int:
    """Count one of a kind that came (1) or went (-1): 1 for the first of it, -1 for the last."""
    before = seen.get(key, 0)
    after = before + step
    if after:
        seen[key] = after
        return 0 if before else step
    del seen[key]
    return step
