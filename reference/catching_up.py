"""Waiting until the worker has decided everything that was committed so far."""

from reference import results
from reference.results import Results
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Problem
from streams.log import generations
from streams.log.catching_up import Behind, decided
from streams.log.kafka import KafkaAccess
from streams.log.wal import insert_lsn


async def caught_up(connection: Connection, kafka: KafkaAccess, limit: float) -> Results:
    """What is recorded once the worker stands at the log's end.

    New versions of rules are applied in every partition by then. Raises Problem after `limit`
    seconds, and at once where no log is live.
    """
    if await generations.live(connection) is not None:
        try:
            await decided(connection, kafka, await insert_lsn(connection), limit)
        except Behind as behind:
            raise Problem(str(behind), code=FOUND_A_PROBLEM) from None
    return await results.read(connection)
