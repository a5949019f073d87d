"""Criteria in SQL: a second opinion that agrees with the fold about everybody."""

import asyncio
import json
import re
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.pool import Connection
from tables.criteria.base import Criterion
from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import parse
from tables.criteria.union import TYPES
from tables.types import Day
from tests.integration.schema import histories
from tests.integration.schema.histories import Histories, RuleTeller, Standings
from tests.integration.schema.people import People, crowd, settle
from tests.integration.schema.plans import plans
from tests.integration.schema.postgres import Server, copy
from tests.seeds import seeds
from tests.unit.active_periods import ActivePeriods

T = TypeVar("T")

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-criteria-type.md"
MENTORS = 250
RULES = len(seeds(60))

MEASURE = """
SELECT peer_mentor_id::text, path, amount, holds, came_true_on - date '1970-01-01'
FROM badges_private.measure($1::uuid[], $2, date '1970-01-01' + $3::int)
"""

HOLDERS = """
SELECT peer_mentor_id::text, earned_on - date '1970-01-01', tier,
       tier_earned_on - date '1970-01-01'
FROM badges_private.holders($1::uuid[], $2, date '1970-01-01' + $3::int)
"""


class World:
    """A database with mentors, and the fold's view of them."""

    def __init__(self, runner: asyncio.Runner, db: Connection, made: Histories) -> None:
        self._runner = runner
        self.db = db
        self.made = made

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something of this database."""
        return self._runner.run(work)

    def measure(
        self, text: str, since: Day | None, mentors: Sequence[str] | None = None
    ) -> dict[str, Standings]:
        """What SQL says of some mentors, or of every one."""
        everybody = list(self.made.by_mentor)
        rows = self.run(self.db.fetch(MEASURE, mentors or everybody, text, since))
        found: dict[str, Standings] = {}
        for mentor_id, path, amount, holds, day in rows:
            assert path not in found.setdefault(mentor_id, {})
            found[mentor_id][path] = (amount, holds, day)
        return found

    def compare(self, criteria: Criterion, text: str, since: Day | None) -> None:
        """Fail where SQL says of anybody what the fold does not."""
        found = self.measure(text, since)
        if criteria.by_hand:
            assert not found
            return
        for mentor_id, history in self.made.by_mentor.items():
            expected = histories.standings(criteria, since, history)
            assert found.get(mentor_id) == expected, (text, since, mentor_id)


@pytest.fixture(scope="module", params=range(2))
def world(request: pytest.FixtureRequest, server: Server, template: str) -> Iterator[World]:
    start, _, model = template.rpartition("/")
    name = f"histories_{request.param}"
    random = Random(request.param)
    with asyncio.Runner() as runner:
        runner.run(copy(start, name, model))
        db = runner.run(asyncpg.connect(f"{start}/{name}"))
        made = histories.make_up(random, runner.run(histories.define(db, random)), MENTORS)
        runner.run(histories.load(db, made))
        yield World(runner, db, made)
        runner.run(db.close())
    server.drop_database(f"{start}/{name}")


def told(random: Random) -> tuple[Criterion, str, Day | None]:
    """A valid rule, and its criteria as text."""
    while True:
        criteria, since = RuleTeller(random).rule()
        text = json.dumps(criteria)
        try:
            return parse(text), text, since
        except InvalidCriteria:
            continue


@settings(max_examples=RULES, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_sql_and_fold_agree_about_everybody(world: World, random: Random) -> None:
    world.compare(*told(random))


@pytest.mark.parametrize("seed", range(RULES // 6))
def test_a_few_stand_as_they_do_among_many(world: World, seed: int) -> None:
    """Other plans are made for them."""
    random = Random(f"few {seed}")
    _, text, since = told(random)
    among_many = world.measure(text, since)
    few = random.sample(list(among_many), min(3, len(among_many)))
    for mentors in (few, few[:1]):
        alone = world.measure(text, since, mentors)
        assert alone == {each: among_many[each] for each in mentors}


@pytest.mark.parametrize("seed", range(RULES // 6))
def test_whoever_it_holds_for_has_the_highest_tier_reached(world: World, seed: int) -> None:
    criteria, text, since = told(Random(f"holders {seed}"))
    names = [name for name, _ in criteria.steps(since)]
    expected = set()
    for mentor_id, standings in world.measure(text, since).items():
        _, holds, day = standings["$"]
        reached = [standings[f"$.tiers[{place}]"] for place in range(len(names))]
        steps = [(name, on) for name, (_, holds, on) in zip(names, reached, strict=True) if holds]
        if holds:
            expected.add((mentor_id, day, *(steps[-1] if steps else (None, None))))
    everybody = list(world.made.by_mentor)
    found = world.run(world.db.fetch(HOLDERS, everybody, text, since))
    assert {tuple(row) for row in found} == expected
    assert len(found) == len(expected)


def test_the_type_of_the_page_agrees_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (function,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.setitem(TYPES, "active_periods", ActivePeriods)
    world.run(world.db.execute("BEGIN"))
    world.run(world.db.execute(function))
    for example in ActivePeriods.examples:
        for seed in range(5):
            _, _, since = told(Random(seed))
            text = json.dumps({"version": 1, "type": "all", "of": [example]})
            world.compare(parse(text), text, since)
    world.run(world.db.execute("ROLLBACK"))


ACTIVE: list[dict[str, Any]] = [
    {"type": "threshold", "metric": "count", "at_least": 3},
    {"type": "threshold", "metric": "minutes", "at_least": 3, "activity_types": ["visit"]},
    {"type": "threshold", "metric": "distinct_types", "at_least": 2},
    {"type": "threshold", "metric": "count", "at_least": 2, "window": {"rolling_days": 9}},
    {"type": "threshold", "metric": "distinct_types", "at_least": 2, "window": {"rolling_days": 9}},
    {"type": "tier", "metric": "active_days", "tiers": [{"name": "a", "at_least": 2}]},
    {"type": "streak", "period": "week", "length": 2, "metric": "count"},
    {"type": "streak", "period": "month", "length": 2, "metric": "distinct_types", "per_period": 2},
]


@pytest.mark.anyio
async def test_some_of_many_are_found_by_the_index(db: Connection) -> None:
    await crowd(db, await settle(db))
    mentors = await db.fetch("SELECT id FROM peer_mentors LIMIT 30")
    for criteria in ACTIVE:
        # No index has the minutes: any that has the mentor is as good.
        by_minutes = criteria["metric"] == "minutes"
        index = "activities_mentor_" if by_minutes else "activities_mentor_date_type_idx"
        for number in (1, 30):
            some = [row["id"] for row in mentors[:number]]
            read = await plans(db, MEASURE, some, json.dumps(criteria), None)
            assert read
            for plan in read:
                assert index in plan, (criteria, number, plan)
                assert "Seq Scan on activities" not in plan, (criteria, number, plan)


MALFORMED: list[Any] = [
    None,
    5,
    "threshold",
    [],
    {},
    {"type": None},
    {"type": "thresh"},
    {"type": "d"},
    {"type": "threshold"},
    {"type": "threshold", "metric": "count", "at_least": "many"},
    {"type": "threshold", "metric": "count", "at_least": 1e30},
    {"type": "threshold", "metric": "count", "at_least": 1, "activity_types": 5},
    {"type": "threshold", "metric": "count", "at_least": 1, "window": {"from": "soon", "to": ""}},
    {"type": "threshold", "metric": "count", "at_least": 1, "window": {"rolling_days": -4}},
    {"type": "tier", "metric": "count", "tiers": 5},
    {"type": "streak", "period": "day", "length": {}},
    {"type": "training", "courses": None},
    {"type": "badges", "badges": {"a": 1}},
    {"type": "all", "of": {}},
    {"type": "any", "of": 5, "at_least": []},
]


DEEP = '{"type": "all", "of": [' * 2000 + '{"type": "training", "courses": ["a"]}' + "]}" * 2000


@pytest.mark.parametrize("text", [*map(json.dumps, MALFORMED), DEEP], ids=lambda text: text[:60])
def test_what_is_set_aside_raises_nothing(world: World, text: str) -> None:
    found = world.measure(text, None).values()
    assert not [path for each in found for path, (_, holds, _) in each.items() if holds]
    assert not world.run(world.db.fetch(HOLDERS, list(world.made.by_mentor), text, None))


@pytest.mark.anyio
async def test_dates_without_end(db: Connection) -> None:
    """An infinite date is none of a row, and bounds of pauses and of what counts are no bounds."""
    people = await settle(db)
    days = ("-infinity", "infinity", "2026-01-01", "2026-01-05", "5874897-12-31", "4714-11-24 BC")
    for day in days:
        await db.execute(
            "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
            "VALUES ($1, 'visit', $2::text::date)",
            people.mentor,
            day,
        )
        await db.execute(
            "INSERT INTO training_completions (peer_mentor_id, course_code, completed_on) "
            "VALUES ($1, $2, $2::text::date)",
            people.mentor,
            day,
        )
    count = {"type": "threshold", "metric": "count", "at_least": 2}
    assert await once(db, people, count) == (4, "2026-01-01")
    assert await once(db, people, count, since="-infinity") == (4, "2026-01-01")
    assert await once(db, people, count, since="infinity") == (0, None)
    courses = {"type": "training", "courses": list(days), "at_least": 4}
    assert await once(db, people, courses) == (4, "5874897-12-31")
    for metric in ("active_days", "distinct_types"):
        window = {"type": "threshold", "metric": metric, "at_least": 1,
                  "window": {"rolling_days": 3660}}  # fmt: skip
        most = 2 if metric == "active_days" else 1
        assert await once(db, people, window) == (most, "4714-11-24 BC")
    for period, longest in (("day", 1), ("week", 2), ("month", 1)):
        streak = {"type": "streak", "period": period, "length": 1}
        assert await once(db, people, streak) == (longest, "4714-11-24 BC")
    await db.execute(
        "INSERT INTO mentor_pauses (peer_mentor_id, starts_on, ends_on) "
        "VALUES ($1, '-infinity', 'infinity')",
        people.mentor,
    )
    assert await once(db, people, {**streak, "length": 3}) == (3, "5874897-12-31")
    assert await once(db, people, {**streak, "period": "day"}) == (4, "4714-11-24 BC")


async def once(
    db: Connection, people: People, criteria: dict[str, Any], since: str | None = None
) -> tuple[int, str | None]:
    row = await db.fetchrow(
        "SELECT amount, came_true_on::text "
        "FROM badges_private.measure(ARRAY[$1::uuid], $2, $3::text::date) WHERE path = '$'",
        people.mentor,
        json.dumps(criteria),
        since,
    )
    assert row is not None
    return row[0], row[1]


@pytest.mark.anyio
async def test_the_api_measures_what_its_caller_may_see(db: Connection) -> None:
    mine, other = await settle(db), await settle(db, "bergen")
    for people in (mine, other):
        await db.execute(
            "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
            "VALUES ($1, 'visit', '2026-01-01')",
            people.mentor,
        )
    claims = {"app_metadata": {"organization_id": str(mine.organization)}}
    await db.execute("SELECT set_config('request.jwt.claims', $1, false)", json.dumps(claims))
    await db.execute("SET ROLE badges_api")
    for example in (each for kind in TYPES.values() for each in kind.examples):
        parts: list[Any] = [{"type": "threshold", "metric": "count", "at_least": 1}]
        if not TYPES[example["type"]].root_only:
            parts.append(example)
        criteria = {"type": "any", "of": parts}
        assert (await once(db, mine, criteria))[0] >= 1
        assert await once(db, other, criteria) == (0, None)


@pytest.mark.anyio
async def test_what_is_decided_and_cannot_be_written_counts_as_decided(db: Connection) -> None:
    people = await settle(db)
    criteria = {"type": "badges", "badges": ["first-visit"]}
    assert await once(db, people, criteria) == (0, None)
    award_id = uuid4()
    await wait(db, people, "granted", award_id, earned_on=20_000)
    assert await once(db, people, criteria) == (1, "2024-10-04")
    await wait(db, people, "revoked", award_id, earned_on=20_000, revoked_by="rule")
    assert await once(db, people, criteria) == (0, None)
    # Somebody gives it meanwhile, and nothing that waits is about that row.
    await db.execute(
        "SELECT award_badge($1, $2, '2025-06-01 12:00Z', '{}', 'anna')",
        people.mentor,
        people.definition,
    )
    assert await once(db, people, criteria) == (1, "2025-06-01")


@pytest.mark.anyio
async def test_what_waits_to_be_withdrawn_is_not_held(db: Connection) -> None:
    people = await settle(db)
    criteria = {"type": "badges", "badges": ["first-visit"]}
    award_id = await db.fetchval(
        "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at) "
        "VALUES ($1, $2, '2025-06-01 12:00Z') RETURNING id",
        people.mentor,
        people.definition,
    )
    assert await once(db, people, criteria) == (1, "2025-06-01")
    await wait(db, people, "withdrawn", award_id, earned_on=20_000)
    assert await once(db, people, criteria) == (0, None)


async def wait(db: Connection, people: People, kind: str, award_id: UUID, **after: Any) -> None:
    """Let a decision wait to be written."""
    await db.execute(
        "INSERT INTO badge_refused_writes (log_id, partition, kind, peer_mentor_id, "
        "badge_definition_id, decision, message) VALUES ('log', 0, $1, $2, $3, $4, 'no')",
        kind,
        people.mentor,
        people.definition,
        json.dumps({"after": {"id": str(award_id), "revoked_by": None, **after}}),
    )
