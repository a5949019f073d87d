"""`badges audit` of what the real worker gave: nothing where all is right, then what is wrong."""

import json
from random import Random
from typing import Any
from uuid import UUID

from sinks.pool import Connection
from tests.integration.commands import Command
from tests.integration.load import Load, going_on
from tests.integration.operations import Operations
from tests.integration.pipeline import Pipeline, Rig
from tests.stack import LIMIT_S

MOST = 100
RULE_GIVEN = """
SELECT peer_mentor_id, badge_definition_id FROM badge_awards
WHERE awarded_by = 'rule' AND dated_by IS NULL ORDER BY id
"""
ITS = "WHERE (peer_mentor_id, badge_definition_id) = ($1, $2)"
SHIFTS = (
    f"UPDATE badge_awards SET earned_at = earned_at - interval '2 days' {ITS}",
    "UPDATE badge_awards SET earned_at = earned_at + interval '9 days', "
    f"earned_on = earned_on + 9 {ITS}",
)


async def audit(p: Pipeline, *options: str) -> tuple[int, Any]:
    """How an audit ends, and what it prints."""
    code, out, err = await (
        await Command(p, "audit", "--json", f"--limit={LIMIT_S:g}", *options).start()
    ).end()
    assert out, err
    return code, json.loads(out)


async def shift(connection: Connection, pairs: list[tuple[UUID, UUID]]) -> None:
    """Move dates, or instants alone, and nobody is told."""
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        for number, pair in enumerate(pairs):
            assert await connection.execute(SHIFTS[number % 2], *pair) == "UPDATE 1"


def test_after_kills_nothing_is_found_and_then_what_was_shifted(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        operations, random = Operations(12), Random(12)
        await Load(p, operations).begin()
        worker = p.worker()
        await p.at_work(worker)
        async with going_on(p, operations) as going:
            for _ in range(4):
                await going.more(random.randrange(20, 60))
                worker.kill()
                worker.start()
        code, found = await audit(p)
        assert (code, found["findings"]) == (0, [])
        awards = [tuple(row) for row in await p.pool.fetch(RULE_GIVEN)]
        shifted = random.sample(awards, min(MOST, len(awards)))
        assert len(shifted) >= 20
        async with p.pool.acquire() as connection:
            await shift(connection, shifted)
        code, found = await audit(p)
        assert code == 1
        assert {each["kind"] for each in found["findings"]} == {"date"}
        assert sorted(map(subject, found["findings"])) == sorted(shifted)
        _, mended = await audit(p, "--repair")
        assert len(mended["repaired"]) == len(shifted)
        code, found = await audit(p)
        assert (code, found["findings"]) == (0, [])

    own.run(test)


def subject(finding: dict[str, str]) -> tuple[UUID, UUID]:
    return UUID(finding["peer_mentor_id"]), UUID(finding["badge_definition_id"])
