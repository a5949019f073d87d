"""Removing what is left of generations: topics, slots, connectors and their offsets.

Parts may be missing already: somebody lost or deleted them, or a removal was interrupted.
"""

import asyncio
import time

import asyncpg

from sinks.polling import POLL_S
from sinks.pool import Connection
from streams.filling.site import Site
from streams.log import generations
from streams.log.generations import Generation

_DROP_PATIENCE_S = 60.0


async def discard(site: Site, generation: Generation, reason: str) -> None:
    """Throw a generation away whose snapshot broke off. Its row stays, as broken.

    The row is changed last, so that a discard that was interrupted is done again.
    """
    await _remove(site, generation)
    await generations.note_broken(site.connection, generation.log_id, reason)
    site.say(f"Generation {generation.number} was thrown away: {reason}.")


async def sweep(site: Site, live: Generation) -> None:
    """Remove what is left of generations before the live one, those aside that are to be kept."""
    for generation in await left_over(site, live):
        await _remove(site, generation)
        site.say(f"Generation {generation.number}: its topic, slot and connector were removed.")


async def left_over(site: Site, live: Generation) -> list[Generation]:
    """The generations that `sweep` would remove something of."""
    over = await generations.over(site.connection, live.number)
    return [generation for generation in over if await _is_anything_left(site, generation)]


async def _remove(site: Site, generation: Generation) -> None:
    name = generation.connector
    if not await _is_anything_left(site, generation):
        return
    if await site.connect.status(name) is None:
        # Connect keeps a deleted connector's offsets, and forgets them by its name alone.
        wanted = site.configuration(generation.number, generation.stand_in)
        await site.connect.create_stopped(name, wanted)
    await site.connect.stop(name)
    await site.connect.delete_offsets(name)
    await site.connect.delete(name)
    await _drop_slot(site.connection, generation.slot)
    await site.cluster.delete([generation.topic, generation.heartbeat_topic])


async def _is_anything_left(site: Site, generation: Generation) -> bool:
    slots = await site.connection.fetch(_OURS, generation.slot)
    return bool(
        slots
        or await site.connect.status(generation.connector)
        or await site.cluster.topics([generation.topic, generation.heartbeat_topic])
    )


async def _drop_slot(connection: Connection, slot: str) -> None:
    """The server notices only after a while that the connector let go of the slot."""
    deadline = time.monotonic() + _DROP_PATIENCE_S
    while True:
        try:
            await connection.execute(
                f"SELECT pg_drop_replication_slot(slot_name) FROM ({_OURS}) AS ours", slot
            )
        except asyncpg.ObjectInUseError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(POLL_S)
        else:
            return


# The log of another database of the same server may have a slot of the same name: a copy's does.
_OURS = """
SELECT slot_name FROM pg_replication_slots
WHERE slot_name = $1 AND database = current_database()
"""
