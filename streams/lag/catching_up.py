"""Waiting until everything that was committed up to a moment is decided."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial

from msgspec import Struct

from sinks.polling import poll
from sinks.pool import Connection
from streams.errors import Problem
from streams.log import generations
from streams.log.cluster import Cluster, Topic
from streams.log.generations import Generation
from streams.log.kafka import KafkaAccess
from streams.log.wal import confirmed, insert_lsn

_PAUSE_S = 0.05


class Behind(Exception):
    """What was committed is not decided in time; says what it waits for, and what to look at."""


class _Wait(Struct):
    """What is waited for, so that it can be told when it takes longer than `limit` seconds."""

    limit: float
    reason: str = ""


async def until_decided(connection: Connection, kafka: KafkaAccess, lsn: int, limit: float) -> None:
    """Return once all that was committed below a WAL position (bytes) is decided.

    It is in the log once the replication slot is confirmed past that; it is decided once every
    partition is at the log's ends of then. Versions of rules have to be in effect everywhere. Where
    another generation of the log takes over meanwhile, that one counts. Raises Behind after `limit`
    seconds, and what Kafka and Postgres raise.
    """
    wait = _Wait(limit)
    try:
        await poll(partial(_is_decided, connection, kafka, lsn, wait), within=limit, every=_PAUSE_S)
    except TimeoutError:
        raise Behind(wait.reason) from None


async def partitions_behind(
    connection: Connection,
    cluster: Cluster,
    log: Generation,
    partitions: Collection[int],
    limit: float,
) -> dict[int, str]:
    """Wait until these partitions have decided all that is committed now, `limit` seconds at most.

    Returns those that have not, each with the reason. Raises Problem when the topic is missing.
    """
    if not partitions:
        return {}
    written = await insert_lsn(connection)
    waited_for = dict.fromkeys(
        partitions, "the connector has not sent it: see that Kafka Connect runs"
    )

    async def is_sent() -> bool:
        return await confirmed(connection, log.slot) >= written

    async def is_decided() -> bool:
        nonlocal waited_for
        behind = await _behind(connection, log, {number: ends[number] for number in waited_for})
        waited_for = {
            number: f"partition {number} is decided up to {how_far}: see that a worker runs, and "
            "badge_alerts"
            for number, how_far in behind.items()
        }
        return not waited_for

    with suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await poll(is_sent)
            found = (await cluster.topics([log.topic])).get(log.topic)
            if found is None:
                raise Problem(f"the topic {log.topic} is missing")
            ends = await _ends_to_reach(connection, cluster, found)
            waited_for = {each: reason for each, reason in waited_for.items() if each in ends}
            await poll(is_decided)
    return waited_for


async def ends_of(kafka: KafkaAccess, log: Generation) -> dict[int, int]:
    """The offset that the next record of each partition will get."""
    async with Cluster(kafka) as cluster:
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


async def _is_decided(connection: Connection, kafka: KafkaAccess, lsn: int, wait: _Wait) -> bool:
    """Wait for the generation that is live; False where there is none, or no longer that one."""
    log = await generations.live(connection)
    if log is None:
        wait.reason = f"no log has become live within {wait.limit:g} s: run `badges provision`"
        return False
    wait.reason = (
        f"the connector has not sent within {wait.limit:g} s what was committed before: see that "
        "Kafka Connect runs, and its log"
    )
    while await confirmed(connection, log.slot) < lsn:
        await asyncio.sleep(_PAUSE_S)
        if await _is_over(connection, log):
            return False
    async with Cluster(kafka) as cluster:
        topic = Topic(log.topic, log.log_id, log.partitions)
        ends = await _ends_to_reach(connection, cluster, topic)
    while reason := await _undecided(connection, log, ends, wait.limit):
        wait.reason = reason
        await asyncio.sleep(_PAUSE_S)
        if await _is_over(connection, log):
            return False
    return True


async def _is_over(connection: Connection, log: Generation) -> bool:
    live = await generations.live(connection)
    return live is None or live.log_id != log.log_id


async def _undecided(
    connection: Connection, log: Generation, ends: Mapping[int, int], limit: float
) -> str | None:
    """What the worker has still to do, in a sentence."""
    behind = await _behind(connection, log, ends)
    if behind:
        places = ", ".join(f"{number} ({how_far})" for number, how_far in [*behind.items()][:5])
        return (
            f"the worker has not caught up within {limit:g} s, partitions {places}: see that "
            "`badges worker` runs, and its log"
        )
    missing = await connection.fetchval(
        "SELECT definitions FROM badges_private.backfill($1)", log.log_id
    )
    if missing:
        return (
            f"newer versions of {missing} rules are not in effect everywhere within {limit:g} s: "
            "see `badges lag`"
        )
    return None


async def _behind(
    connection: Connection, log: Generation, ends: Mapping[int, int]
) -> dict[int, str]:
    """The partitions that are not decided up to these ends, each with how far it is."""
    positions = await generations.next_offsets(connection, log.log_id)
    return {
        number: f"{positions.get(number)} of {end}"
        for number, end in ends.items()
        if positions.get(number, -1) < end
    }
