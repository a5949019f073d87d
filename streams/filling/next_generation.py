"""The next generation of the log: from its first snapshot to the moment it goes live."""

import asyncio
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.errors import KafkaError

from sinks.polling import POLL_S
from streams.errors import CannotTell, ConnectAway, Failure, SnapshotFailed
from streams.filling.site import ADDRESS, Site
from streams.filling.snapshot_rows import FilledRows
from streams.log import generations, topics
from streams.log.connect import ConnectorStatus
from streams.log.generations import Generation
from streams.log.integrity import judged
from streams.log.reader import KafkaLog
from streams.log.visibility import refuse_hidden
from streams.log.wal import read_slot

_BEGIN_S = 10.0
"""How long Connect may call a connector failed that it was just told to start."""


async def _next_number(site: Site) -> int:
    """A number that no generation ever had: in badge_logs, as a slot, in Kafka or in Connect."""
    slots = await site.connection.fetch("SELECT slot_name FROM pg_replication_slots")
    traces = {row["slot_name"] for row in slots}
    traces |= set(await site.cluster.topics())
    traces |= await site.cluster.committed_topics(generations.group(site.prefix))
    traces |= await site.connect.connectors()
    used = await generations.numbers(site.connection)
    last = max(used, default=0)
    for trace in traces:
        number = re.search(r"\d+$", trace)
        if number and trace in _names_of(site.prefix, int(number[0])):
            last = max(last, int(number[0]))
    return last + 1


async def begin(site: Site) -> Generation:
    """Create the topics, the row and the connector of the next generation, and start it."""
    number = await _next_number(site)
    names = generations.names(site.prefix, number)
    wanted = topics.mentor_log(names.topic, site.partitions, site.replication_factor)
    topic = await topics.ensure(site.cluster, wanted, site.replication_factor)
    beats = topics.heartbeats(names.heartbeat_topic)
    await topics.ensure(site.cluster, beats, site.replication_factor)
    system_identifier, timeline = await generations.identity(site.connection)
    generation = Generation(
        log_id=topic.id,
        number=number,
        topic=names.topic,
        slot=names.slot,
        connector=names.connector,
        partitions=topic.partitions,
        system_identifier=system_identifier,
        timeline=timeline,
        state="filling",
        # Nobody can have written it into a row.
        stand_in=f"not sent {secrets.token_hex(16)}",
    )
    await generations.begin(site.connection, generation)
    await site.connection.execute(
        "INSERT INTO badge_heartbeats (id) VALUES (1) ON CONFLICT DO NOTHING"
    )
    told = site.configuration(number, generation.stand_in)
    await site.connect.create_stopped(names.connector, told)
    if await site.connect.offsets(names.connector):
        await site.connect.delete_offsets(names.connector)
    await site.connect.resume(names.connector)
    site.say(f"Generation {number} of the log begins: topic {names.topic}, slot {names.slot}.")
    return generation


async def snapshot_ended(site: Site, generation: Generation) -> None:
    """Wait until the first snapshot is in the topic whole.

    Raises SnapshotFailed, and Failure when the snapshot cannot even begin.

    Connect tells its end, not Debezium, whose COMPLETED comes before the last rows are written.
    Where the slot began is noted as soon as it can be seen: a snapshot that was begun a second
    time, on a slot that exists by then, carries another position in its rows.
    """
    while True:
        try:
            await _note_slot(site, generation)
            status = await site.connect.status(generation.connector)
            await _refuse_unbegun(site, generation, status)
            _check(status, generation)
            offsets = await site.connect.offsets(generation.connector)
            if offsets is not None and is_complete(offsets):
                return
            site.progress(await _advance(site, generation))
        except (ConnectAway, KafkaError) as error:
            site.progress(f"Waiting: {error}")
        await asyncio.sleep(POLL_S)


async def try_again(site: Site, generation: Generation) -> None:
    """Start a connector again that failed before it had a slot, configured as is right now.

    It has read nothing, so what it failed of can be mended without beginning anew.
    """
    name = generation.connector
    status = await site.connect.status(name)
    if status is None or not status.failed or await _had_slot(site, generation):
        return
    wanted = site.configuration(generation.number, generation.stand_in)
    if await site.connect.config(name) == wanted:
        await site.connect.restart_failed(name)
        return
    # That starts it anew: to start it once more would break off the snapshot that it has begun.
    await site.connect.configure(name, wanted)
    await site.connect.recovered(name, _BEGIN_S)


def is_complete(offsets: Sequence[Mapping[str, Any]]) -> bool:
    """Whether stored source offsets say that the snapshot is over and all its rows are in Kafka."""
    return len(offsets) == 1 and "snapshot" not in offsets[0] and "lsn_proc" in offsets[0]


async def start(site: Site, generation: Generation) -> Generation:
    """Close the older generation if there is one, set each partition's start, and go live.

    Raises SnapshotFailed when the topic holds more than one snapshot, or the log is broken already:
    before anything is closed, unless that comes to be while it is. Whoever is ended in between, or
    waits there for a connector that hangs, leaves no log live, which the API tells.
    """
    topic = await site.cluster.topic(generation.topic)
    if topic is None:
        raise SnapshotFailed(f"its topic {generation.topic} is gone")
    rows = await _rows(site, generation)
    await rows.read(await site.cluster.ends(topic))
    await _check_whole(site, generation)
    await _check_hidden(site, generation)
    written = await generations.close_older(site.connection, generation.number)
    while True:
        await slot_passes(site, generation, written)
        starts = await site.cluster.ends(topic)
        await rows.read(starts)
        if not rows.is_sent_again:
            break
        await asyncio.sleep(POLL_S)
    await generations.go_live(site.connection, generation.log_id, written, starts)
    live = await generations.find(site.connection, generation.log_id)
    assert live is not None
    return live


async def _note_slot(site: Site, generation: Generation) -> None:
    slot = await read_slot(site.connection, generation.slot)
    if slot is not None and slot.confirmed is not None:
        await generations.note_slot_start(site.connection, generation.log_id, slot.confirmed)


async def _refuse_unbegun(
    site: Site, generation: Generation, status: ConnectorStatus | None
) -> None:
    """Raise Failure when the connector failed before it had a slot.

    Another generation would fail of the same, and this one has not read anything yet: it stays,
    for `try_again`.
    """
    if status is None or not status.failed or await _had_slot(site, generation):
        return
    raise Failure(
        f"the connector {generation.connector} failed before it could read anything: "
        f"{status.cause}",
        hint=f"Kafka Connect's own {ADDRESS} have to lead to Postgres itself, not to a pooler such "
        "as PgBouncer. Mend what it says, then run this again: it goes on where it was",
    )


async def _had_slot(site: Site, generation: Generation) -> bool:
    noted = await generations.find(site.connection, generation.log_id)
    if noted is not None and noted.start_lsn is not None:
        return True
    return await read_slot(site.connection, generation.slot) is not None


def _check(status: ConnectorStatus | None, generation: Generation) -> None:
    if status is None:
        raise SnapshotFailed(f"the connector {generation.connector} is gone")
    if status.failed:
        cause = status.cause
        raise SnapshotFailed(f"the connector {generation.connector} failed: {cause}", cause)
    if status.by_hand:
        raise SnapshotFailed(f"the connector {generation.connector} was {status.state.lower()}")


async def _advance(site: Site, generation: Generation) -> str:
    topic = await site.cluster.topic(generation.topic)
    rows = sum(await site.cluster.ends(topic)) if topic else 0
    if rows:
        return f"Snapshot: {rows:,} rows in {generation.topic}"
    oldest = await site.connection.fetchval(
        """
        SELECT pid FROM pg_stat_activity
        WHERE backend_xid IS NOT NULL AND xact_start < now() - interval '5 s' ORDER BY xact_start
        """
    )
    hint = f" (process {oldest} holds a transaction open, the slot waits for it)" if oldest else ""
    return f"Snapshot: waiting for the first rows{hint}"


async def _check_whole(site: Site, generation: Generation) -> None:
    """Raise SnapshotFailed when the log is broken before it begins: put back, say."""
    while True:
        try:
            found = await judged(generation, site.connection, site.cluster, site.connect)
        except CannotTell as error:
            site.progress(f"Waiting: {error}")
            await asyncio.sleep(POLL_S)
            continue
        if found is not None:
            raise SnapshotFailed(found.message)
        return


async def _check_hidden(site: Site, generation: Generation) -> None:
    try:
        await refuse_hidden(site.connection, generation.publication)
    except Failure as hidden:
        raise SnapshotFailed(hidden.message) from hidden


async def _rows(site: Site, generation: Generation) -> FilledRows:
    noted = await generations.find(site.connection, generation.log_id)
    began = noted.start_lsn if noted else None
    source = KafkaLog(site.access, generation.topic)
    return FilledRows(source, began, generation.partitions)


async def slot_passes(site: Site, generation: Generation, lsn: int) -> None:
    """Return when all that was written up to a place in the WAL is in Kafka.

    Raises SnapshotFailed.
    """
    while True:
        slot = await read_slot(site.connection, generation.slot)
        if slot is not None and slot.confirmed is not None and slot.confirmed > lsn:
            return
        try:
            _check(await site.connect.status(generation.connector), generation)
            site.progress("Snapshot: over, waiting for the log to come up to now")
        except ConnectAway as error:
            site.progress(f"Waiting: {error}")
        await asyncio.sleep(POLL_S)


def _names_of(prefix: str, number: int) -> set[str]:
    names = generations.names(prefix, number)
    return {names.topic, names.heartbeat_topic, names.slot, names.connector}
