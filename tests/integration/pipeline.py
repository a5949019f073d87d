"""A whole pipeline for tests: a database, a live generation of the log, and workers to be abused.

A test writes rows of the contract's tables, waits until everything is decided (`settle`), and looks
at the result tables.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from reference.verification import Verified, verify
from sinks.errors import Unavailable
from sinks.failures import UNREACHED
from sinks.pool import Pool
from streams.filling import provisioning
from streams.log.generations import Generation
from tests.integration.schema.postgres import execute
from tests.integration.workers import SESSION_SECONDS, Worker
from tests.log_site import alive, own_site
from tests.own_site import OwnSite
from tests.stack import LIMIT_S, Stack

Answer = TypeVar("Answer")

PARTITIONS = 4


class Pipeline:
    """One live generation of the log over a database of its own, and the workers that read it."""

    def __init__(self, stack: Stack, site: OwnSite, url: str, pool: Pool, log: Generation) -> None:
        self.stack = stack
        self.site = site
        self.pool = pool
        self.log = log
        self.owner_url = url
        self._workers: list[Worker] = []
        self._keys = count(1)
        self._marks = count(1)
        self._markers: list[UUID] = []

    async def reconnect(self) -> None:
        """Have new connections where those that there are were lost with their server."""
        found = await alive(self.site.connection, self.owner_url)
        if found is not self.site.connection:
            await self.pool.expire_connections()
            self.site = replace(self.site, connection=found)

    async def connect(self) -> asyncpg.Connection:
        """A session of its own, which no pool looks after: it may die with its server."""
        return await asyncpg.connect(self.owner_url)

    def role_url(self, role: str) -> str:
        """A role's URL of this pipeline's database."""
        return self.stack.role_url(role, self.owner_url)

    def worker(self, **settings: str) -> Worker:
        """A new worker of this log, not started yet; `settings` are further BADGES_* variables."""
        environment = {
            "BADGES_DATABASE_URL": self.role_url("badges_worker"),
            "BADGES_KAFKA_BOOTSTRAP": self.stack.kafka_bootstrap,
            "BADGES_CONNECT_URL": self.stack.connect_url,
            "BADGES_PREFIX": self.site.prefix,
            "BADGES_PARTITIONS": str(self.site.partitions),
            "BADGES_SESSION_TIMEOUT": str(SESSION_SECONDS),
            "BADGES_INSTANCE_DIRECTORY": str(self.stack.infra.layout.run_dir / "instances"),
            # Most tests are about what is read from the log.
            "BADGES_CHECKPOINTS": "",
            **settings,
        }
        self._workers.append(Worker(self.stack, environment))
        return self._workers[-1]

    def ensure_a_worker(self) -> None:
        """Start a worker if none runs."""
        if not any(worker.runs for worker in self._workers):
            self.worker().start()

    async def at_work(self, *workers: Worker) -> None:
        """Start workers, and return when each has got partitions."""
        for worker in workers:
            worker.start()
        for worker in workers:
            await self.until(partial(self.has_partitions, worker), what="partitions")

    async def has_partitions(self, worker: Worker, number: int = 1) -> bool:
        """Whether the last assignment gave the worker so many partitions at least."""
        assigned = worker.said("partitions assigned")
        return bool(assigned) and len(assigned[-1]["partitions"]) >= number

    async def supervise(self) -> None:
        """Start workers again that ended by themselves, as the launcher does; never returns."""
        while True:
            for worker in self._workers:
                if worker.wanted and not worker.runs:
                    print(f"{worker.name} ended by itself and is started again")
                    worker.start()
            await asyncio.sleep(0.1)

    def end_workers(self) -> None:
        """End all workers; what they still had to do is left undone."""
        for worker in self._workers:
            worker.end()

    async def organization(self, timezone: str = "Europe/Oslo") -> UUID:
        """Insert an organization."""
        new = uuid4()
        await self.pool.execute(
            "INSERT INTO organizations (id, slug, name, timezone) VALUES ($1, $2, $2, $3)",
            new,
            str(new),
            timezone,
        )
        return new

    async def mentor(self, organization: UUID, *, active: bool = True) -> UUID:
        """Insert a mentor."""
        new = uuid4()
        await self.pool.execute(
            "INSERT INTO peer_mentors (id, organization_id, display_name, active) "
            "VALUES ($1, $2, 'Nobody', $3)",
            new,
            organization,
            active,
        )
        return new

    async def newcomer(self) -> tuple[UUID, UUID]:
        """A new organization in Oslo and its first mentor."""
        organization = await self.organization()
        return organization, await self.mentor(organization)

    async def badge(
        self,
        organization: UUID | None,
        criteria: dict[str, Any] | str,
        *,
        key: str | None = None,
        status: str = "active",
        revocable: bool = False,
        counts_from: date | None = None,
    ) -> UUID:
        """Insert a definition; the version of its criteria is filled in, text is taken as it is."""
        new = uuid4()
        await self.pool.execute(
            """
            INSERT INTO badge_definitions
                (id, organization_id, key, name, description, criteria, status, revocable,
                 counts_from)
            VALUES ($1, $2, $3, $3, 'A badge of a test', $4, $5, $6, $7)
            """,
            new,
            organization,
            key or f"badge-{next(self._keys)}",
            criteria_text(criteria),
            status,
            revocable,
            counts_from,
        )
        return new

    async def activity(
        self, mentor: UUID, on: str, kind: str = "visit", minutes: int | None = 30
    ) -> UUID:
        """Insert an activity."""
        new = uuid4()
        await self.pool.execute(
            "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, "
            "duration_minutes) VALUES ($1, $2, $3, $4, $5)",
            new,
            mentor,
            kind,
            date.fromisoformat(on),
            minutes,
        )
        return new

    async def award(self, mentor: UUID, badge: UUID) -> asyncpg.Record | None:
        """The row of badge_awards, or None."""
        return await self.pool.fetchrow(
            "SELECT * FROM badge_awards WHERE peer_mentor_id = $1 AND badge_definition_id = $2",
            mentor,
            badge,
        )

    async def events(self, mentor: UUID, badge: UUID) -> list[str]:
        """The kinds of the award's events, in their order."""
        rows = await self.pool.fetch(
            "SELECT kind FROM badge_award_events "
            "WHERE peer_mentor_id = $1 AND badge_definition_id = $2 ORDER BY id",
            mentor,
            badge,
        )
        return [row["kind"] for row in rows]

    async def last_decision(self) -> int:
        """The highest id of an award event that the rule caused, 0 without any."""
        return int(
            await self.pool.fetchval(
                "SELECT coalesce(max(id), 0) FROM badge_award_events WHERE source <> 'admin'"
            )
        )

    async def next_decision(self, seconds: float = LIMIT_S) -> float:
        """Wait until the rule grants, promotes, revokes or restores; the seconds it took."""
        began = time.monotonic()
        before = await self.last_decision()

        async def came() -> bool:
            return await self.last_decision() > before

        await self.until(came, seconds, "the next award")
        return time.monotonic() - began

    async def stats(self, mentor: UUID) -> asyncpg.Record | None:
        """The row of peer_mentor_stats, or None."""
        return await self.pool.fetchrow(
            "SELECT * FROM peer_mentor_stats WHERE peer_mentor_id = $1", mentor
        )

    async def log_size(self) -> int:
        """How many records the log has."""
        (topic,) = (await self.site.cluster.topics([self.log.topic])).values()
        return sum(await self.site.cluster.ends(topic))

    async def settle(self, seconds: float = LIMIT_S) -> None:
        """Return when all that was committed before is decided, versions of rules included.

        A marker mentor in each partition is changed: once their stats show it, whatever came before
        in the partition has been decided.
        """
        number = next(self._marks)
        self._markers = self._markers or await self._one_mentor_a_partition()
        await self._mark(number)
        await self.until(lambda: self._decided(number), seconds, "that everything is decided")

    async def come_to_rest(self) -> None:
        """Settle, and so that the awards written meanwhile have come back through the log too."""
        await self.settle()
        await self.settle()

    def forget_markers(self) -> None:
        """Choose other marker mentors: the log has another number of partitions."""
        self._markers = []

    async def _one_mentor_a_partition(self) -> list[UUID]:
        organization = await self.organization()
        found: dict[int, UUID] = {}
        while len(found) < self.log.partitions:
            new = uuid4()
            found.setdefault(partition_of(new, self.log.partitions), new)
        self._home = organization
        return list(found.values())

    async def _mark(self, number: int) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO peer_mentors (id, organization_id, display_name) "
                "SELECT unnest($1::uuid[]), $2, 'A marker' ON CONFLICT DO NOTHING",
                self._markers,
                self._home,
            )
            await connection.execute(
                """
                INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date,
                                        duration_minutes)
                SELECT id, id, 'mark', '2020-01-01', $2 FROM unnest($1::uuid[]) AS id
                ON CONFLICT (id) DO UPDATE SET duration_minutes = excluded.duration_minutes
                """,
                self._markers,
                number,
            )

    async def _decided(self, number: int) -> bool:
        return bool(
            await self.pool.fetchval(
                """
                SELECT (SELECT count(*) FROM peer_mentor_stats
                        WHERE peer_mentor_id = ANY ($1) AND minutes_total = $2) = cardinality($1)
                    AND NOT EXISTS (
                        SELECT FROM (
                            SELECT 'definition' AS kind, id, max(version) AS version
                            FROM badge_definition_versions GROUP BY id
                            UNION ALL
                            SELECT 'organization', id, max(version)
                            FROM organization_versions GROUP BY id) AS newest,
                            generate_series(0, $4 - 1) AS place
                        WHERE NOT EXISTS (
                            SELECT FROM badge_rule_positions p
                            WHERE p.kind = newest.kind AND p.id = newest.id
                                AND p.version = newest.version AND p.log_id = $3
                                AND p.partition = place))
                """,
                self._markers,
                number,
                self.log.log_id,
                self.log.partitions,
            )
        )

    async def verify(self, seconds: float = LIMIT_S) -> None:
        """Fail unless awards, events and stats are what a brute-force reading of the log gives."""

        async def compared() -> Verified:
            async with self.pool.acquire() as connection:
                return await verify(connection, self.site.access, limit=seconds)

        outcome = await self.until(compared, 2 * seconds, "a log that can be read")
        assert outcome.mismatches == [], "\n".join(map(str, outcome.mismatches[:20]))

    async def all_written(self) -> None:
        """Return when nothing waits of what was decided, because Postgres has refused it once."""

        async def nothing_waits() -> bool:
            return not await self.pool.fetchval("SELECT EXISTS (SELECT FROM badge_refused_writes)")

        await self.until(nothing_waits, what="the write of what was refused")

    async def retire_everything(self) -> None:
        """Freeze all badges there are, so that they cost nothing to the tests that follow."""
        await self.pool.execute(
            "UPDATE badge_definitions SET status = 'retired' WHERE status <> 'retired'"
        )

    async def until(
        self, condition: Callable[[], Awaitable[Any]], seconds: float = LIMIT_S, what: str = ""
    ) -> Any:
        """Wait until there is something, and return that; a database may be away meanwhile.

        Fails after a while. What takes longer is asked for less often: a process that only waits
        leaves the cores alone.
        """
        began = time.monotonic()
        error: Exception | None = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        if found := await condition():
                            return found
                        error = None
                    except AWAY as last:
                        error = last
                    waited = time.monotonic() - began
                    await asyncio.sleep(min(max(0.01, waited / 20), 0.1))
        except TimeoutError:
            why = f"; the last error was {error!r}" if error else ""
            words = f"waited {seconds:g} s in vain for {what or condition}{why}"
            raise AssertionError(words) from None


AWAY = (*UNREACHED, asyncpg.PostgresError, Unavailable, httpx.TransportError, KafkaError)
"""What is raised while a server is away, or has no time."""


def criteria_text(criteria: dict[str, Any] | str) -> str:
    """Criteria as JSON, with their version."""
    if isinstance(criteria, str):
        return criteria
    return msgspec.json.encode({"version": 1, **criteria}).decode()


def count_of(at_least: int, *types: str, **more: Any) -> dict[str, Any]:
    """Criteria that so many activities meet, of the types if any are named."""
    named = {"activity_types": list(types)} if types else {}
    return {"type": "threshold", "metric": "count", "at_least": at_least, **named, **more}


def oslo(year: int, month: int, day: int) -> datetime:
    """The first instant of a winter's day in Oslo."""
    return datetime(year, month, day, tzinfo=UTC) - timedelta(hours=1)


def partition_of(mentor: UUID, partitions: int) -> int:
    """The partition that Kafka's own partitioner gives a mentor's records."""
    return int((murmur2(str(mentor).encode()) & 0x7FFFFFFF) % partitions)


class Rig:
    """Runs a test's coroutines in one event loop, which the pipeline's connections belong to."""

    def __init__(self, runner: asyncio.Runner, pipeline: Pipeline) -> None:
        self._runner = runner
        self.pipeline = pipeline

    def run(self, test: Callable[[Pipeline], Coroutine[Any, Any, Answer]]) -> Answer:
        """Run a test to its end."""
        return self._runner.run(self._connected(test))

    async def _connected(self, test: Callable[[Pipeline], Coroutine[Any, Any, Answer]]) -> Answer:
        await self.pipeline.reconnect()
        return await test(self.pipeline)


@contextmanager
def pipeline(
    stack: Stack,
    before: Callable[[Pool], Awaitable[Any]] | None = None,
    partitions: int = PARTITIONS,
    tables: str | None = None,
) -> Iterator[Rig]:
    """A pipeline in a database of its own; at the end nothing of it is left.

    `tables` are SQL of an application, run before the database is migrated; `before` is given the
    database when it is migrated and nothing else has begun.
    """
    url = stack.create_database()
    if tables:
        asyncio.run(execute(url, tables))
    with asyncio.Runner() as runner:
        resources = AsyncExitStack()
        try:
            pipe = runner.run(_open(resources, stack, url, before, partitions))
            site = pipe.site
            try:
                yield Rig(runner, pipe)
            finally:
                pipe.end_workers()
                if pipe.site is not site:
                    pipe.site.connection.terminate()
        finally:
            runner.run(resources.aclose())
    stack.drop_database(url)


async def _open(
    resources: AsyncExitStack,
    stack: Stack,
    url: str,
    before: Callable[[Pool], Awaitable[Any]] | None,
    partitions: int,
) -> Pipeline:
    site = await resources.enter_async_context(own_site(stack, url, partitions=partitions))
    pool = await resources.enter_async_context(connections(url))
    if before:
        await before(pool)
    return Pipeline(stack, site, url, pool, await provisioning.provision(site))


@asynccontextmanager
async def connections(url: str) -> AsyncIterator[Pool]:
    """Connections of the application: the database's owner."""
    pool = await asyncpg.create_pool(url, min_size=1, max_size=12)
    try:
        yield pool
    finally:
        pool.terminate()
