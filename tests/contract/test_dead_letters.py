"""What every store of dead letters must do; Kafka's runs against the real one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar, cast
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from badges.upkeep.dead_letters import Shelf
from sinks.base import DeadLetter, DeadLetters
from sinks.dead_letters import CHUNK, LARGEST_VALUE, KafkaDeadLetters, key_of
from sinks.errors import Unavailable
from streams.errors import Failure
from streams.log.cluster import Cluster
from streams.log.kafka import KafkaAccess
from tests.doubles.memory_dead_letters import MemoryDeadLetters
from tests.patience import patient_cluster, until
from tests.stack import LIMIT_S, Stack

pytestmark = pytest.mark.anyio

Answer = TypeVar("Answer")

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
    async with patient_cluster(KafkaAccess(kafka_alone.kafka_bootstrap)) as cluster:
        await cluster.create(name, 1, 1, {"cleanup.policy": "compact"})
        await cluster.wait_for(name, 1)
    return name


@pytest.fixture
async def kafka(kafka_alone: Stack, topic: str) -> AsyncIterator[Store]:
    options = {"bootstrap_servers": kafka_alone.kafka_bootstrap}
    letters = KafkaDeadLetters(topic, options, patience=LIMIT_S)
    async with patient_cluster(KafkaAccess(kafka_alone.kafka_bootstrap)) as cluster:
        shelf = shelf_of(kafka_alone, topic, cluster, letters)
        yield Untiring(letters), partial(letters_of, shelf)
    await letters.close()


@pytest.fixture(params=["memory", "kafka"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found


def shelf_of(kafka_alone: Stack, topic: str, cluster: Cluster, store: KafkaDeadLetters) -> Shelf:
    """How the command line reads the topic."""
    return Shelf(KafkaAccess(kafka_alone.kafka_bootstrap), cluster, topic, store)


class Untiring:
    """A store that is asked as a worker does: again while it is away. A letter replaces itself."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        await answered(lambda: self._letters.send(letters), "the letters")

    async def remove(self, keys: Collection[str]) -> None:
        await answered(lambda: self._letters.remove(keys), "what is removed")


async def letters_of(shelf: Shelf) -> dict[str, DeadLetter]:
    """What the command line reads, once Kafka has time for it."""
    return await answered(shelf.letters, "the topic")


async def answered(ask: Callable[[], Awaitable[Answer]], what: str) -> Answer:
    """Ask until that is answered."""

    async def answers() -> list[Answer]:
        with suppress(Unavailable):
            return [await ask()]
        return []

    (answer,) = await until(answers, what)
    return cast("Answer", answer)


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


async def test_what_is_removed_is_gone_until_it_is_sent_again(store: Store) -> None:
    letters, read = store
    await letters.send([a_letter(41), a_letter(42), a_letter(43)])
    await letters.remove(["log/3/41", "log/3/43", "nothing"])
    assert await read() == {"log/3/42": a_letter(42)}
    await letters.remove([])
    await letters.send([a_letter(41)])
    assert await read() == {"log/3/42": a_letter(42), "log/3/41": a_letter(41)}


async def test_a_letter_names_its_row(store: Store) -> None:
    letters, read = store
    named = a_letter(41, table="activities", row_id="20000000-0000-0000-0000-000000000001")
    await letters.send([named])
    assert list((await read()).values()) == [named]


async def test_more_letters_than_one_lot_are_kept_and_removed(kafka: Store) -> None:
    letters, read = kafka
    many = [a_letter(offset) for offset in range(2 * CHUNK + 1)]
    await letters.send(many)
    assert list(await read()) == [key_of(letter) for letter in many]
    await letters.remove([key_of(letter) for letter in many[1:]])
    assert list(await read()) == [key_of(many[0])]


async def test_letters_of_older_versions_name_their_row_where_it_can_be_read(kafka: Store) -> None:
    letters, read = kafka
    value = b'{"__table": "activities", "id": "a", "activity_date": "x"}'
    await letters.send([a_letter(1, value=value), a_letter(2)])
    row, garbage = (await read()).values()
    assert (row.table, row.row_id) == ("activities", "a")
    assert (garbage.table, garbage.row_id) == (None, None)


async def test_what_somebody_else_wrote_into_the_topic_is_a_letter_that_can_be_removed(
    kafka_alone: Stack, topic: str, kafka: Store
) -> None:
    letters, read = kafka
    async with AIOKafkaProducer(bootstrap_servers=kafka_alone.kafka_bootstrap) as producer:
        await producer.send_and_wait(topic, b"not a letter", b"\xff")
    ((key, letter),) = (await read()).items()
    assert (letter.key, letter.value) == (b"\xff", b"not a letter")
    assert "this dead letter cannot be read itself" in letter.reason
    await letters.remove([key])
    assert await read() == {}


async def test_a_topic_that_nobody_made_yet_has_no_letters(kafka_alone: Stack) -> None:
    letters = KafkaDeadLetters("nothing", {"bootstrap_servers": kafka_alone.kafka_bootstrap})
    async with patient_cluster(KafkaAccess(kafka_alone.kafka_bootstrap)) as cluster:
        with pytest.raises(Failure, match="badges provision"):
            await shelf_of(kafka_alone, "nothing", cluster, letters).letters()


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
    await Untiring(letters).send([a_letter(1)])
    kafka_alone.pause("kafka")
    try:
        with pytest.raises(Unavailable):
            await letters.send([a_letter(2)])
    finally:
        kafka_alone.resume("kafka")
    await Untiring(letters).send([a_letter(3)])
    await letters.close()
    async with patient_cluster(KafkaAccess(kafka_alone.kafka_bootstrap)) as cluster:
        kept = await letters_of(shelf_of(kafka_alone, topic, cluster, letters))
    assert {key_of(a_letter(1)), key_of(a_letter(3))} <= kept.keys()


async def test_no_kafka_is_unavailable() -> None:
    letters = KafkaDeadLetters("topic", {"bootstrap_servers": "127.0.0.1:1"}, patience=2)
    with pytest.raises(Unavailable):
        await letters.send([a_letter(1)])
    await letters.close()


async def test_one_that_is_cancelled_as_its_producer_starts_leaves_none_behind(
    kafka: Store,
) -> None:
    letters, read = kafka
    sending = asyncio.create_task(letters.send([a_letter(1)]))
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait([sending])
    assert sending.cancelled()
    await letters.send([a_letter(2)])
    assert list(await read()) == ["log/3/2"]
