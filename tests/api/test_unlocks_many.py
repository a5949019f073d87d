"""The unlock feed for many at once: a thousand clients, slow ones, and everything at random."""

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from sinks.pool import Executor, Pool
from tests import http
from tests.api.conftest import Organization
from tests.api.definitions import RAW
from tests.api.mentors import define
from tests.api.service import Service, signed
from tests.api.unlock_client import Client, coordinator, mentor, until, write
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio

CLIENTS = 1_000
_ROOM = 16 << 20
"""Bytes that the system keeps for a client, if it gives so many."""
LONG_NAME = "A badge with a long name " * 40
UNREAD_S = 20
"""So long a client may read nothing, however little it was sent, before its connection is ended."""


class Line:
    """A client that only counts: lighter than one that reads all fields."""

    def __init__(self, service: Service, token: str) -> None:
        self._address = urlsplit(service.url)
        self._token = token
        self.ids: list[int] = []
        self.has_begun = False

    async def read(self) -> None:
        """Read for ever; come again where there was no room."""
        while await self._was_refused():  # noqa: ASYNC110
            await asyncio.sleep(1)

    async def _connected(self) -> socket.socket:
        """With room for what comes while this process has no time: who reads is not slow."""
        connection = socket.socket()
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        connection.setblocking(False)
        try:
            address = self._address.hostname, self._address.port
            await asyncio.get_running_loop().sock_connect(connection, address)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _was_refused(self) -> bool:
        reader, writer = await asyncio.open_connection(sock=await self._connected(), limit=1 << 20)
        try:
            writer.write(
                f"GET /v1/unlocks HTTP/1.1\r\nHost: {self._address.netloc}\r\n"
                f"Authorization: Bearer {self._token}\r\n\r\n".encode()
            )
            if b" 503 " in await reader.readline():
                return True
            async for line in reader:
                if line.startswith(b"id: "):
                    self.has_begun = True
                elif line.startswith(b'data: {"id":'):
                    self.ids.append(int(line[12 : line.index(b",")]))
        finally:
            writer.close()
        return False


@asynccontextmanager
async def following(lines: list[Line]) -> AsyncIterator[None]:
    """All of them connected, and each with a place in the feed."""
    tasks = [asyncio.create_task(line.read()) for line in lines]
    try:
        await until(lambda: all(line.has_begun for line in lines))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_thousand_clients_get_each_event_once(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    badge = await define(owner, None, RAW)
    tokens = [
        signed("coordinator", mine.id),
        signed("mentor", mine.id, mine.mentors[0]),
        signed("mentor", other.id, other.mentors[0]),
    ]
    lines = [Line(service, tokens[number % 10 % 3]) for number in range(CLIENTS)]
    whole: list[int] = []
    own: list[int] = []
    foreign: list[int] = []
    async with following(lines):
        for _ in range(5):
            own += (first := await write(owner, mine.mentors[0], badge, 2))
            whole += first + await write(owner, mine.mentors[1], badge, 3)
            foreign += await write(owner, other.mentors[0], badge)
        wanted = [(whole, own, foreign)[number % 10 % 3] for number in range(CLIENTS)]
        await until(
            lambda: all(len(line.ids) >= len(ids) for line, ids in zip(lines, wanted, strict=True))
        )
    assert [line.ids for line in lines] == wanted


async def test_a_slow_client_is_dropped_and_the_others_go_on(
    service: Service, owner: Pool, mine: Organization
) -> None:
    """It is not buffered for, and comes again to where it was."""
    badge = await define(owner, mine.id, RAW, name=LONG_NAME)
    listening = Line(service, signed("coordinator", mine.id))
    written: list[int] = []
    dropped = _dropped(service)
    async with following([listening]):
        process = _serving(service)
        before = process.memory_info().rss
        while _dropped(service) == dropped:
            # One whose connection has ended before it was dropped is followed by another.
            latest = time.monotonic() + 2 * UNREAD_S
            async with _slow(service, mine.id) as incoming:
                while _dropped(service) == dropped and time.monotonic() < latest:
                    written += await write(owner, mine.mentors[0], badge, 1_000)
                    await until(partial(_has_all, listening, written))
                assert process.memory_info().rss - before < 100_000_000
                if _dropped(service) > dropped:
                    await _is_over(incoming)
        assert listening.ids == written

        returning = coordinator(service, mine.id)
        await returning.begin()
        written += await write(owner, mine.mentors[0], badge)
        await until(lambda: listening.ids == written)
    await returning.read_events(1)
    assert returning.ids == written[-1:]


@asynccontextmanager
async def _slow(service: Service, organization: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """Somebody who follows the feed, and has read its beginning alone."""
    async with (
        service.async_client("coordinator", organization) as client,
        client.stream("GET", "/v1/unlocks") as answer,
    ):
        incoming = answer.aiter_raw()
        await anext(incoming)
        yield incoming


async def _is_over(incoming: AsyncIterator[bytes]) -> None:
    """Read what was under way to the stream's end, or that of a connection that was not read."""
    async with asyncio.timeout(LIMIT_S):
        with suppress(httpx.ReadError):
            async for _ in incoming:
                pass


async def test_a_backfill_drops_nobody_who_reads(
    service: Service, owner: Pool, mine: Organization
) -> None:
    """However many events one transaction has."""
    badge = await define(owner, mine.id, RAW)
    lines = [Line(service, signed("coordinator", mine.id)) for _ in range(5)]
    returning = coordinator(service, mine.id)
    await returning.begin()
    async with following(lines):
        written = await write(owner, mine.mentors[0], badge, 20_000)
        await until(lambda: all(len(line.ids) >= len(written) for line in lines))
    assert [line.ids for line in lines] == [written] * len(lines)
    while len(returning.events) < len(written):
        await returning.read_events(min(7_000, len(written) - len(returning.events)))
    assert returning.ids == written


async def test_at_random_everybody_gets_all_of_theirs_once(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    """Writers commit late, or not at all; readers hang up whenever they like."""
    dice = random.Random(8)
    badge = await define(owner, None, RAW)
    mentors = [*mine.mentors, *other.mentors]
    written: dict[str, set[int]] = {one: set() for one in mentors}
    clients: dict[str, Client] = {
        **{one: mentor(service, mine.id, one) for one in mine.mentors},
        mine.id: coordinator(service, mine.id),
        other.id: coordinator(service, other.id),
    }
    for client in clients.values():
        await client.begin()
    is_over = asyncio.Event()

    async def writing(seed: int) -> None:
        own = random.Random(seed)
        for _ in range(15):
            await _transaction(owner, own, badge, written)

    async def reading(client: Client) -> None:
        while not is_over.is_set():
            wanted = len(client.events) + dice.choice([1, 1, 2, 3, 10])
            await client.read(partial(_has, client, wanted))

    readers = [asyncio.create_task(reading(client)) for client in clients.values()]
    await asyncio.gather(*(writing(seed) for seed in range(6)))
    # Each is let go on by one more event, should it wait for it.
    is_over.set()
    while not all(reader.done() for reader in readers):
        for one in mentors:
            written[one].update(await write(owner, one, badge))
        await asyncio.wait(readers, timeout=0.2)
    await asyncio.gather(*readers)

    wanted = {one: written[one] for one in mine.mentors}
    wanted[mine.id] = set.union(*(written[one] for one in mine.mentors))
    wanted[other.id] = set.union(*(written[one] for one in other.mentors))
    for name, client in clients.items():
        missing = len(wanted[name]) - len(client.events)
        if missing:
            await client.read_events(missing)
        assert len(client.ids) == len(wanted[name])
        assert {*client.ids} == wanted[name]


def _has(client: Client, wanted: int) -> bool:
    return len(client.events) >= wanted


def _has_all(line: Line, written: list[int]) -> bool:
    return len(line.ids) == len(written)


async def _transaction(
    owner: Pool, dice: random.Random, badge: str, written: dict[str, set[int]]
) -> None:
    async with owner.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        ids: dict[str, list[int]] = {}
        for one in dice.sample(sorted(written), dice.randint(1, len(written))):
            await _wait(connection, dice)
            ids[one] = await write(connection, one, badge, dice.randint(1, 4))
        await _wait(connection, dice)
        if dice.random() < 0.2:
            await transaction.rollback()
            return
        await transaction.commit()
    for one, new in ids.items():
        written[one].update(new)


async def _wait(connection: Executor, dice: random.Random) -> None:
    await connection.execute("SELECT pg_sleep($1)", dice.choice([0, 0, 0.01, 0.1]))


def _dropped(service: Service) -> float:
    told = http.get(f"{service.url}/metrics").text
    return float(told.partition("\nbadges_unlock_streams_dropped_total ")[2].split()[0])


def _serving(service: Service) -> psutil.Process:
    """The process that listens at the service's port."""
    port = urlsplit(service.url).port
    for process in psutil.Process().children(recursive=True):
        for each in process.net_connections(kind="tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port:
                return process
    raise AssertionError(f"nobody listens at port {port}")
