"""Dead letters: unusable input, kept with its reason under a key that names its position."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from sinks.base import DeadLetter, Message
from sinks.errors import Unavailable

log = structlog.get_logger(__name__)

CHUNK = 1_000
"""Records that are written at a time: each lot has its own patience."""

UNREADABLE = "unreadable"
"""The subject of dead letters of which not even the table can be read."""

_LARGEST_KEY = 1_000
"""Bytes of an original key that are kept; ours have 36."""

LARGEST_VALUE = 400_000
"""Bytes of an original value that are kept; a message is then well below Kafka's usual 1 MiB."""


def key_of(letter: DeadLetter) -> str:
    """Return `log/partition/offset`; for a refused decision also `/definition/mentor`.

    New versions decide for every mentor at one offset, so the position alone would not do there.
    """
    place = f"{letter.log_id}/{letter.partition}/{letter.offset}"
    if letter.badge_definition_id is None:
        return place
    return f"{place}/{letter.badge_definition_id}/{(letter.key or b'').decode(errors='replace')}"


def subject_of(letter: DeadLetter) -> str:
    """Whom the alert of a dead letter is about: its table, or UNREADABLE where none can be told."""
    return letter.table or UNREADABLE


def encode(letter: DeadLetter) -> bytes:
    """Return it as JSON, key and value in base64; an overlong value is cut, and said so."""
    if letter.key is not None and len(letter.key) > _LARGEST_KEY:
        letter = msgspec.structs.replace(letter, key=letter.key[:_LARGEST_KEY])
    size = len(letter.value or b"")
    if letter.value is not None and size > LARGEST_VALUE:
        letter = msgspec.structs.replace(
            letter,
            value=letter.value[:LARGEST_VALUE],
            reason=f"{letter.reason} [the first {LARGEST_VALUE} of {size} bytes are kept]",
        )
    return msgspec.json.encode(letter)


def decode(value: bytes) -> DeadLetter:
    return msgspec.json.decode(value, type=DeadLetter)


def left(records: Iterable[Message]) -> dict[str, DeadLetter]:
    """The dead letters of the topic by key, oldest first: the newest of each, without the removed.

    Somebody else's record in the topic is a dead letter too, so that it can be seen and removed.
    """
    letters: dict[str, DeadLetter] = {}
    for record in records:
        key = (record.key or b"").decode(errors="surrogateescape")
        if not record.value:
            letters.pop(key, None)
            continue
        try:
            letters[key] = decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            letters[key] = DeadLetter(
                log_id="",
                partition=0,
                offset=record.offset,
                reason=f"this dead letter cannot be read itself: {error}",
                at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
                key=record.key,
                value=record.value,
            )
    return letters


def _bytes(key: str) -> bytes:
    return key.encode(errors="surrogateescape")


class KafkaDeadLetters:
    """The dead-letter topic; `sinks.base.DeadLetters`.

    `client` holds aiokafka's arguments for the connection (bootstrap_servers and so on), `patience`
    the seconds that each lot of a call may take. The producer starts with the first letter.
    """

    def __init__(self, topic: str, client: Mapping[str, Any], *, patience: float = 5.0) -> None:
        self._topic = topic
        self._client = client
        self._patience = patience
        self._producer: AIOKafkaProducer | None = None
        self._one_at_a_time = asyncio.Lock()

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        await self._write([(key_of(letter), encode(letter)) for letter in letters])

    async def remove(self, keys: Collection[str]) -> None:
        await self._write([(key, None) for key in keys])

    async def _write(self, records: Sequence[tuple[str, bytes | None]]) -> None:
        async with self._one_at_a_time:
            try:
                for first in range(0, len(records), CHUNK):
                    async with asyncio.timeout(self._patience):
                        await self._send(records[first : first + CHUNK])
            except (KafkaError, OSError, TimeoutError) as error:
                # An idempotent producer may not recover by itself; the next call makes a new one.
                await self._discard()
                reason = str(error) or type(error).__name__
                raise Unavailable(f"cannot write to topic {self._topic}: {reason}") from error

    async def close(self) -> None:
        """Stop the producer; dead letters that were sent are durable already."""
        async with self._one_at_a_time:
            await self._discard()

    async def _send(self, records: Sequence[tuple[str, bytes | None]]) -> None:
        if self._producer is None:
            self._producer = await self._started()
        acknowledged = [
            await self._producer.send(self._topic, key=_bytes(key), value=value)
            for key, value in records
        ]
        await asyncio.gather(*acknowledged)

    async def _started(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            acks="all", enable_idempotence=True, request_timeout_ms=10_000, **self._client
        )
        try:
            await producer.start()
        except BaseException:
            await producer.client.close()
            raise
        return producer

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(self._patience):
                await producer.stop()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("producer not stopped cleanly", topic=self._topic, error=str(error))
            # Else it goes on sending, for good, what somebody may have removed meanwhile.
            if producer._sender.sender_task:
                producer._sender.sender_task.cancel()
            await producer.client.close()
