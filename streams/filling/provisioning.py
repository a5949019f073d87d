"""What `badges provision` and `badges resnapshot` do: one generation of the log is live and whole.

The first sees to it that there is one, the second puts a new one in its place.
"""

import asyncio
from contextlib import AbstractAsyncContextManager

import asyncpg

from sinks.locks import one_at_a_time
from streams.errors import FOUND_A_PROBLEM, NEW_GENERATION, CannotTell, Failure, SnapshotFailed
from streams.filling.connector_startup import Causes, stays_running
from streams.filling.handover import near_the_end
from streams.filling.next_generation import begin, snapshot_ended, start, try_again
from streams.filling.removal import discard, left_over, sweep
from streams.filling.site import ADDRESS, Site
from streams.lag.backlog import unworked
from streams.log import fingerprint, generations, topics
from streams.log.connect import PATIENCE_S, ConnectorStatus
from streams.log.debezium import UNAVAILABLE
from streams.log.generations import Generation
from streams.log.integrity import judged
from streams.log.visibility import refuse_hidden

_ATTEMPTS = 3
"""So many snapshots may break off in one run before a person has to look."""

ONE_REPLICA = (
    "the log has one replica (BADGES_REPLICATION_FACTOR): a broker that loses its disk's last "
    "second breaks it"
)
_NOW_KNOWN = (
    "what it is read from was not recorded, because its migrations were applied without `badges "
    "migrate`; it is from now on, and what changed before nobody can tell"
)
_SEEN_ELSEWHERE = (
    "topic_missing", "topic_replaced", "offsets_lost", "slot_ahead", "database_behind",
)  # fmt: skip
"""What a whole log looks like too, seen in another Kafka or Connect than its own."""
_ELSEWHERE = (
    "Make sure first that BADGES_KAFKA_BOOTSTRAP and BADGES_CONNECT_URL lead to this log's Kafka "
    "and Connect: its workers look for themselves, and nothing is noted by this command"
)
_LOCK = "hashtextextended('badges provision', 0)"
_TRIES = 3
"""So often those who have to be asked may not answer."""
_PAUSE_S = 0.5


async def provision(site: Site) -> Generation:
    """Return the live generation, filled now if there was none. Raises Failure.

    Running it again, or twice at once, changes nothing that is right already.
    """
    await _check_site(site)
    async with _alone(site):
        found = await generations.live(site.connection)
        if found is None:
            await _refuse_broken(site)
            await topics.ensure_dead_letters(site.cluster, site.prefix, site.replication_factor)
            return await fill(site)
        await _maintain(site, found)
        await sweep(site, found)
        return found


async def resnapshot(site: Site, *, keep: bool = False) -> Generation:
    """Fill the next generation beside the one there is, make it live, and remove what is over.

    The one there is may be live and whole, or broken with any of its parts missing. What an
    interrupted run has begun is gone on with. Who had to wait for another run is content with what
    that has made. Raises Failure.
    """
    await _check_site(site)
    before = await generations.live(site.connection)
    async with _alone(site):
        if await generations.last_live(site.connection) is None:
            raise Failure(
                "there is no log yet that a new generation could replace",
                hint="Run `badges provision`",
            )
        await topics.ensure_dead_letters(site.cluster, site.prefix, site.replication_factor)
        live = await generations.live(site.connection)
        if live is None or live == before or live.partitions != site.partitions:
            await generations.keep(site.connection, keep)
            live = await fill(site)
        await sweep(site, live)
        return live


async def fill(site: Site) -> Generation:
    """Fill a new generation and make it live, in place of the one before it if there is one.

    A generation that is being filled already is gone on with, unless its snapshot broke off or
    another number of partitions is asked for.
    Raises Failure after _ATTEMPTS snapshots that broke off, and when none could begin.
    """
    causes = Causes()
    reason = ""
    for _ in range(_ATTEMPTS):
        await refuse_hidden(site.connection, site.publication)
        generation = await _half_filled(site) or await begin(site)
        try:
            await snapshot_ended(site, generation)
            await near_the_end(site, generation)
            live = await start(site, generation)
        except SnapshotFailed as failed:
            reason = str(failed)
            await discard(site, generation, reason)
            if failed.cause is not None:
                causes.refuse(generation.connector, failed.cause)
            continue
        site.say(f"Generation {live.number} of the log is live ({sum(live.starts):,} rows).")
        return live
    raise Failure(
        f"the first snapshot broke off {_ATTEMPTS} times, at last because {reason}",
        hint="See Kafka Connect's log, then run this again",
        code=FOUND_A_PROBLEM,
    )


async def _half_filled(site: Site) -> Generation | None:
    half = await generations.filling(site.connection)
    if half is None:
        return None
    if half.partitions == site.partitions:
        await try_again(site, half)
        return half
    await discard(site, half, f"it has {half.partitions} partitions, not {site.partitions}")
    return None


async def _maintain(site: Site, generation: Generation) -> None:
    """Bring back what is missing of the live generation. Raises Failure if its log is broken."""
    name = generation.connector
    if await fingerprint.stamp_unknown(site.connection, generation.log_id, generation.publication):
        site.say(f"Generation {generation.number}: {_NOW_KNOWN}.")
    wanted = site.configuration(generation.number, generation.stand_in)
    status = await site.connect.status(name)
    changes = status is not None and await site.connect.config(name) != wanted
    starts = changes or (status is not None and (status.by_hand or status.failed))
    # Before anything is made in a Kafka or Connect that may be others, or goes on.
    await _check_integrity(site, generation, needs_offsets=starts)
    await topics.ensure_dead_letters(site.cluster, site.prefix, site.replication_factor)
    causes = Causes()
    if status is None:
        await _create_again(site, generation)
        await site.connect.resume(name)
    if changes:
        await site.connect.configure(name, wanted)
        site.say(f"Connector {name}: its configuration was brought up to date.")
    if status is not None and status.by_hand:
        await site.connect.resume(name)
        site.say(f"Connector {name}: it was {status.state.lower()}, and goes on now.")
    if status is not None and status.failed:
        if changes:
            # That starts it by itself; to do it once more might still be with the old one.
            await site.connect.recovered(name, within=PATIENCE_S)
        else:
            await site.connect.restart_failed(name)
        site.say(f"Connector {name}: it had failed and was started again ({status.cause}).")
        causes.seen(status.cause)
    beats = topics.heartbeats(generation.heartbeat_topic)
    await topics.ensure(site.cluster, beats, site.replication_factor)
    await stays_running(site, generation, causes)


async def plan(site: Site) -> list[str]:
    """Say what `provision` would do, without doing it. Raises Failure like it."""
    await _check_site(site)
    live = await generations.live(site.connection)
    if live is None:
        await _refuse_broken(site)
        half = await generations.filling(site.connection)
        if half is not None:
            return [f"go on with generation {half.number}, whose first snapshot is under way"]
        await refuse_hidden(site.connection, site.publication)
        return ["begin a new generation of the log: topics, slot, connector and first snapshot"]
    await _check_integrity(site, live)
    status = await site.connect.status(live.connector)
    wanted = site.configuration(live.number, live.stand_in)
    steps = _repairs(live, status)
    if status is not None and await site.connect.config(live.connector) != wanted:
        steps.append(f"bring the configuration of connector {live.connector} up to date")
    ours = (topics.heartbeats(live.heartbeat_topic), topics.dead_letters(site.prefix))
    there = await site.cluster.topics([each.name for each in ours])
    steps += [f"create the missing topic {each.name}" for each in ours if each.name not in there]
    over = await left_over(site, live)
    return steps + [f"remove what is left of generation {each.number}" for each in over]


async def notes(site: Site, generation: Generation) -> list[str]:
    """What a person should know: what differs from the settings and stays so, and what waits."""
    placed = await site.cluster.placement([generation.topic])
    replicas = placed.replicas.get(generation.topic, site.replication_factor)
    wanted = generations.topics_of(generation, site.partitions, replicas)
    lines = [line for topic in wanted for line in await topics.differences(site.cluster, topic)]
    if replicas == 1:
        lines.append(ONE_REPLICA)
    half = await generations.filling(site.connection)
    if half is not None:
        lines.append(
            f"generation {half.number} is half filled and goes on costing: `badges resnapshot` "
            "finishes it"
        )
    waits = await unworked(generation, site.connection, site.cluster)
    return [*lines, waits] if waits else lines


async def _check_site(site: Site) -> None:
    """Raise Failure when the database or Connect are not ready for a generation at all."""
    try:
        row = await site.connection.fetchrow(
            """
            SELECT current_setting('wal_level') AS wal_level,
                   EXISTS (SELECT FROM pg_publication WHERE pubname = $1) AS published,
                   to_regclass('badge_logs') IS NOT NULL AS migrated
            """,
            site.publication,
        )
    except asyncpg.PostgresError as error:
        raise Failure(f"Postgres refuses to say how it is set up: {error}") from error
    assert row is not None
    if row["migrated"]:
        await _check_prefix(site)
    if not row["migrated"] or not row["published"]:
        raise Failure("the database is not prepared: run `badges migrate` first")
    if row["wal_level"] != "logical":
        raise Failure(
            f"Postgres has wal_level = {row['wal_level']}: set it to logical and restart Postgres"
        )
    wrong = await site.connect.validate(site.configuration(0, UNAVAILABLE))
    if wrong:
        raise Failure(
            f"Kafka Connect cannot use the connector: {'; '.join(wrong)}",
            hint=f"Kafka Connect's own {ADDRESS} say where it finds Postgres, by name or IPv4 "
            "address; an IPv6 address needs a name. Its _NAME, _USER and _PASSWORD say the rest",
        )


async def _check_prefix(site: Site) -> None:
    """Refuse to take the log that is there, or is being filled, to topics and slots of others."""
    for generation in (
        await generations.live(site.connection),
        await generations.filling(site.connection),
    ):
        if generation is not None:
            generations.refuse_other_prefix(generation, site.prefix)


def _repairs(live: Generation, status: ConnectorStatus | None) -> list[str]:
    if status is None:
        return [f"create the missing connector {live.connector} again"]
    if status.by_hand:
        return [f"resume connector {live.connector}"]
    return [f"restart the failed connector {live.connector}"] if status.failed else []


async def _check_integrity(
    site: Site, generation: Generation, *, needs_offsets: bool = False
) -> None:
    """Raise Failure if the log is broken, or if that cannot be told.

    A connector without its offsets would write a second snapshot into the log.
    """
    reason = ""
    for _ in range(_TRIES):
        try:
            found = await judged(
                generation,
                site.connection,
                site.cluster,
                site.connect,
                needs_offsets=needs_offsets,
            )
        except CannotTell as error:
            reason = str(error)
            await asyncio.sleep(_PAUSE_S)
            continue
        if found is not None:
            hint = _ELSEWHERE if found.kind in _SEEN_ELSEWHERE else None
            raise Failure(f"the log is broken: {found}", hint=hint, code=FOUND_A_PROBLEM)
        return
    raise Failure(f"whether the log is whole cannot be told: {reason}")


async def _create_again(site: Site, generation: Generation) -> None:
    name = generation.connector
    wanted = site.configuration(generation.number, generation.stand_in)
    await site.connect.create_stopped(name, wanted)
    # With its offsets back in sight, a connector that has lost them must not begin from nothing.
    await _check_integrity(site, generation, needs_offsets=True)
    site.say(f"Connector {name}: it was missing, and was created again.")


async def _refuse_broken(site: Site) -> None:
    last = await generations.last_live(site.connection)
    if last is not None and last.state == "broken":
        reason = str(last.reason).removesuffix(f" {NEW_GENERATION}")
        raise Failure(
            f"generation {last.number} of the log is broken: {reason} {NEW_GENERATION}",
            code=FOUND_A_PROBLEM,
        )


def _alone(site: Site) -> AbstractAsyncContextManager[None]:
    """Wait until no other command is making or mending a log here, and keep them waiting."""
    others = "Another `badges provision` or `resnapshot`"
    return one_at_a_time(site.connection, _LOCK, site.say, others)
