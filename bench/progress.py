"""How many times a second /progress answers, and how soon, with many clients at once."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg

from bench.definitions import CRITERIA, ORGANIZATION
from bench.figures import Figure
from bench.site import Bench
from schema.apply import migrate
from sinks.pool import create_pool
from tests.api.service import Service, serving_api, signed

MENTORS = 400
ROWS = 500
CLIENTS = 50
ROLES = ("badges_worker", "badges_api", "badges_connect")


def measure(bench: Bench) -> list[Figure]:
    """A database of 400 mentors with 500 activities each, and the twenty definitions."""
    stack = bench.postgres
    url = stack.create_database()
    passwords = {role: stack.infra.passwords[f"{role.upper()}_PASSWORD"] for role in ROLES}
    mentors = asyncio.run(_fill(url, passwords))
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


async def _fill(url: str, passwords: dict[str, str]) -> list[UUID]:
    connection = await asyncpg.connect(url)
    await migrate(connection, prefix="badges", role_passwords=passwords)
    await connection.close()
    mentors = [uuid4() for _ in range(MENTORS)]
    async with await create_pool(url, application_name="bench") as owner:
        await owner.execute(
            "INSERT INTO organizations (id, slug) VALUES ($1, 'bench')", ORGANIZATION
        )
        await owner.executemany(
            "INSERT INTO badge_definitions (organization_id, key, criteria, status) "
            "VALUES ($1, $2, $3, 'active')",
            [
                (ORGANIZATION, f"badge-{place}", {"version": 1, **criteria})
                for place, criteria in enumerate(CRITERIA)
            ],
        )
        await owner.executemany(
            "INSERT INTO peer_mentors (id, organization_id) VALUES ($1, $2)",
            [(mentor, ORGANIZATION) for mentor in mentors],
        )
        await owner.execute(
            """
            INSERT INTO activities (peer_mentor_id, activity_type, activity_date, duration_minutes)
            SELECT m.id, (ARRAY['visit', 'phone', 'group'])[1 + n % 3],
                   current_date - (2.5 * n + random())::int, 10 + n % 50
            FROM peer_mentors m, generate_series(1, $1::int) AS n
            """,
            ROWS,
        )
        await owner.execute("ANALYZE")
    return mentors


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
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        # On cores that are taken the API may turn some away: those are no answers.
        if head.startswith(b"http/1.1 200"):
            took.append(time.perf_counter() - begun)
        else:
            assert head.startswith(b"http/1.1 503"), head
    writer.close()


def _until(mentors: list[UUID], end: float) -> Iterator[UUID]:
    """Each again and again, until the time has come."""
    for mentor in cycle(mentors):
        if time.perf_counter() > end:
            return
        yield mentor
