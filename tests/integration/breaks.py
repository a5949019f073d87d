"""Ways to break a log for real."""

import asyncio

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.new_partitions import NewPartitions
from aiokafka.admin.records_to_delete import RecordsToDelete

from streams.log import topics
from streams.log.generations import Generation
from tests.log_site import add_mentor
from tests.own_site import OwnSite
from tests.stack import LIMIT_S, when_free


async def lose_offsets(site: OwnSite, live: Generation) -> None:
    """Let Connect forget where the connector was."""
    await site.connect.stop(live.connector)
    await site.connect.delete_offsets(live.connector)


async def drop_slot(site: OwnSite, live: Generation) -> None:
    """Drop the slot."""
    await site.connect.stop(live.connector)
    drop = f"SELECT pg_drop_replication_slot('{live.slot}')"
    await when_free(lambda: site.connection.execute(drop))


async def advance_slot(site: OwnSite, live: Generation) -> None:
    """Move the slot past rows that were not sent."""
    await site.connect.stop(live.connector)
    await add_mentor(site.connection)
    advance = f"SELECT pg_replication_slot_advance('{live.slot}', pg_current_wal_insert_lsn())"
    await when_free(lambda: site.connection.execute(advance))


async def delete_topic(site: OwnSite, live: Generation) -> None:
    """Delete the log's topic."""
    await site.connect.stop(live.connector)
    await forget_topic(site, live.topic)


async def forget_topic(site: OwnSite, name: str) -> None:
    """Delete a topic; the broker knows it no more then."""
    await site.cluster.delete([name])
    async with asyncio.timeout(LIMIT_S):
        while await site.cluster.topics([name]):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def make_topic_again(site: OwnSite, live: Generation) -> None:
    """Put an empty topic in the place of the log's."""
    await delete_topic(site, live)
    await topics.ensure(site.cluster, topics.mentor_log(live.topic, live.partitions, 1), 1)


async def add_partitions(site: OwnSite, live: Generation) -> None:
    """Give the topic two partitions more."""
    async with Admin(site) as admin:
        await admin.create_partitions({live.topic: NewPartitions(live.partitions + 2)})


async def cut(site: OwnSite, live: Generation) -> None:
    """Delete the records of the fullest partition."""
    async with Admin(site) as admin:
        ends = await site.cluster.ends((await site.cluster.topics([live.topic]))[live.topic])
        partition = max(range(len(ends)), key=ends.__getitem__)
        place = TopicPartition(live.topic, partition)
        await admin.delete_records({place: RecordsToDelete(ends[partition])})


async def decide_too_far(site: OwnSite, live: Generation) -> None:
    """Put the positions past the end, as if Kafka had lost records."""
    await site.connection.execute(
        "UPDATE badge_log_positions SET next_offset = 1000 WHERE log_id = $1", live.log_id
    )


class Admin:
    """A client that changes topics, for the length of a `with`."""

    def __init__(self, site: OwnSite) -> None:
        self._client = AIOKafkaAdminClient(**site.access.client_options())

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self._client.start()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


async def note_another_identity(site: OwnSite, live: Generation) -> None:
    """Have the generation say that it was filled from a database that is not this one."""
    await site.connection.execute(
        "UPDATE badge_logs SET system_identifier = '7000000000000000000' WHERE log_id = $1",
        live.log_id,
    )


async def publish_again(site: OwnSite, _live: Generation) -> None:
    """Take a table out of the publication and put it in again: rows may have been missed."""
    publication = f"{site.prefix}_mentor_log"
    await site.connection.execute(  # one transaction, in which nobody sees it half done
        f"ALTER PUBLICATION {publication} DROP TABLE activities; "
        f"ALTER PUBLICATION {publication} ADD TABLE activities "
        "(id, peer_mentor_id, activity_type, activity_date, duration_minutes)"
    )
