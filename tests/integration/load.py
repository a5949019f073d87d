"""A load that goes on while a test breaks something, and is complete at the end anyway."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.integration.operations import Operations, Statement, Transaction
from tests.integration.pipeline import Pipeline
from tests.stack import LIMIT_S

PACE_SECONDS = 0.01
"""Between two transactions: a machine that does everything at once has to keep up."""
SLOWER_AFTER = 150
"""Transactions after which the pause is one PACE_SECONDS longer, and so on: faults last long."""
RETRY_SECONDS = 0.05


class Load:
    """Plays the operations of a seed, each transaction until it is committed."""

    def __init__(self, pipeline: Pipeline, operations: Operations) -> None:
        self.operations = operations
        self.committed = 0
        self._pipeline = pipeline
        self._moved = asyncio.Condition()
        self._stopping = False

    async def begin(self) -> None:
        """Make everything that is there before the first transaction."""
        for statement in self.operations.setup():
            await self.commit([statement])

    async def play(self, transactions: Iterable[Transaction]) -> None:
        """Commit one transaction after the other until `stop` is called."""
        for transaction in transactions:
            await self.commit(transaction)
            if self._stopping:
                return
            async with self._moved:
                self.committed += 1
                self._moved.notify_all()
            await asyncio.sleep(PACE_SECONDS * (1 + self.committed // SLOWER_AFTER))

    async def more(self, transactions: int) -> None:
        """Return when that many more transactions are committed."""
        goal = self.committed + transactions
        async with self._moved, asyncio.timeout(LIMIT_S):
            await self._moved.wait_for(lambda: self.committed >= goal)

    def stop(self) -> None:
        """Let `play` return after the transaction that it is at."""
        self._stopping = True

    async def finish(self) -> None:
        """Deal what the counted mentors still miss."""
        for transaction in self.operations.rest():
            await self.commit(transaction)

    async def check(self) -> None:
        """Fail unless every counted mentor has the badge for all their rows, and nobody more.

        What a trigger refuses, or meets a lock of the load's, is written soon after: `verify` takes
        it as written, and here are the rows alone.
        """
        await self._pipeline.all_written()
        rows = await self._pipeline.pool.fetch(
            "SELECT badge_definition_id, peer_mentor_id FROM badge_awards "
            "WHERE badge_definition_id = ANY ($1) AND peer_mentor_id = ANY ($2)",
            [self.operations.reached, self.operations.one_short],
            self.operations.counted,
        )
        assert sorted(row["peer_mentor_id"] for row in rows) == sorted(self.operations.counted)
        assert {row["badge_definition_id"] for row in rows} == {self.operations.reached}

    async def execute(self, sql: str, *values: Any) -> None:
        """One statement beside the load, which may be run twice as any of its own may."""
        await self.commit([Statement(sql, values)])

    async def commit(self, transaction: Transaction) -> None:
        """Try until it is committed: lost connections and deadlocks are none of the load's."""
        grants = sum("award_badge(" in sql for sql, _ in transaction)
        while True:
            try:
                async with self._pipeline.pool.acquire() as connection, connection.transaction():
                    for sql, values in transaction:
                        await connection.execute(sql, *values)
            except (
                asyncpg.PostgresConnectionError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
                asyncpg.OperatorInterventionError,
                asyncpg.InsufficientResourcesError,
                asyncpg.TransactionRollbackError,
                OSError,
            ):
                await asyncio.sleep(RETRY_SECONDS)
            except (asyncpg.ForeignKeyViolationError, asyncpg.InvalidParameterValueError):
                # The badge that somebody was to give is deleted by now, or a draft.
                grants -= 1
                if grants < 0:
                    raise
            else:
                return


@asynccontextmanager
async def load(pipeline: Pipeline, seed: int, *, saves: bool = True) -> AsyncIterator[Load]:
    """A load of a seed from its beginning, whose badges go at its end; see `going_on`."""
    operations = Operations(seed, saves=saves)
    await Load(pipeline, operations).begin()
    async with going_on(pipeline, operations) as going:
        yield going
    await pipeline.retire_everything()


@asynccontextmanager
async def going_on(pipeline: Pipeline, operations: Operations) -> AsyncIterator[Load]:
    """A load that goes on during the block; after it everything is decided and compared."""
    going = Load(pipeline, operations)
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(going.play(operations.transactions()))
        supervision = tasks.create_task(pipeline.supervise())
        try:
            yield going
            going.stop()
            await playing
            await going.finish()
            await pipeline.verify()
            await going.check()
        finally:
            going.stop()
            supervision.cancel()
