"""Rows of one COPY share positions in the WAL: Connect, killed among them, must not lose any."""

import asyncio
import json
from contextlib import suppress
from datetime import date
from functools import partial
from uuid import UUID, uuid4

from aiokafka.errors import KafkaError

from sinks.errors import StoreError
from streams.filling import provisioning
from streams.log.generations import Generation
from streams.log.wal import insert_lsn
from tests.log_site import add_mentor, own_site, records, sent_for_good
from tests.own_site import OwnSite
from tests.patience import until
from tests.stack import LIMIT_S, Stack

ROWS = 100_000
"""So many that Connect, which stores where it is once a second, does so in the middle of them."""
TRIES = 4


def test_connect_killed_where_rows_share_a_position_loses_none(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            mentor = await add_mentor(site.connection)
            live = await provisioning.provision(site)
            copied: set[UUID] = set()
            # On a busy machine a COPY may be over before the kill.
            for _ in range(TRIES):
                # What an earlier kill made Connect send again would be counted too.
                place = await insert_lsn(site.connection)
                await until(partial(sent_for_good, site, live, place), "Connect's offsets")
                rows = await _rows(site, live) + ROWS
                new = {uuid4() for _ in range(ROWS)}
                copied |= new
                transaction = await _copy(site, mentor, new)
                shared = await _stored_inside(site, live, transaction, rows)
                await asyncio.to_thread(stack.kill, "connect")
                cut_off = await _rows(site, live) < rows
                await asyncio.to_thread(stack.start, "connect")
                if shared and cut_off:
                    break
            assert shared
            assert cut_off
            assert await _arrived(site, live, mentor, copied) == copied

    asyncio.run(test())


async def _copy(site: OwnSite, mentor: UUID, ids: set[UUID]) -> int:
    """Insert activities by one COPY; the id of its transaction."""
    async with site.connection.transaction():
        await site.connection.copy_records_to_table(
            "activities",
            records=[(each, mentor, "visit", date(2024, 1, 1)) for each in ids],
            columns=["id", "peer_mentor_id", "activity_type", "activity_date"],
        )
        return int(await site.connection.fetchval("SELECT pg_current_xact_id()::text"))


async def _stored_inside(site: OwnSite, live: Generation, transaction: int, rows: int) -> int:
    """Wait until Connect has stored a place inside the transaction: how many rows lie before it
    at the same position; none when that many rows are in the log before.
    """
    async with asyncio.timeout(LIMIT_S):
        while await _rows(site, live) < rows:
            for offset in await site.connect.offsets(live.connector) or []:
                if offset.get("txId") == transaction and offset.get("lsn_events_processed"):
                    return int(offset["lsn_events_processed"])
            await asyncio.sleep(0.01)
    return 0


async def _rows(site: OwnSite, live: Generation) -> int:
    """How many rows the log holds beside the mentor's."""
    (topic,) = (await site.cluster.topics([live.topic])).values()
    return sum(await site.cluster.ends(topic)) - 1


async def _arrived(site: OwnSite, live: Generation, mentor: UUID, wanted: set[UUID]) -> set[UUID]:
    """What of the wanted activities is in the log, once a row that follows them there is."""
    last = uuid4()
    await _copy(site, mentor, {last})
    async with asyncio.timeout(LIMIT_S):
        while True:
            with suppress(KafkaError, OSError, StoreError):
                found = {UUID(json.loads(value)["id"]) for _, value in await records(site, live)}
                if last in found:
                    return found & wanted
            await asyncio.sleep(0.2)
