"""Running stats: what peer_mentor_stats says of a mentor, kept up to date row by row."""

from collections.abc import Iterable

from tables.measures.dates import Dates
from tables.measures.pauses import Pauses, Spans
from tables.measures.runs import Runs
from tables.periods import BEGINS, PERIOD_OF, PeriodName, bounds, month_of, week_of
from tables.rows import BIAS, DAY_AT, MINUTES_AT, MINUTES_MASK, TYPE_MASK, Change, type_name
from tables.types import Day, Stats


class RunningStats:
    """Counts and minutes of every row, and the runs of days, weeks and months that have one."""

    __slots__ = ("_minutes", "_types", "dates", "runs")

    def __init__(self, spans: Spans) -> None:
        self._minutes = 0
        self._types: dict[int, int] = {}
        self.dates = Dates()
        """The days that have a row."""
        self.runs: dict[PeriodName, Runs] = {
            period: Runs(0, Pauses.of(spans, period)) for period in ("day", "week", "month")
        }
        """The runs of each kind of period; streaks of the same periods read them too."""

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in rows that came and went."""
        types, count, minutes = self._types, self.dates.count, self._minutes
        for change in changes:
            row, step = (change, 1) if change >= 0 else (~change, -1)
            minutes += step * (row >> MINUTES_AT & MINUTES_MASK)
            kind = row & TYPE_MASK
            types[kind] = types.get(kind, 0) + step
            day = (row >> DAY_AT) - BIAS
            turned = count(day, step)
            if turned > 0:
                self._begin(day)
            elif turned:
                self._end(day)
        self._minutes = minutes

    def _begin(self, day: Day) -> None:
        """A day has its first row: so may its week and month."""
        runs = self.runs
        runs["day"].add(day)
        runs["week"].add(week_of(day))
        runs["month"].add(month_of(day))

    def _end(self, day: Day) -> None:
        """A day has no row left: neither may its week and month."""
        for period, runs in self.runs.items():
            number = PERIOD_OF[period](day)
            if not self.dates.any_between(BEGINS[period](number), BEGINS[period](number + 1)):
                runs.remove(number)

    def pause(self, spans: Spans, first: Day, last: Day | None) -> None:
        """Pauses from `first` to `last` (None: for ever) changed, to `spans`."""
        for period, runs in self.runs.items():
            runs.pause(Pauses.of(spans, period), *bounds(period, first, last))

    def stats(self, mentor_id: str, activities: int, trainings: int) -> Stats:
        """The row as it shall be, of so many activities and trainings."""
        streaks: list[int | None] = []
        for period, runs in self.runs.items():
            length, newest = runs.newest
            first_day = None if newest is None else BEGINS[period](newest)
            streaks += [runs.longest, length, first_day]
        return Stats(
            mentor_id,
            activities,
            self._minutes,
            len(self.dates),
            {type_name(number): count for number, count in self._types.items() if count},
            trainings,
            self.dates.first,
            self.dates.last,
            *streaks,  # type: ignore[arg-type]
        )
