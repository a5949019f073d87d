"""What every store of dead letters must do; Kafka's runs against the real one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from badges.sinks.base import DeadLetter, DeadLetters, Unavailable
from badges.sinks.dead_letters import (
    LARGEST_VALUE,
    KafkaDeadLetters,
    MemoryDeadLetters,
    decode,
    key_of,
)
from tests.stack import Stack

pytestmark = pytest.mark.anyio

Read = Callable[[], Awaitable[dict[str, DeadLetter]]]
"""The newest letter of each key."""

Store = tuple[DeadLetters, Read]


def a_letter(offset: int, **changes: object) -> DeadLetter:
    letter = DeadLetter(
        log_id="log",
        partition=3,
        offset=offset,
        reason="no JSON",
        at=datetime(2026, 5, 1, tzinfo=UTC),
        key=b"mentor",
        value=b"\xff\x00{",
    )
    return msgspec.structs.replace(letter, **changes)


@pytest.fixture
def memory() -> Store:
    letters = MemoryDeadLetters()

    async def read() -> dict[str, DeadLetter]:
        return letters.letters

    return letters, read


@pytest.fixture
async def topic(kafka_alone: Stack) -> str:
    """A compacted topic of the test's own."""
    name = f"test-{uuid4()}.dead-letters"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_alone.kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(name, 1, 1, topic_configs={"cleanup.policy": "compact"})]
        )
    finally:
        await admin.close()
    return name


@pytest.fixture
async def kafka(kafka_alone: Stack, topic: str) -> AsyncIterator[Store]:
    letters = KafkaDeadLetters(topic, {"bootstrap_servers": kafka_alone.kafka_bootstrap})

    async def read() -> dict[str, DeadLetter]:
        return {key: decode(value) for key, value in await read_topic(kafka_alone, topic)}

    yield letters, read
    await letters.close()


@pytest.fixture(params=["memory", "kafka"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found


async def read_topic(kafka_alone: Stack, topic: str) -> Sequence[tuple[str, bytes]]:
    """Every message of the topic's only partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka_alone.kafka_bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        found: list[tuple[str, bytes]] = []
        while await consumer.position(partition) < end:
            for messages in (await consumer.getmany(timeout_ms=500)).values():
                found += [(message.key.decode(), message.value) for message in messages]
        return found
    finally:
        await consumer.stop()


async def send_at_last(letters: DeadLetters, letter: DeadLetter) -> None:
    """Send as a worker does: again and again while the store is away, here for half a minute."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await letters.send([letter])
            except Unavailable:
                continue


async def test_letters_are_kept_under_their_position(store: Store) -> None:
    letters, read = store
    row = a_letter(41)
    bare = a_letter(42, key=None, value=None)
    decision = a_letter(43, badge_definition_id="definition")
    await letters.send([row, bare])
    await letters.send([decision])
    assert await read() == {
        "log/3/41": row,
        "log/3/42": bare,
        "log/3/43/definition/mentor": decision,
    }


async def test_sending_again_replaces(store: Store) -> None:
    letters, read = store
    await letters.send([a_letter(41)])
    await letters.send([a_letter(41), a_letter(41, reason="still no JSON")])
    assert await read() == {"log/3/41": a_letter(41, reason="still no JSON")}


async def test_nothing_to_send(store: Store) -> None:
    letters, read = store
    await letters.send([])
    assert await read() == {}


async def test_one_offset_may_refuse_several_decisions(store: Store) -> None:
    letters, read = store
    refused = [a_letter(7, badge_definition_id="d", key=name) for name in (b"a", b"b")]
    await letters.send(refused)
    assert list((await read()).values()) == refused


async def test_an_overlong_value_is_cut_and_said_to_be(kafka: Store) -> None:
    letters, read = kafka
    value = b"x" * (LARGEST_VALUE + 500_000)
    await letters.send([a_letter(1, value=value)])
    (kept,) = (await read()).values()
    assert kept.value == value[:LARGEST_VALUE]
    assert str(len(value)) in kept.reason


async def test_a_topic_that_is_missing_is_unavailable(kafka_alone: Stack) -> None:
    letters = KafkaDeadLetters(
        "nobody-made-this", {"bootstrap_servers": kafka_alone.kafka_bootstrap}, patience=1
    )
    with pytest.raises(Unavailable, match="nobody-made-this"):
        await letters.send([a_letter(1)])
    await letters.close()


async def test_a_kafka_that_hangs_is_unavailable_until_it_answers(
    kafka_alone: Stack, topic: str
) -> None:
    letters = KafkaDeadLetters(
        topic, {"bootstrap_servers": kafka_alone.kafka_bootstrap}, patience=2
    )
    await send_at_last(letters, a_letter(1))
    kafka_alone.pause("kafka")
    try:
        with pytest.raises(Unavailable):
            await letters.send([a_letter(2)])
    finally:
        kafka_alone.resume("kafka")
    await send_at_last(letters, a_letter(3))
    await letters.close()
    keys = {key for key, _ in await read_topic(kafka_alone, topic)}
    assert {key_of(a_letter(1)), key_of(a_letter(3))} <= keys


async def test_no_kafka_is_unavailable() -> None:
    letters = KafkaDeadLetters("topic", {"bootstrap_servers": "127.0.0.1:1"}, patience=2)
    with pytest.raises(Unavailable):
        await letters.send([a_letter(1)])
    await letters.close()
