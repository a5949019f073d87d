"""The audit finds nothing where all is right, and exactly what is wrong."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple, TypeAlias, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest

from badges.queries.audit.comparison import find
from badges.queries.audit.findings import Audit, Finding, FindingKind
from badges.queries.audit.statements import AUDIT
from sinks.pool import Connection
from tables.types import Award
from tests.builders import MENTOR
from tests.integration.schema.lives import Life, uuid, write_award
from tests.integration.schema.people import crowd, settle
from tests.integration.schema.plans import plans
from tests.integration.schema.postgres import Server, copy, execute
from tests.seeds import seeds

T = TypeVar("T")
Damage: TypeAlias = Callable[[Connection, Award], Awaitable[None]]

SEEDS = len(seeds(24))
UNBOUNDED = (
    "ALTER TABLE activities DROP CONSTRAINT activities_activity_type_check",
    "ALTER TABLE mentor_pauses DROP CONSTRAINT mentor_pauses_check",
)


class World:
    """A database in which a life is written, and looked at, and gone again."""

    def __init__(self, runner: asyncio.Runner, db: Connection) -> None:
        self._runner = runner
        self.db = db

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


@pytest.fixture(scope="module")
def world(server: Server, template: str) -> Iterator[World]:
    start, _, model = template.rpartition("/")
    asyncio.run(copy(start, "audited", model))
    asyncio.run(execute(f"{start}/audited", *UNBOUNDED))
    with asyncio.Runner() as runner:
        db = runner.run(asyncpg.connect(f"{start}/audited"))
        yield World(runner, db)
        runner.run(db.close())
    server.drop_database(f"{start}/audited")


async def audited(db: Connection, life: Life) -> Audit:
    transaction = db.transaction()
    await transaction.start()
    try:
        await life.write(db)
        return await find(db, organization=None, since=None)
    finally:
        await transaction.rollback()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_found_where_all_is_right(world: World, seed: int) -> None:
    random = Random(f"audit {seed}")
    life = Life(random, random.choice([5, 30, 100, 250]))
    audit = world.run(audited(world.db, life))
    assert audit.findings == []


async def damaged(db: Connection, life: Life, damage: Damage, award: Award) -> list[Finding]:
    """What is found after damage that only the tables know of."""
    transaction = db.transaction()
    await transaction.start()
    try:
        await life.write(db)
        await damage(db, award)
        audit = await find(db, organization=None, since=None)
        assert not {key(each) for each in audit.findings} & {key(each) for each in audit.explained}
        return audit.findings
    finally:
        await transaction.rollback()


def key(finding: Finding) -> tuple[str, UUID | None]:
    return finding.kind, finding.badge_definition_id


async def change(db: Connection, award: Award, what: str, *values: Any) -> None:
    changed = await db.execute(
        f"UPDATE badge_awards SET {what} WHERE id = $1", uuid(award.id), *values
    )
    assert changed == "UPDATE 1"


async def shift_instant(db: Connection, award: Award) -> None:
    await change(db, award, "earned_at = earned_at + interval '3 days'")


async def shift_both(db: Connection, award: Award) -> None:
    await change(db, award, "earned_at = earned_at - interval '5 days', earned_on = earned_on - 5")


async def flip_revocation(db: Connection, award: Award) -> None:
    await change(
        db,
        award,
        "revoked_by = CASE WHEN revoked_by IS NULL THEN 'rule' END, "
        "revoked_at = CASE WHEN revoked_by IS NULL THEN now() END",
    )


async def change_tier(db: Connection, award: Award) -> None:
    await change(db, award, "tier = 'platinum'")


class Kind(NamedTuple):
    """A kind of damage: which awards it is done to, and what is to be found."""

    damage: Damage
    fits: Callable[[Life, Award], bool]
    found: FindingKind


def given_and_dated_by_rule(life: Life, award: Award) -> bool:
    return (
        award.awarded_by == "rule" and bool(life.evidence[award.id]) and not life.dated_by[award.id]
    )


DAMAGES = [
    Kind(shift_instant, given_and_dated_by_rule, "date"),
    Kind(shift_both, given_and_dated_by_rule, "date"),
    Kind(flip_revocation, lambda *_: True, "revocation"),
    Kind(change_tier, lambda _, award: award.tier is not None, "tier"),
]


@pytest.mark.parametrize("kind", DAMAGES, ids=lambda kind: kind.damage.__name__)
@pytest.mark.parametrize("seed", range(SEEDS // 4))
def test_damage_is_found_and_nothing_else(world: World, kind: Kind, seed: int) -> None:
    random = Random(f"damage {seed}")
    fitting: list[Award] = []
    while not fitting:
        life = Life(random, 100)
        fitting = [award for award in life.held() if kind.fits(life, award)]
    award = random.choice(fitting)
    findings = world.run(damaged(world.db, life, kind.damage, award))
    assert [key(each) for each in findings] == [(kind.found, uuid(award.badge_definition_id))]


async def delete(db: Connection, award: Award) -> None:
    await db.execute("DELETE FROM badge_awards WHERE id = $1", uuid(award.id))


@pytest.mark.parametrize("seed", range(SEEDS // 4))
def test_what_is_gone_is_missing_where_it_is_due(world: World, seed: int) -> None:
    random = Random(f"gone {seed}")
    due: list[Award] = []
    while not due:
        life = Life(random, 100)
        held, conditions = list(life.held()), life.conditions()
        due = [
            award
            for award in held
            if award.badge_definition_id in conditions
            and conditions[award.badge_definition_id].holds(life.fold.ledger)
        ]
    award = random.choice(due)
    findings = world.run(damaged(world.db, life, delete, award))
    assert [key(each) for each in findings] == [("missing", uuid(award.badge_definition_id))]
    others = [each for each in held if each.badge_definition_id not in conditions]
    for award in others[:1]:
        assert world.run(damaged(world.db, life, delete, award)) == []


@pytest.mark.parametrize("seed", range(SEEDS // 4))
def test_what_nobody_gave_is_extra(world: World, seed: int) -> None:
    random = Random(f"extra {seed}")
    undue: list[str] = []
    while not undue:
        life = Life(random, 60)
        held, conditions = {each.badge_definition_id for each in life.held()}, life.conditions()
        undue = [
            name
            for name in life.definitions
            if name not in held
            and not (name in conditions and conditions[name].holds(life.fold.ledger))
        ]
    name = random.choice(undue)
    day = 20_000
    award = Award(str(uuid4()), MENTOR, name, datetime(2024, 10, 4, tzinfo=UTC), 1, earned_on=day)

    async def give(db: Connection, award: Award) -> None:
        await write_award(db, award, {})

    findings = world.run(damaged(world.db, life, give, award))
    assert [key(each) for each in findings] == [("extra", uuid(name))]


@pytest.mark.anyio
async def test_everybody_is_found_by_the_index(db: Connection) -> None:
    await crowd(db, await settle(db))
    criteria = {"version": 1, "type": "threshold", "metric": "active_days", "at_least": 40}
    definition = await db.fetchrow(
        "INSERT INTO badge_definitions (key, criteria, status) VALUES ('busy', $1, 'active') "
        "RETURNING id, version",
        json.dumps(criteria),
    )
    assert definition is not None
    mentors = [row["id"] for row in await db.fetch("SELECT id FROM peer_mentors")]
    read = await plans(db, AUDIT["compare"], mentors, definition["id"], definition["version"])
    assert read
    for plan in read:
        assert "activities_mentor_date_type_idx" in plan, plan
        assert "Seq Scan on activities" not in plan, plan
