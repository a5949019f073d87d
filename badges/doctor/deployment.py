"""Everything that is examined: its clients, and what was read of it once for several checks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import wraps
from typing import Any, Self, TypeVar, cast

import httpx

from badges import urls
from badges.settings import Settings
from schema.check import check
from schema.database import connect
from schema.differences import Deviation
from sinks.pool import Connection
from streams.filling.site import Site
from streams.log import generations, topics
from streams.log.cluster import COMMAND_ANSWER_S, Cluster, Member, Placement
from streams.log.connect import Connect
from streams.log.generations import Generation
from streams.log.topics import WantedTopic

_CLOSE_S = 2.0
"""What hangs is left behind after that."""

Answer = TypeVar("Answer")


def once(
    ask: Callable[["Deployment"], Awaitable[Answer]],
) -> Callable[["Deployment"], Awaitable[Answer]]:
    """A question of several checks, which each deployment is asked at the first time alone."""

    @wraps(ask)
    async def asked(at: "Deployment") -> Answer:
        if ask not in at.answers:
            at.answers[ask] = await ask(at)
        return cast("Answer", at.answers[ask])

    return asked


class Deployment:
    """One installation, by its settings (`async with`). Nothing is connected to before it is asked.

    `limit_s` is how many seconds each check may take; `say` takes what is done where it mends.
    """

    def __init__(
        self, chosen: Settings, limit_s: float, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.chosen = chosen
        self.say = say
        self.limit_s = limit_s
        self.cluster = Cluster(chosen.kafka_access(), patience=COMMAND_ANSWER_S)
        self.connect = Connect(chosen.connect_url.get_secret_value())
        self.http = httpx.AsyncClient(timeout=limit_s)
        self.members_at_first: Sequence[Member] = ()
        """Who was in the workers' group when doctor began to look."""
        self._connection: Connection | None = None
        self._resources = AsyncExitStack()
        self.answers: dict[object, Any] = {}
        """What was asked `once`, by the question."""

    async def __aenter__(self) -> Self:
        for part in (self.cluster, self.connect):
            self._resources.push_async_callback(part.close)
        self._resources.push_async_callback(self.http.aclose)
        return self

    async def __aexit__(self, *_: object) -> None:
        closing = asyncio.ensure_future(self._resources.aclose())
        await asyncio.wait([closing], timeout=_CLOSE_S)
        if not closing.done():
            closing.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await closing

    async def open_postgres(self) -> None:
        """Connect to Postgres, anew where it was lost. Raises Failure."""
        if self._connection is None or self._connection.is_closed():
            opening = connect(self.chosen.database)
            self._connection = await self._resources.enter_async_context(opening)
        await self._connection.execute("SELECT 1")

    @property
    def connection(self) -> Connection:
        """The session with Postgres, once that has answered."""
        assert self._connection is not None
        return self._connection

    @property
    def site(self) -> Site:
        """The place where the log lives, as `badges provision` knows it."""
        return Site(
            connection=self.connection,
            access=self.chosen.kafka_access(),
            cluster=self.cluster,
            connect=self.connect,
            prefix=self.chosen.prefix,
            partitions=self.chosen.partitions,
            replication_factor=self.chosen.replication_factor,
            sslmode=urls.sslmode(self.chosen.database),
            say=self.say,
            progress=lambda _: None,
        )

    @once
    async def live(self) -> Generation | None:
        """The live generation of the log."""
        return await generations.live(self.connection)

    async def log(self) -> Generation:
        """The live generation, where the check `generation` has found one."""
        live = await self.live()
        assert live is not None
        return live

    @once
    async def differences(self) -> Sequence[Deviation]:
        """All that `badges migrate --check` finds."""
        return await check(self.connection, prefix=self.chosen.prefix)

    async def topics(self) -> Sequence[WantedTopic]:
        """The topics as they have to be, the log's own first."""
        live = await self.log()
        placed = (await self.placement()).replicas
        replicas = placed.get(live.topic, self.chosen.replication_factor)
        return generations.topics_of(live, live.partitions, replicas)

    @property
    def dead_letters(self) -> WantedTopic:
        """The topic of dead letters, which is there before any log."""
        return topics.dead_letters(self.chosen.prefix)

    @once
    async def placement(self) -> Placement:
        """How the topics of the log lie in Kafka; those that are there."""
        live = await self.log()
        names = [live.topic, live.heartbeat_topic, self.dead_letters.name]
        return await self.cluster.placement(names)
