"""From the commit of an unlock to the clients of the feed: one of them, and a thousand."""

import asyncio
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from bench.figures import Figure, percentile
from bench.site import Bench
from schema.database import connect
from sinks.pool import Connection
from tests.api.service import Service, signed

MANY = 1_000
_PEOPLE = """
    WITH home AS (INSERT INTO organizations (slug, name) VALUES ('bench', 'Bench') RETURNING id),
    mentor AS (INSERT INTO peer_mentors (organization_id) SELECT id FROM home RETURNING id),
    badge AS (
        INSERT INTO badge_definitions (organization_id, key, name, criteria, status)
        SELECT id, 'bench', 'Bench', '{"version": 1, "type": "threshold", "at_least": 1}', 'active'
        FROM home RETURNING id
    )
    SELECT home.id AS organization, mentor.id AS mentor, badge.id AS badge FROM home, mentor, badge
"""
_INSERT = """
    INSERT INTO badge_award_events (
        badge_award_id, peer_mentor_id, badge_definition_id, kind, source)
    VALUES (gen_random_uuid(), $1, $2, 'granted', 'stream')
"""


def measure(bench: Bench) -> list[Figure]:
    """Commit one unlock after the other; clients, API and Postgres share the machine."""
    figures: list[Figure] = []
    for clients in (1, bench.size(MANY, 50)):
        figures += asyncio.run(_figures(bench.api.service, clients, bench.size(100, 10)))
    return figures


async def _figures(service: Service, clients: int, events: int) -> list[Figure]:
    async with connect(service.database_url) as connection:
        seconds = await _delays(service, connection, clients, events)
    about = f"an unlock's commit to the feed's client, {clients:,} of them"
    return [
        Figure(f"unlock_p50_{clients}_clients", percentile(seconds, 0.5), "ms", f"{about}, median"),
        Figure(
            f"unlock_p99_{clients}_clients", percentile(seconds, 0.99), "ms", f"{about}, 99 of 100"
        ),
    ]


async def _delays(
    service: Service, connection: Connection, clients: int, events: int
) -> list[float]:
    people = await connection.fetchrow(_PEOPLE.replace("'bench'", f"'bench-{clients}'"))
    assert people is not None
    crowd = Crowd(service, signed("coordinator", people["organization"]))
    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(crowd.read()) for _ in range(clients)]
        await crowd.wait_until(lambda: crowd.begun == clients)
        seconds: list[float] = []
        for _ in range(events):
            crowd.arrived.clear()
            await connection.execute(_INSERT, people["mentor"], people["badge"])
            committed = time.perf_counter()
            await crowd.wait_until(lambda: len(crowd.arrived) == clients)
            seconds += [at - committed for at in crowd.arrived]
        for reader in readers:
            reader.cancel()
    return seconds


class Crowd:
    """Clients of the feed, and when events have arrived at them."""

    def __init__(self, service: Service, token: str) -> None:
        self._address = urlsplit(service.url)
        self._token = token
        self._changed = asyncio.Event()
        self.begun = 0
        self.arrived: list[float] = []

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        """Return as soon as it holds."""
        async with asyncio.timeout(60):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def read(self) -> None:
        """Be one client, for ever."""
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        try:
            writer.write(
                f"GET /v1/unlocks HTTP/1.1\r\nHost: {self._address.netloc}\r\n"
                f"Authorization: Bearer {self._token}\r\n\r\n".encode()
            )
            has_begun = False
            async for line in reader:
                if line.startswith(b"data: "):
                    self.arrived.append(time.perf_counter())
                    self._changed.set()
                elif line.startswith(b"id: ") and not has_begun:
                    has_begun = True
                    self.begun += 1
                    self._changed.set()
        finally:
            writer.close()
