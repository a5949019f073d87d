"""Windows of every metric against a count from scratch, whatever comes and goes in which order."""

from datetime import UTC
from random import Random

import pytest

from reference.reading import Rows, amount, reached_on
from streams.records import LAST_DAY
from tables.ledger import Ledger
from tables.measures import skyline
from tables.measures.amounts import Metric
from tables.measures.measure import Measure
from tables.measures.specs import Key, spec_of
from tables.types import Activity
from tests.builders import MENTOR, activity
from tests.seeds import seeds

METRICS: list[Metric] = ["count", "minutes", "active_days", "distinct_types"]
KINDS = ["visit", "phone", "chat", "call"]
FAR = [-(2**31), LAST_DAY]


def window(metric: Metric, rows: list[Activity], days: int, last: int) -> int:
    return amount(metric, [row for row in rows if last - days < row.activity_date <= last])


def check(measure: Measure, metric: Metric, rows: list[Activity], days: int) -> None:
    ends = {row.activity_date for row in rows}
    assert measure.value == max((window(metric, rows, days, last) for last in ends), default=0)
    criteria = {"metric": metric, "window": {"rolling_days": days}}
    read = Rows(rows, [], [], lambda _: None, UTC)
    levels = range(1, measure.value + 1)
    for level in levels if len(levels) < 9 else {1, measure.value // 2, measure.value}:
        assert measure.value >= level
        assert measure.day(level, ()) == reached_on(criteria, read, level)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", seeds(60))
def test_the_best_window_is_known_after_every_change(
    metric: Metric, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    monkeypatch.setattr(skyline, "BLOCK", random.choice([2, 3, 8, 64]))
    days = random.choice([1, 2, 3, 7, 30, 400])
    types = random.choice([None, None, frozenset(["visit"]), frozenset(["visit", "chat"])])
    since = random.choice([None, None, 20])
    ledger, spec = Ledger(MENTOR), spec_of(Key("rolling", metric, types, since, days=days))
    rows: dict[str, Activity] = {}
    newest = 40
    for number in range(160):
        newest += random.choice([0, 0, 0, 1, 1, 2, days])
        day = newest if random.random() < 0.6 else newest - random.randrange(60)
        if seed % 10 == 9 and random.random() < 0.1:
            day = random.choice(FAR) + random.randrange(9)
        if rows and random.random() < 0.4:
            gone = random.choice(list(rows))
            del rows[gone]
            ledger.drop_activity(gone)
        else:
            name = random.choice(list(rows)) if rows and random.random() < 0.2 else f"{number}"
            minutes = random.choice([None, 0, 1, 20, 2**31 - 1])
            rows[name] = activity(name, day, random.choice(KINDS), minutes)
            ledger.put_activity(rows[name])
        if random.random() < 0.5:
            counted = [
                row
                for row in rows.values()
                if (types is None or row.activity_type in types)
                and (since is None or row.activity_date >= since)
            ]
            measure = ledger.measure(spec)
            check(measure, metric, counted, days)
            newest = ledger.newest_day
            assert measure.newest(newest) >= window(metric, counted, days, newest)
    for name in list(rows):
        ledger.drop_activity(name)
    assert ledger.measure(spec).value == 0
