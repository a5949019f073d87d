"""The dead letters as people deal with them: which are there, and whose alert is over."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import msgspec.structs
from aiokafka.errors import KafkaError

from badges.settings import Settings
from schema.database import first_line
from sinks.alerts import PostgresAlerts
from sinks.base import DeadLetter, Message
from sinks.dead_letters import UNREADABLE, KafkaDeadLetters, left, subject_of
from sinks.errors import Unavailable
from sinks.pool import create_pool
from streams.errors import Failure
from streams.log import generations, topics
from streams.log.cluster import COMMAND_ANSWER_S, Cluster
from streams.log.kafka import KafkaAccess
from streams.log.reader import KafkaLog
from streams.log_tables import NAMED
from streams.setting_aside import KIND, tell
from streams.unusable import outline

SUBJECTS = (*NAMED, UNREADABLE)
"""What dead letters are about: the tables of the log, and what cannot be told."""


@dataclass(frozen=True)
class Shelf:
    access: KafkaAccess
    cluster: Cluster
    topic: str
    store: KafkaDeadLetters

    async def letters(self) -> dict[str, DeadLetter]:
        """All dead letters by their key, oldest first. Raises Failure when there is no topic.

        Those of versions before this one do not name their row; what their value says is filled in.
        """
        if not await self.cluster.topics([self.topic]):
            raise Failure(f"the topic {self.topic} is missing: `badges provision` creates it")
        records = [record async for record in self.records()]
        return {key: _named(letter) for key, letter in left(records).items()}

    async def records(self) -> AsyncIterator[Message]:
        """What is in the topic, removed dead letters included; nothing when there is no topic."""
        found = await self.cluster.topic(self.topic)
        if found is None:
            return
        starts, ends = await self.cluster.starts(found), await self.cluster.ends(found)
        for partition, (start, end) in enumerate(zip(starts, ends, strict=True)):
            async for chunk in KafkaLog(self.access, self.topic).read(partition, start, end):
                for record in chunk:
                    yield record


@asynccontextmanager
async def shelf(settings: Settings) -> AsyncIterator[Shelf]:
    """The dead letters of the settings' prefix.

    A Kafka, or a Postgres, that does not answer meanwhile becomes a Failure.
    """
    access = settings.kafka_access()
    topic = topics.dead_letters(settings.prefix).name
    store = KafkaDeadLetters(topic, access.client_options(), patience=COMMAND_ANSWER_S)
    try:
        async with Cluster(access, patience=COMMAND_ANSWER_S) as cluster:
            yield Shelf(access, cluster, topic, store)
    except (KafkaError, Unavailable, OSError) as error:
        if isinstance(
            error.__cause__,
            asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError,
        ):
            raise Failure(first_line(error)) from error
        place = settings.kafka_bootstrap
        raise Failure(
            f"Kafka at {place}: {first_line(error)}",
            hint="Check BADGES_KAFKA_BOOTSTRAP and that it runs",
        ) from error
    finally:
        await store.close()


def _named(letter: DeadLetter) -> DeadLetter:
    if letter.table is not None or letter.badge_definition_id is not None:
        return letter
    seen = outline(letter.value or b"")
    return msgspec.structs.replace(letter, table=seen.table, row_id=letter.row_id or seen.id)


def chosen(
    letters: Mapping[str, DeadLetter], keys: Collection[str], table: str | None
) -> dict[str, DeadLetter]:
    """The dead letters with these keys, or all of them; of one table, if that is given.

    Raises Failure for a key that no dead letter has.
    """
    for key in keys:
        if key not in letters:
            raise Failure(f"no dead letter has the key {key}: see `badges dead-letters list`")
    return {
        key: letter
        for key, letter in letters.items()
        if (not keys or key in keys) and table in (None, subject_of(letter))
    }


async def close_alerts(url: str, shelf: Shelf) -> None:
    """Close the alert of every table of which no dead letter is left."""
    pool = await create_pool(url, application_name="badges dead-letters", max_size=1)
    async with pool:
        alerts = PostgresAlerts(pool)
        there = {subject_of(letter) for letter in (await shelf.letters()).values()}
        for subject in SUBJECTS:
            if subject not in there:
                await alerts.resolve(KIND, subject=subject)
        # A worker may have kept another dead letter meanwhile, and found the alert still open.
        log = await generations.newest(pool)
        await tell(alerts, (await shelf.letters()).values(), log.topic if log else "")
        await alerts.finish()
