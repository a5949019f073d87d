"""What Kafka calls lag is true, and rows of a transaction count when it is committed."""

from collections.abc import Mapping
from uuid import UUID, uuid4

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from streams.log import generations
from tests.integration.alerts import told
from tests.integration.pipeline import Pipeline, Rig, count_of, partition_of

ROWS = 12_000


async def committed(p: Pipeline) -> Mapping[int, int]:
    """The offsets that the workers' group has committed, by partition."""
    admin = AIOKafkaAdminClient(**p.site.access.client_options())
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(f"{p.site.prefix}-worker")
    finally:
        await admin.close()
    return {
        place.partition: offset.offset
        for place, offset in found.items()
        if place.topic == p.log.topic
    }


async def ends(p: Pipeline) -> Mapping[int, int]:
    """The ends of the log's partitions."""
    (topic,) = (await p.site.cluster.topics([p.log.topic])).values()
    return dict(enumerate(await p.site.cluster.ends(topic)))


async def no_lag(p: Pipeline) -> bool:
    """Whether the committed offset is the position and the end, for every partition."""
    positions = await generations.next_offsets(p.pool, p.log.log_id)
    return await committed(p) == positions == await ends(p)


async def spread(p: Pipeline, mentors: list[UUID], rows: int) -> None:
    """Insert activities of some mentors in one transaction."""
    await p.pool.execute(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
        "SELECT gen_random_uuid(), ($1::uuid[])[1 + n % cardinality($1)], 'visit', "
        "date '2020-01-01' + n % 1000 FROM generate_series(1, $2) n",
        mentors,
        rows,
    )


def test_the_committed_offset_is_the_position_and_the_end(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        organization = await p.organization()
        mentors = [await p.mentor(organization) for _ in range(40)]
        await p.settle()
        await p.until(lambda: no_lag(p), what="no lag after the first rows")

        await spread(p, mentors, ROWS)
        await p.settle()
        await p.until(lambda: no_lag(p), what="no lag after one large transaction")

        worker.kill()
        await spread(p, mentors, 400)
        await p.at_work(worker)
        await p.settle()
        await p.until(lambda: no_lag(p), what="no lag after a restart")

        second = p.worker()
        await p.at_work(second)
        await spread(p, mentors, 400)
        await p.settle()
        await p.until(lambda: no_lag(p), what="no lag after partitions went to a second worker")

    unmanned.run(test)


async def send(p: Pipeline, mentor: UUID, organization: UUID, rows: int, *, commit: bool) -> None:
    """Write rows as the connector does, in one of Kafka's transactions."""
    partition = partition_of(mentor, p.log.partitions)
    async with AIOKafkaProducer(
        **p.site.access.client_options(), transactional_id=str(uuid4())
    ) as producer:
        await producer.begin_transaction()
        for number in range(rows):
            row = {
                "__table": "activities",
                "__op": "c",
                "__source_txId": None,
                "__source_lsn": None,
                "__source_sequence": None,
                "id": str(uuid4()),
                "peer_mentor_id": str(mentor),
                "activity_type": "visit",
                "activity_date": 20_000 + number,
                "duration_minutes": None,
            }
            await producer.send_and_wait(
                p.log.topic, msgspec.json.encode(row), str(mentor).encode(), partition=partition
            )
        if commit:
            await producer.commit_transaction()
        else:
            await producer.abort_transaction()
    print(f"{rows} rows of {organization}, {'committed' if commit else 'aborted'}")


def test_marks_of_transactions_are_no_lag_and_aborted_rows_never_count(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        organization, mentor = await p.newcomer()
        three, five = [await p.badge(organization, count_of(n)) for n in (3, 5)]
        await p.settle()

        await send(p, mentor, organization, 40, commit=False)
        await send(p, mentor, organization, 3, commit=True)
        await p.until(lambda: p.award(mentor, three), what="the award of committed rows")
        await p.until(lambda: no_lag(p), what="no lag behind a transaction's mark")
        stats = await p.stats(mentor)
        assert stats is not None
        assert stats["activity_count"] == 3
        assert await p.award(mentor, five) is None

        # Behind a mark as well, what the log says is compared with the table.
        worker.kill()
        async with p.pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(
                "UPDATE badge_awards SET earned_at = earned_at - interval '7 days' "
                "WHERE badge_definition_id = $1",
                three,
            )
        await send(p, mentor, organization, 1, commit=False)
        await p.at_work(worker)
        await told(p, "awards_differ")
        await p.until(lambda: no_lag(p), what="no lag behind an aborted transaction")

    unmanned.run(test)
