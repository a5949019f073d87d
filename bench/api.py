"""The API as a process of its own on a filled database, and clients that keep on asking it."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from msgspec import Struct

from bench.definitions import ORGANIZATION
from bench.figures import Figure, percentile
from bench.people import fill
from tests.api.service import Service, serving_api, signed
from tests.stack import Stack

CLIENTS = 50


class Api(Struct, frozen=True):
    """A service, and the mentors that it knows: 400 with 500 activities each, twenty badges."""

    service: Service
    mentors: list[UUID]


@contextmanager
def serving(stack: Stack) -> Iterator[Api]:
    """Fill a database and serve it."""
    url = stack.create_database()
    mentors = asyncio.run(fill(stack, url))
    with (
        tempfile.TemporaryDirectory() as folder,
        serving_api(stack, url, Path(folder) / "log", BADGES_PREVIEW_SECONDS="25") as service,
    ):
        yield Api(service, mentors)
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


def answered(
    name: str, service: Service, requests: Sequence[bytes], about: str, seconds: float
) -> list[Figure]:
    """How soon requests, sent in turn, are answered: to one client, then to fifty at once."""
    alone, _ = asyncio.run(_ask(service, requests, 1, seconds / 3))
    together, rate = asyncio.run(_ask(service, requests, CLIENTS, seconds))
    crowd = f"the same, {CLIENTS} clients at once"
    return [
        Figure(f"{name}_alone_p50", percentile(alone, 0.5), "ms", f"{about}, one client"),
        Figure(f"{name}_rate", rate, "requests/s", crowd),
        Figure(f"{name}_p50", percentile(together, 0.5), "ms", crowd),
        Figure(f"{name}_p99", percentile(together, 0.99), "ms", crowd),
    ]


async def _ask(
    service: Service, requests: Sequence[bytes], clients: int, seconds: float
) -> tuple[list[float], float]:
    """How long each answer took in seconds, and how many came a second."""
    took: list[float] = []
    # Some that do not count, so that connections and plans are there.
    await _all(service, requests, clients, seconds / 5, [])
    begun = time.perf_counter()
    await _all(service, requests, clients, seconds, took)
    return took, len(took) / (time.perf_counter() - begun)


async def _all(
    service: Service, requests: Sequence[bytes], clients: int, seconds: float, took: list[float]
) -> None:
    end = time.perf_counter() + seconds
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            mine = islice(cycle(requests), number % len(requests), None)
            group.create_task(_client(service, mine, end, took))


async def _client(
    service: Service, requests: Iterator[bytes], end: float, took: list[float]
) -> None:
    """Send one request after the other over one connection, until the time has come."""
    at = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    while (begun := time.perf_counter()) < end:
        writer.write(next(requests))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        took.append(time.perf_counter() - begun)
    writer.close()
