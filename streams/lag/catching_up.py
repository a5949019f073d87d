"""Waiting until everything that was committed up to a moment is decided."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import suppress

from sinks.polling import POLL_S
from sinks.pool import Connection
from streams.errors import Failure
from streams.log import generations
from streams.log.cluster import COMMAND_ANSWER_S, Cluster, Topic
from streams.log.generations import Generation
from streams.log.kafka import KafkaAccess
from streams.log.wal import confirmed, insert_lsn

_PAUSE_S = 0.05


class Behind(Exception):
    """What was committed is not decided in time; says what it waits for, and what to look at."""


async def until_decided(connection: Connection, kafka: KafkaAccess, lsn: int, limit: float) -> None:
    """Return once all that was committed below a WAL position (bytes) is decided.

    Versions of rules have to be in effect everywhere. Where another generation of the log takes
    over meanwhile, that one counts. Raises Behind after `limit` seconds, and what Kafka and
    Postgres raise.
    """
    reason = _not_sent(limit)
    try:
        async with asyncio.timeout(limit):
            async for now in _reasons(connection, kafka, lsn, limit):
                reason = now
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError:
        raise Behind(reason) from None


async def partitions_behind(
    connection: Connection,
    cluster: Cluster,
    log: Generation,
    partitions: Collection[int],
    limit: float,
) -> dict[int, str]:
    """Wait until these partitions have decided all that is committed now, `limit` seconds at most.

    Returns those that have not, each with the reason. Raises Failure when the topic is missing.
    """
    if not partitions:
        return {}
    written = await insert_lsn(connection)
    waited_for = dict.fromkeys(
        partitions, "the connector has not sent it: see that Kafka Connect runs"
    )

    async def ends() -> dict[int, int]:
        topic = await cluster.topic(log.topic)
        if topic is None:
            raise Failure(f"the topic {log.topic} is missing")
        found = await _ends_to_reach(connection, cluster, topic)
        return {number: found[number] for number in waited_for if number in found}

    with suppress(TimeoutError):
        async with asyncio.timeout(limit):
            async for behind in _undecided(connection, log, written, ends):
                if behind is not None:
                    waited_for = {
                        number: f"partition {number} is decided up to {how_far}: see that a worker "
                        "runs, and badge_alerts"
                        for number, how_far in behind.items()
                    }
                await asyncio.sleep(POLL_S)
            return {}
    return waited_for


async def ends_of(kafka: KafkaAccess, log: Generation) -> dict[int, int]:
    """The offset that the next record of each partition will get."""
    async with Cluster(kafka, patience=COMMAND_ANSWER_S) as cluster:
        topic = Topic(log.topic, log.log_id, log.partitions)
        return dict(enumerate(await cluster.ends(topic)))


async def _ends_to_reach(connection: Connection, cluster: Cluster, topic: Topic) -> dict[int, int]:
    """The ends of the partitions, but those before which a position has no record left.

    Where a transaction's mark comes last the position is only there once a worker was.
    """
    ends = dict(enumerate(await cluster.ends(topic)))
    positions = await generations.next_offsets(connection, topic.id)
    ranges = {
        number: (positions[number], end)
        for number, end in ends.items()
        if number in positions and positions[number] < end
    }
    undecided = await cluster.first_values(topic, ranges) if ranges else {}
    return {
        number: end for number, end in ends.items() if number not in ranges or number in undecided
    }


async def _reasons(
    connection: Connection, kafka: KafkaAccess, lsn: int, limit: float
) -> AsyncIterator[str]:
    """At each look what has still to be done, in a sentence; ends once nothing has."""
    while True:
        log = await generations.live(connection)
        if log is None:
            yield f"no log has become live within {limit:g} s: run `badges provision`"
            continue
        async for reason in _reasons_of(connection, kafka, log, lsn, limit):
            yield reason
            live = await generations.live(connection)
            if live is None or live.log_id != log.log_id:
                break
        else:
            return


async def _reasons_of(
    connection: Connection, kafka: KafkaAccess, log: Generation, lsn: int, limit: float
) -> AsyncIterator[str]:
    async def ends() -> dict[int, int]:
        # Shorter than the limit, so that it is Kafka that is named where it does not answer.
        async with Cluster(kafka, patience=min(COMMAND_ANSWER_S, limit / 2)) as cluster:
            topic = Topic(log.topic, log.log_id, log.partitions)
            return await _ends_to_reach(connection, cluster, topic)

    async for behind in _undecided(connection, log, lsn, ends):
        if behind is None:
            yield _not_sent(limit)
            continue
        places = ", ".join(f"{number} ({how_far})" for number, how_far in [*behind.items()][:5])
        yield (
            f"the worker has not caught up within {limit:g} s, partitions {places}: see that "
            "`badges worker` runs, and its log"
        )
    while missing := await connection.fetchval(
        "SELECT definitions FROM badges_private.backfill($1)", log.log_id
    ):
        yield (
            f"newer versions of {missing} rules are not in effect everywhere within {limit:g} s: "
            "see `badges lag`"
        )


def _not_sent(limit: float) -> str:
    return (
        f"the connector has not sent within {limit:g} s what was committed before: see that Kafka "
        "Connect runs, and its log"
    )


async def _undecided(
    connection: Connection,
    log: Generation,
    lsn: int,
    ends: Callable[[], Awaitable[Mapping[int, int]]],
) -> AsyncIterator[Mapping[int, str] | None]:
    """Look until all that was committed below a WAL position (bytes) is decided.

    It is in the log once the replication slot is confirmed past that: None at each look before. It
    is decided once every partition is at the log's `ends` of then: at each look those that are not,
    each with how far it is.
    """
    while await confirmed(connection, log.slot) < lsn:
        yield None
    left = await ends()
    while behind := await _behind(connection, log, left):
        yield behind
        left = {number: left[number] for number in behind}


async def _behind(
    connection: Connection, log: Generation, ends: Mapping[int, int]
) -> dict[int, str]:
    positions = await generations.next_offsets(connection, log.log_id)
    return {
        number: f"{positions.get(number)} of {end}"
        for number, end in ends.items()
        if positions.get(number, -1) < end
    }
