"""A replay of a whole log, dry, beside the fold alone: in one process, and in two.

The log is a topic that the benchmark has filled, and the tables have what its fold gives.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from uuid import UUID

from pydantic import SecretStr

from badges.settings import Settings
from badges.upkeep.replaying import Order, plan, replay_here, replay_in_processes
from bench.contenders.race import Lap, Watch, run
from bench.definitions import ORGANIZATION, versions
from bench.figures import Figure, Target
from bench.site import Bench
from bench.topic import Filled, fill
from sinks.pool import Pool, create_pool
from sinks.postgres import PostgresSink
from streams import rule_versions
from streams.log.kafka import KafkaAccess
from streams.log.reader import KafkaLog
from streams.partition import Partition
from streams.replay import Scope
from tables.types import DefinitionVersion

_TOPIC = "badges.mentor-log.1"
_LIVE = """
INSERT INTO badge_logs (log_id, generation, topic, slot, connector, partitions, system_identifier,
                        timeline, state, starts, live_at, start_lsn)
SELECT $1, 1, $2, 'badges_mentor_log_1', 'badges-mentor-log-1', $3, system_identifier::text, 1,
       'live', array_fill(0::bigint, ARRAY[$3::int]), now(), '0/0'
FROM pg_control_system()
"""


def measure(bench: Bench) -> list[Figure]:
    """Fold a log into the tables, and replay it."""
    records = bench.size(1_000_000, 60_000)
    filled = asyncio.run(fill(bench.kafka_bootstrap, _TOPIC, records))
    url = bench.postgres.create_database()
    asyncio.run(bench.postgres.migrate(url))
    asyncio.run(_decide(url, filled))
    settings = Settings(database_url=SecretStr(url), kafka_bootstrap=filled.bootstrap)
    fold = run("fold", filled)
    one, two = (asyncio.run(_replayed(settings, filled, number)) for number in (1, 2))
    return [
        Figure(
            "replay_rate",
            one.rate,
            "events/s",
            f"a dry run over {filled.records:,} records, compared with the tables; baseline: "
            "the fold alone",
            fold.rate,
            Target(at_least=0.9, of_ratio=True),
        ),
        Figure(
            "replay_cpu",
            one.cpu_seconds / one.records * 1e6,
            "us/event",
            "CPU time of that; baseline: of the fold alone",
            fold.cpu_seconds / fold.records * 1e6,
        ),
        Figure(
            "replay_two_processes",
            two.rate,
            "events/s",
            "the same shared by two processes, their start included; baseline: one",
            one.rate,
            Target(at_least=1.7, of_ratio=True),
        ),
    ]


async def _replayed(settings: Settings, filled: Filled, processes: int) -> Lap:
    """A replay that finds nothing to do."""
    order = Order(Scope(), "live", apply=False, max_rate=None)
    planned = await plan(settings, order.scope)
    read: list[int] = []
    watch = Watch()
    if processes == 1:
        going = replay_here(settings, order, planned, read.append)
    else:
        going = replay_in_processes(settings, order, planned, read.append, processes)
    async with aclosing(going) as found:
        replayed = [each async for each in found]
    lap = watch.lap(filled.records)
    assert not any(each.items or each.unexplained for each in replayed), replayed[0].items[:3]
    assert sum(read) == filled.records
    return lap


async def _decide(url: str, filled: Filled) -> None:
    """Make the topic the live generation of a database, and write what a worker would."""
    async with (
        await create_pool(url, application_name="bench") as owner,
        await create_pool(url, role="badges_worker", application_name="bench") as worker,
    ):
        await _save_rules(owner)
        await owner.execute(_LIVE, filled.log_id, filled.topic, len(filled.ends))
        await owner.execute(
            "INSERT INTO badge_log_positions (log_id, partition, next_offset, turn) "
            "SELECT $1, generate_series(0, $2 - 1), 0, 0",
            filled.log_id,
            len(filled.ends),
        )
        sink, rules = PostgresSink(worker), await rule_versions.read(owner)
        log = KafkaLog(KafkaAccess(filled.bootstrap), filled.topic)
        for number, end in enumerate(filled.ends):
            state = Partition(filled.log_id, number, start=0)
            state.apply(rules)
            async for chunk in log.read(number, 0, end):
                known = set(state.mentors)
                state.fold(chunk)
                await _insert(owner, sorted(state.mentors.keys() - known))
                await sink.write(state.close_turn()[0])


async def _save_rules(owner: Pool) -> None:
    await owner.execute(
        "INSERT INTO organizations (id, slug, name) VALUES ($1, 'bench', 'Bench')",
        UUID(ORGANIZATION),
    )
    for version in versions():
        if isinstance(version, DefinitionVersion):
            await owner.execute(
                "INSERT INTO badge_definitions (id, organization_id, key, name, description, "
                "criteria, revocable, status, counts_from) "
                "VALUES ($1, $2, $3, $3, 'Of the benchmark', $4::text::jsonb, $5, 'active', "
                "date '1970-01-01' + $6::int)",
                UUID(version.id),
                version.organization_id and UUID(version.organization_id),
                version.key,
                version.criteria,
                version.revocable,
                version.counts_from,
            )


async def _insert(owner: Pool, mentors: Sequence[str]) -> None:
    await owner.execute(
        "INSERT INTO peer_mentors (id, organization_id, display_name) "
        "SELECT unnest($1::uuid[]), $2, 'Nobody'",
        mentors,
        UUID(ORGANIZATION),
    )
