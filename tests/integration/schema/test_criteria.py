"""Criteria in SQL: a second opinion that agrees with the fold about everybody."""

import asyncio
import json
import os
from collections.abc import Iterator
from random import Random

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.pool import Connection
from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import parse
from tables.types import Day
from tests.integration.schema import histories
from tests.integration.schema.histories import Histories, RuleTeller, Standings
from tests.integration.schema.postgres import Server, execute

MENTORS = 250
RULES = int(os.environ.get("BADGES_SEEDS", "60"))

MEASURE = """
SELECT peer_mentor_id::text, path, amount, holds, came_true_on - date '1970-01-01'
FROM badges_private.measure($1::uuid[], $2, date '1970-01-01' + $3::int)
"""


class World:
    """A database with mentors, and the fold's view of them."""

    def __init__(self, runner: asyncio.Runner, db: Connection, made: Histories) -> None:
        self._runner = runner
        self._db = db
        self.made = made

    def measure(self, text: str, since: Day | None) -> dict[str, Standings]:
        """What SQL says of every mentor."""
        rows = self._runner.run(self._db.fetch(MEASURE, list(self.made.by_mentor), text, since))
        found: dict[str, Standings] = {}
        for mentor_id, path, amount, holds, day in rows:
            assert path not in found.setdefault(mentor_id, {})
            found[mentor_id][path] = (amount, holds, day)
        return found


@pytest.fixture(scope="module", params=range(2))
def world(request: pytest.FixtureRequest, server: Server, template: str) -> Iterator[World]:
    start, _, model = template.rpartition("/")
    name = f"histories_{request.param}"
    random = Random(request.param)
    with asyncio.Runner() as runner:
        runner.run(execute(f"{start}/postgres", f'CREATE DATABASE {name} TEMPLATE "{model}"'))
        db = runner.run(asyncpg.connect(f"{start}/{name}"))
        made = histories.make_up(random, runner.run(histories.define(db, random)), MENTORS)
        runner.run(histories.load(db, made))
        yield World(runner, db, made)
        runner.run(db.close())
    server.drop_database(f"{start}/{name}")


@settings(max_examples=RULES, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_sql_and_fold_agree_about_everybody(world: World, random: Random) -> None:
    criteria, since = RuleTeller(random).rule()
    text = json.dumps(criteria)
    try:
        parsed = parse(text)
    except InvalidCriteria:
        return
    found = world.measure(text, since)
    if parsed.by_hand:
        assert not found
        return
    for mentor_id, history in world.made.by_mentor.items():
        expected = histories.standings(parsed, since, history)
        assert found.get(mentor_id) == expected, (text, since, history)
