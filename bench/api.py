"""The API as a process of its own on a filled database, and clients that keep on asking it."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from bench.definitions import ORGANIZATION
from bench.people import fill
from bench.site import Bench
from tests.api.service import Service, serving_api, signed

CLIENTS = 50


@contextmanager
def serving(bench: Bench) -> Iterator[tuple[Service, list[UUID]]]:
    """An API, and the mentors that it knows: 400 with 500 activities each, and twenty badges."""
    stack = bench.postgres
    url = stack.create_database()
    mentors = asyncio.run(fill(stack, url))
    with (
        tempfile.TemporaryDirectory() as folder,
        serving_api(stack, url, Path(folder) / "log") as service,
    ):
        yield service, mentors
    stack.drop_database(url)


def request(role: str, method: str, path: str, document: object = None) -> bytes:
    """What somebody of the organization sends."""
    body = b"" if document is None else json.dumps(document).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: bench\r\n"
        f"Authorization: Bearer {signed(role, ORGANIZATION)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def ask(
    service: Service, requests: Sequence[bytes], clients: int, seconds: float
) -> tuple[list[float], float]:
    """Let clients send the requests again and again, each over a connection of its own.

    Gives how long each answer took in seconds, and how many came a second.
    """
    return asyncio.run(_ask(service, requests, clients, seconds))


async def _ask(
    service: Service, requests: Sequence[bytes], clients: int, seconds: float
) -> tuple[list[float], float]:
    took: list[float] = []
    # Once before it counts, so that connections and plans are there.
    await _all(service, [iter(requests[:20]) for _ in range(clients)], [])
    begun = time.perf_counter()
    starts = (n % len(requests) for n in range(clients))
    sent = [_until([*requests[at:], *requests[:at]], begun + seconds) for at in starts]
    await _all(service, sent, took)
    return took, len(took) / (time.perf_counter() - begun)


async def _all(service: Service, lists: list[Iterator[bytes]], took: list[float]) -> None:
    async with asyncio.TaskGroup() as group:
        for requests in lists:
            group.create_task(_client(service, requests, took))


async def _client(service: Service, requests: Iterator[bytes], took: list[float]) -> None:
    """Send one request after the other over one connection."""
    at = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    for each in requests:
        begun = time.perf_counter()
        writer.write(each)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        took.append(time.perf_counter() - begun)
    writer.close()


def _until(requests: list[bytes], end: float) -> Iterator[bytes]:
    """Each again and again, until the time has come."""
    for each in cycle(requests):
        if time.perf_counter() > end:
            return
        yield each
