"""A client of the unlock feed that reads server-sent events as the standard says, and writers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from sinks.polling import poll
from sinks.pool import Executor
from tests.api.service import Service, bearer, signed
from tests.stack import LIMIT_S

AWARDED = """
    SELECT (public.award_badge($1, $2, NULL, '{}')).id
"""
EVENTS = """
    INSERT INTO badge_award_events (
        badge_award_id, peer_mentor_id, badge_definition_id, kind, source)
    SELECT gen_random_uuid(), $1, $2, 'granted', 'stream' FROM generate_series(1, $3)
    RETURNING id
"""


@dataclass(frozen=True)
class Event:
    """One event as a client gets it."""

    id: str
    kind: str
    data: dict[str, Any]


@dataclass
class Client:
    """Somebody who follows the feed, and comes again where they were when they want to."""

    service: Service
    token: str
    last_id: str | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        """The ids of the events that came, in their order."""
        return [event.data["id"] for event in self.events]

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[httpx.Response]:
        """Be connected; nothing is read yet."""
        headers = bearer(self.token)
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        async with (
            httpx.AsyncClient(timeout=LIMIT_S) as client,
            client.stream("GET", f"{self.service.url}/v1/unlocks", headers=headers) as answer,
        ):
            yield answer

    async def read(self, until: Callable[[], bool]) -> bool:
        """Connect and read until something holds, or the stream ends; whether it holds."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                async with self.connected() as answer:
                    if "retry-after" not in answer.headers:
                        return await self._read(answer, until)
                await asyncio.sleep(0.1)

    async def _read(self, answer: httpx.Response, until: Callable[[], bool]) -> bool:
        assert answer.status_code == 200, await answer.aread()
        async for event in messages(answer):
            self.last_id = event.id
            if event.kind:
                self.events.append(event)
            if until():
                return True
        return False

    async def read_events(self, count: int) -> Sequence[Event]:
        """Connect, read so many events more, and hang up."""
        wanted = len(self.events) + count
        assert await self.read(lambda: len(self.events) >= wanted)
        return self.events[wanted - count :]

    async def begin(self) -> None:
        """Get a place in the feed: now."""
        assert await self.read(lambda: self.last_id is not None)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, while tasks go on."""

    async def look() -> bool:
        return holds()

    await poll(look, within=LIMIT_S, every=0.01)


async def messages(answer: httpx.Response) -> AsyncIterator[Event]:
    """Everything that has an id: events, and those without data, whose kind is ''."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif not line and "id" in fields:
            data = msgspec.json.decode(fields.get("data", "{}"))
            yield Event(fields["id"], fields.get("event", ""), data)
            fields = {}


def coordinator(service: Service, organization: str, **claims: Any) -> Client:
    """A coordinator who is not connected yet."""
    return Client(service, signed("coordinator", organization, **claims))


def mentor(service: Service, organization: str, sub: str) -> Client:
    """A mentor who is not connected yet."""
    return Client(service, signed("mentor", organization, sub))


async def write(connection: Executor, mentor: str, badge: str, count: int = 1) -> list[int]:
    """Write so many events as the worker does; return their ids."""
    rows = await connection.fetch(EVENTS, mentor, badge, count)
    return [row["id"] for row in rows]
