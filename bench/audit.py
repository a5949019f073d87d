"""How long an audit takes of an organization where everything is as it should be."""

import asyncio
import time

from badges.upkeep import auditing
from badges.upkeep.auditing import AuditScope
from bench.figures import Figure, Target
from bench.people import MENTORS, ROWS, fill
from bench.site import Bench
from schema.database import connect
from sinks import repairs
from sinks.pool import Connection
from tests.stack import Stack


def measure(bench: Bench) -> list[Figure]:
    """The median of some audits of 400 mentors with 500 activities each, and twenty badges."""
    stack = bench.postgres
    url = stack.create_database()
    took = asyncio.run(_audits(stack, url, bench.size(5, 1)))
    stack.drop_database(url)
    about = f"badges audit of {MENTORS * ROWS:,} activities and 20 definitions, nothing to find"
    return [
        Figure("audit", sorted(took)[len(took) // 2], "s", about, target=Target(at_most=5)),
    ]


async def _audits(stack: Stack, url: str, times: int) -> list[float]:
    await fill(stack, url)
    async with connect(url) as connection, connect(url) as beside:
        await _decide(connection)
        took = []
        for _ in range(times):
            began = time.perf_counter()
            found, _ = await auditing.look(connection, beside, AuditScope())
            took.append(time.perf_counter() - began)
            assert not found.findings
        return took


async def _decide(connection: Connection) -> None:
    """Write what is missing; badges that build on others come to be missing only then."""
    while missing := (await auditing.look(connection, None, AuditScope()))[0].findings:
        async with connection.transaction():
            await connection.execute("SELECT set_config('badges.writer', 'audit', true)")
            for kind in ("missing", "stats"):
                rows = [
                    {
                        "peer_mentor_id": each.peer_mentor_id,
                        "badge_definition_id": each.badge_definition_id,
                        **({"stats": each.expected} if kind == "stats" else each.expected or {}),
                    }
                    for each in missing
                    if each.kind == kind
                ]
                await repairs.write(connection, kind, rows)
    await connection.execute("VACUUM ANALYZE")
