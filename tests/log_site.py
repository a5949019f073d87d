"""A place to provision logs in: a database, a prefix and a connector of one test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count
from uuid import UUID, uuid4

import asyncpg
from aiokafka.errors import KafkaError

from schema import apply
from sinks.failures import UNREACHED
from sinks.pool import Connection
from streams.errors import CannotTell, LogBroken
from streams.filling import removal
from streams.filling.site import Site
from streams.log import generations
from streams.log.connect import PATIENCE_S, Connect
from streams.log.generations import Generation
from streams.log.integrity import Integrity, sent_lsn
from streams.log.kafka import KafkaAccess
from streams.log.reader import KafkaLog
from tests.own_site import OwnSite
from tests.patience import patient_cluster
from tests.stack import LIMIT_S, Stack

_numbers = count(1)


@asynccontextmanager
async def own_site(
    stack: Stack, url: str, *, partitions: int = 3, migrated: bool = True
) -> AsyncIterator[OwnSite]:
    """A site on a migrated database; at the end its connectors, slots and topics are gone.

    Unless it is to be `migrated`, that is left to the test.
    """
    access = KafkaAccess(stack.kafka_bootstrap)
    connection = await asyncpg.connect(url)
    async with (
        patient_cluster(access) as cluster,
        Connect(stack.connect_url, patience=PATIENCE_S) as rest,
    ):
        site = OwnSite(
            connection=connection,
            access=access,
            cluster=cluster,
            connect=rest,
            prefix=f"t{next(_numbers)}",
            partitions=partitions,
            replication_factor=1,
            progress=lambda _: None,
            database=url.rpartition("/")[2],
        )
        if migrated:
            passwords = stack.role_passwords
            await apply.migrate(connection, prefix=site.prefix, role_passwords=passwords)
        try:
            yield site
        finally:
            found = await alive(site.connection, url)
            if not migrated:
                # A test that failed may leave an earlier version's database.
                await apply.migrate(found, prefix=site.prefix, role_passwords={})
            await _clear(replace(site, connection=found))


async def sent_for_good(site: OwnSite, log: Generation, lsn: int) -> bool:
    """Whether Connect has stored that it sent all up to a place in the WAL, to send it no more."""
    offsets = await site.connect.offsets(log.connector)
    return bool(offsets and (sent_lsn(offsets[0]) or 0) >= lsn)


async def alive(connection: Connection, url: str) -> Connection:
    """The connection, or another where it was lost, of which it may not have heard."""
    with suppress(*UNREACHED, asyncpg.PostgresError):
        await connection.execute("SELECT")
        return connection
    connection.terminate()
    return await asyncpg.connect(url)


async def _clear(site: OwnSite) -> None:
    for row in await site.connection.fetch("SELECT log_id FROM badge_logs"):
        generation = await generations.find(site.connection, row["log_id"])
        assert generation is not None
        await removal.discard(site, generation, "the test is over")
    await site.cluster.delete([f"{site.prefix}.dead-letters"])
    await site.connection.close()


async def add_mentor(connection: Connection, *, activities: int = 0) -> UUID:
    """Insert a mentor of a new organization, and activities of theirs, in one transaction."""
    organization, mentor = uuid4(), uuid4()
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO organizations (id, slug, name) VALUES ($1, $2, 'Red Cross Test')",
            organization,
            str(organization),
        )
        await connection.execute(
            "INSERT INTO peer_mentors (id, organization_id, display_name) "
            "VALUES ($1, $2, 'Astrid Secret')",
            mentor,
            organization,
        )
        await add_activities(connection, mentor, activities)
    return mentor


async def add_activities(connection: Connection, mentor: UUID, number: int) -> None:
    """Insert activities of a mentor, all at once."""
    await connection.execute(
        """
        INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date)
        SELECT gen_random_uuid(), $1, 'visit', date '2026-01-01' + n % 300
        FROM generate_series(1, $2) n
        """,
        mentor,
        number,
    )


async def records(site: Site, generation: generations.Generation) -> list[tuple[str, bytes]]:
    """All records of the log, key and value, partition by partition."""
    reader = KafkaLog(site.access, generation.topic)
    (topic,) = (await site.cluster.topics([generation.topic])).values()
    return [
        ((record.key or b"").decode(), record.value or b"")
        for partition, end in enumerate(await site.cluster.ends(topic))
        async for chunk in reader.read(partition, 0, end)
        for record in chunk
    ]


async def verdict(integrity: Integrity) -> LogBroken | None:
    """What the first look finds that can tell; fails when none does."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            with suppress(CannotTell):
                return await integrity.look()
            await asyncio.sleep(0.1)


async def written(site: Site, generation: generations.Generation, rows: int) -> None:
    """Return when the log holds that many records at least; fails after a while."""
    async with asyncio.timeout(LIMIT_S):
        while not await _holds(site, generation, rows):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _holds(site: Site, generation: generations.Generation, rows: int) -> bool:
    with suppress(KafkaError, OSError, ValueError):  # a broker that has no time, or is not back yet
        (topic,) = (await site.cluster.topics([generation.topic])).values()
        return sum(await site.cluster.ends(topic)) >= rows
    return False
