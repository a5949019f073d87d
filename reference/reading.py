"""A brute-force reading of what criteria mean: plain, slow, and sharing nothing with the fold.

Everything is computed from scratch from a mentor's rows, sentence by sentence as the contract says
it, so that two wrong answers would have to be wrong independently.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, TypeAlias

from msgspec import Struct

from tables.types import Activity, Award, Day, Pause, Stats, TrainingCompletion

Node: TypeAlias = Mapping[str, Any]


class Rows(Struct, frozen=True):
    """What criteria are read against: a mentor's rows, and what the keys of badges stand for.

    `held` gives the award of a badge key, or None; `zone` is the organization's time zone.
    """

    activities: list[Activity]
    trainings: list[TrainingCompletion]
    pauses: list[Pause]
    held: Callable[[str], Award | None]
    zone: tzinfo


def counting_from(rows: Rows, first: Day | None) -> Rows:
    """The rows that a definition's counts_from lets through: activities and completions alone."""
    if first is None:
        return rows
    return Rows(
        [a for a in rows.activities if a.activity_date >= first],
        [t for t in rows.trainings if t.completed_on >= first],
        rows.pauses,
        rows.held,
        rows.zone,
    )


def true_since(node: Node, rows: Rows) -> Day | None:
    """The date on which criteria came true, going through the rows by date; None if they do not."""
    return READINGS[node["type"]](node, rows)


def _threshold_on(node: Node, rows: Rows) -> Day | None:
    """The date of the row that reached at_least."""
    return reached_on(node, rows, node["at_least"])


def _tier_on(node: Node, rows: Rows) -> Day | None:
    """A tier badge came true when its lowest tier was reached."""
    return reached_on(node, rows, node["tiers"][0]["at_least"])


def _training_on(node: Node, rows: Rows) -> Day | None:
    """The completion that made it enough."""
    courses = set(node["courses"])
    first = {
        course: min(t.completed_on for t in rows.trainings if t.course_code[:200] == course)
        for course in courses
        if any(t.course_code[:200] == course for t in rows.trainings)
    }
    return _nth(first.values(), node.get("at_least", len(courses)))


def _badges_on(node: Node, rows: Rows) -> Day | None:
    """The m-th earliest of the badges that are held."""
    keys = set(node["badges"])
    awards = [award for award in map(rows.held, keys) if award and not award.revoked_by]
    return _nth([award.day for award in awards], node.get("at_least", len(keys)))


def _all_on(node: Node, rows: Rows) -> Day | None:
    """The latest part."""
    return _nth(_parts_on(node, rows), len(node["of"]))


def _any_on(node: Node, rows: Rows) -> Day | None:
    """The m-th earliest part."""
    return _nth(_parts_on(node, rows), node.get("at_least", 1))


def _parts_on(node: Node, rows: Rows) -> list[Day]:
    days = [true_since(part, rows) for part in node["of"]]
    return [day for day in days if day is not None]


def _nth(days: Iterable[Day], n: int) -> Day | None:
    """The n-th earliest of some dates."""
    ordered = sorted(days)
    return ordered[n - 1] if len(ordered) >= n else None


def amount(metric: str, activities: list[Activity]) -> int:
    """What some activities come to."""
    if metric == "count":
        return len(activities)
    if metric == "minutes":
        return sum(a.duration_minutes or 0 for a in activities)
    if metric == "active_days":
        return len({a.activity_date for a in activities})
    return len({a.activity_type[:200] for a in activities})


def chosen(node: Node, rows: Rows) -> list[Activity]:
    """The activities of the types that criteria name, by date."""
    types = node.get("activity_types")
    found = [a for a in rows.activities if types is None or a.activity_type[:200] in types]
    return sorted(found, key=lambda a: a.activity_date)


def reached_on(node: Node, rows: Rows, level: int) -> Day | None:
    """The first date by which a threshold or tier reaches a level in some window."""
    metric, window, activities = node["metric"], node.get("window"), chosen(node, rows)
    if window is not None and "from" in window:
        first, last = number(window["from"]), number(window["to"])
        activities = [a for a in activities if first <= a.activity_date <= last]
    if amount(metric, activities) < level:
        return None
    if window is None or "from" in window:
        return _first_day_with(activities, lambda until: amount(metric, until) >= level)
    days = [a.activity_date for a in activities]
    for day in sorted(set(days)):
        near = activities[bisect_left(days, day - _longest(window)) : bisect_right(days, day)]
        if amount(metric, [a for a in near if _together(window, a, day)]) >= level:
            return day
    return None


def _first_day_with(
    activities: list[Activity], is_enough: Callable[[list[Activity]], bool]
) -> Day | None:
    """The first date of some activities by which there is enough; what is enough stays so."""
    days = sorted({a.activity_date for a in activities})
    before = bisect_left(
        days, True, key=lambda day: is_enough([a for a in activities if a.activity_date <= day])
    )
    return days[before] if before < len(days) else None


_LONGEST = {"week": 7, "month": 31, "quarter": 92, "year": 366}


def _longest(window: Node) -> int:
    """A number of days that such a window does not exceed, so that not all rows are asked."""
    days: int = window.get("rolling_days") or _LONGEST[window["calendar"]]
    return days


def _together(window: Node, activity: Activity, day: Day) -> bool:
    """Whether an activity lies in the window that ends on a day, or in that day's period."""
    if "rolling_days" in window:
        return activity.activity_date > day - int(window["rolling_days"])
    named = window["calendar"]
    return period(named, activity.activity_date) == period(named, day)


def _streak_on(node: Node, rows: Rows) -> Day | None:
    """The first date by which some run is as long as a streak asks for."""

    def is_long_enough(activities: list[Activity]) -> bool:
        runs = _runs(node, activities, rows.pauses)
        return any(len(run) >= node["length"] for run in runs)

    return _first_day_with(chosen(node, rows), is_long_enough)


READINGS: dict[str, Callable[[Node, Rows], Day | None]] = {
    "threshold": _threshold_on,
    "streak": _streak_on,
    "training": _training_on,
    "badges": _badges_on,
    "all": _all_on,
    "any": _any_on,
    "tier": _tier_on,
}
"""How criteria of each type are read; what is awarded by hand is not."""


def _runs(node: Node, activities: list[Activity], pauses: list[Pause]) -> Iterator[list[int]]:
    """The runs of counting periods, oldest first, each as its counting periods."""
    named, metric = node["period"], node.get("metric", "count")
    inside: dict[int, list[Activity]] = {}
    for activity in activities:
        inside.setdefault(period(named, activity.activity_date), []).append(activity)
    counting = [p for p in sorted(inside) if amount(metric, inside[p]) >= node.get("per_period", 1)]
    run: list[int] = []
    for each in counting:
        if run and _missed(named, run[-1], each, pauses) > node.get("grace", 0):
            yield run
            run = []
        run.append(each)
    if run:
        yield run


def _missed(named: str, first: int, second: int, pauses: list[Pause]) -> int:
    """How many periods between two were missed: not counting, and without a paused day."""
    spans = [
        (period(named, p.starts_on), None if p.ends_on is None else period(named, p.ends_on))
        for p in pauses
        if p.ends_on is None or p.ends_on >= p.starts_on
    ]
    return sum(
        not any(start <= each and (end is None or each <= end) for start, end in spans)
        for each in range(first + 1, second)
    )


def number(day: date | str) -> Day:
    """A date as days since 1970-01-01."""
    return (date.fromisoformat(day) if isinstance(day, str) else day).toordinal() - 719163


def _as_date(day: Day) -> date:
    """The date of a day number."""
    return date.fromordinal(day + 719163)


def period(named: str, day: Day) -> int:
    """A number for the day, ISO week, month, quarter or year of a date."""
    on = _as_date(day)
    if named == "day":
        return day
    if named == "week":
        return (on.toordinal() - 1) // 7  # day 1 of year 1 was a Monday
    if named == "month":
        return on.year * 12 + on.month
    if named == "quarter":
        return on.year * 4 + (on.month - 1) // 3
    return on.year


def _first_day(named: str, day: Day) -> Day:
    """The first day of a date's day, week or month."""
    on = _as_date(day)
    if named == "week":
        return day - on.weekday()
    return number(on.replace(day=1)) if named == "month" else day


@lru_cache(maxsize=1 << 14)
def begins(day: Day, zone: tzinfo) -> datetime:
    """The first instant of a date in a time zone: look at every minute, then at every second."""
    wanted = _as_date(day)
    instant = datetime(wanted.year, wanted.month, wanted.day, tzinfo=UTC) - timedelta(hours=16)
    for step in (timedelta(minutes=1), timedelta(seconds=1)):
        while instant.astimezone(zone).date() < wanted:
            instant += step
        instant -= step
    return instant + timedelta(seconds=1)


def stats(mentor_id: str, rows: Rows) -> Stats:
    """The mentor's row of peer_mentor_stats: every row of any type counts."""
    activities = rows.activities
    days = sorted({a.activity_date for a in activities})
    types = {a.activity_type[:200] for a in activities}
    streaks: list[Any] = []
    for named in ("day", "week", "month"):
        found = list(_runs({"period": named}, activities, rows.pauses))
        streaks.append(max(map(len, found), default=0))
        streaks.append(len(found[-1]) if found else 0)
        streaks.append(_first_day(named, days[-1]) if found else None)
    return Stats(
        mentor_id,
        len(activities),
        sum(a.duration_minutes or 0 for a in activities),
        len(days),
        {each: sum(a.activity_type[:200] == each for a in activities) for each in types},
        len(rows.trainings),
        days[0] if days else None,
        days[-1] if days else None,
        *streaks,
    )
