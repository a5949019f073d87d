"""How many times a second /progress answers, and how soon, with many clients at once."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit
from uuid import UUID

from bench.definitions import ORGANIZATION
from bench.figures import Figure
from bench.people import fill
from bench.site import Bench
from tests.api.service import Service, serving_api, signed

CLIENTS = 50


def measure(bench: Bench) -> list[Figure]:
    """A database of 400 mentors with 500 activities each, and the twenty definitions."""
    stack = bench.postgres
    url = stack.create_database()
    mentors = asyncio.run(fill(stack, url))
    with (
        tempfile.TemporaryDirectory() as folder,
        serving_api(stack, url, Path(folder) / "log") as service,
    ):
        alone, _ = asyncio.run(_ask(service, mentors, 1, bench.size(5, 1)))
        together, rate = asyncio.run(_ask(service, mentors, CLIENTS, bench.size(15, 2)))
    stack.drop_database(url)
    return [
        Figure(
            "progress_alone_p50",
            1000 * median(alone),
            "ms",
            "/progress of 20 badges for a mentor with 500 activities, one client",
        ),
        Figure("progress_rate", rate, "requests/s", "with 50 clients"),
        Figure("progress_p50", 1000 * median(together), "ms", "with 50 clients"),
        Figure("progress_p99", 1000 * quantiles(together, n=100)[98], "ms", "with 50 clients"),
    ]


async def _ask(
    service: Service, mentors: list[UUID], clients: int, seconds: float
) -> tuple[list[float], float]:
    """How long each answer took in seconds, and how many came a second."""
    took: list[float] = []
    # Once before it counts, so that connections and plans are there.
    await _all(service, [iter(mentors[:20]) for _ in range(clients)], [])
    begun = time.perf_counter()
    await _all(service, [_until(mentors[n:], begun + seconds) for n in range(clients)], took)
    return took, len(took) / (time.perf_counter() - begun)


async def _all(service: Service, lists: list[Iterator[UUID]], took: list[float]) -> None:
    token = signed("coordinator", ORGANIZATION)
    async with asyncio.TaskGroup() as group:
        for mentors in lists:
            group.create_task(_client(service, token, mentors, took))


async def _client(service: Service, token: str, mentors: Iterator[UUID], took: list[float]) -> None:
    """Ask over one connection, about one mentor after the other."""
    at = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    for mentor in mentors:
        begun = time.perf_counter()
        writer.write(
            f"GET /v1/peer-mentors/{mentor}/progress HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        took.append(time.perf_counter() - begun)
    writer.close()


def _until(mentors: list[UUID], end: float) -> Iterator[UUID]:
    """Each again and again, until the time has come."""
    for mentor in cycle(mentors):
        if time.perf_counter() > end:
            return
        yield mentor
