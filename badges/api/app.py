"""The API as one application: its parts are put together here."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import structlog
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from badges.api import (
    badge_definitions,
    criteria,
    definition_history,
    hand_awards,
    health,
    held,
    lag,
    me,
    metrics,
    pages,
    peer_mentors,
    preview,
    progress,
    stats,
    status,
    unlocks,
    vocabulary,
)
from badges.api.dead_letters import DeadLettersWaiting
from badges.api.errors import answer_with_problems
from badges.api.history import History
from badges.api.limits import BoundedBody
from badges.api.openapi import DocumentedApp
from badges.api.overview import SharedPace, ask_overview
from badges.api.requests import REQUEST_ID, Guarded, Recorded
from badges.api.service_metrics import ServiceMetrics
from badges.api.shared import Shared
from badges.api.tokens import Tokens
from badges.api.unlock_feed import UnlockFeed
from badges.settings import Settings
from schema.database import where
from sinks.alerts import PostgresAlerts
from sinks.cancellation import uncancelled
from sinks.pool import Pool, create_pool
from streams.lag.answers import Clients
from streams.lag.backlog_watch import watch_backlog
from streams.lag.meter import Meter
from streams.lag.pulse import Pulses
from streams.log import topics
from streams.log.cluster import Cluster
from streams.log.connect import Connect
from streams.log.heartbeats import Heartbeats

_Duty: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""What never ends by itself."""

_AGAIN_S = 1.0
"""How long a duty that has ended waits before it begins again."""
_GOOD_FOR_S = 1.0
"""An alert is seen within ten seconds of what it is about, and most of these are gone by then."""
_LAST_STATEMENTS_S = 2.0
"""How long statements that outlive their requests may take once the process is to end."""

_SENT = (
    "Authorization",
    "Content-Type",
    "Accept-Language",
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
    "Last-Event-ID",
)
"""The headers that a page of another origin may send, and then those that it may read."""
_READ = ("ETag", "Location", "Retry-After", "Content-Language", REQUEST_ID)

log = structlog.get_logger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """Build the application. Postgres may be away when it starts; /readyz tells."""
    app = DocumentedApp(
        title="Badge streams",
        summary="Badges for peer mentors, computed from the change log of Postgres",
        lifespan=_running,
        # Pages that load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.tokens = Tokens(settings)
    # Set when the process is to end: an answer that goes on for ever ends with it.
    app.state.stopping = asyncio.Event()
    # Of requests at the database. Two connections are for the unlock feed and the process itself.
    app.state.places = asyncio.Semaphore(max(1, settings.api_connections - 2))
    app.state.previews = asyncio.Semaphore(settings.api_connections // 2)
    for part in (
        badge_definitions,
        criteria,
        definition_history,
        hand_awards,
        health,
        held,
        lag,
        me,
        metrics,
        pages,
        peer_mentors,
        preview,
        progress,
        stats,
        status,
        unlocks,
        vocabulary,
    ):
        app.include_router(part.router)
    _surround(app, settings)
    return app


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """Have, while it runs, what its routes ask and the duties that nobody asks for."""
    settings: Settings = app.state.settings
    tokens: Tokens = app.state.tokens
    async with AsyncExitStack() as stack:
        app.state.pool = pool = await _pool(settings, settings.api_connections)
        stack.push_async_callback(_close, pool)
        clients = await _connect(settings, pool, stack)
        hearing = await _pool(settings, 1)
        stack.push_async_callback(_close, hearing)
        alerts, pulses = PostgresAlerts(pool), Pulses()
        meter = Meter(clients, settings.on_time_seconds, pulses, lambda: alerts.unwritten)
        _share(app, meter, pool, stack)
        app.state.dead_letters = DeadLettersWaiting(
            settings.kafka_access(),
            clients.cluster,
            topics.dead_letters(settings.prefix).name,
            app.state.history.has_log,
        )
        app.state.unlocks = UnlockFeed(pool, app.state.stopping)
        told = ServiceMetrics(pool, app.state.history, app.state.overview, alerts)
        duties: list[_Duty] = [
            partial(watch_backlog, pool, clients.cluster, alerts, pulses),
            partial(pulses.listen, hearing),
            told.measure,
            told.look,
            alerts.keep_writing,
            app.state.dead_letters.follow,
            app.state.unlocks.follow,
            app.state.unlocks.end_with_the_process,
        ]
        if tokens.signing_keys is not None:
            duties.append(tokens.signing_keys.keep_fresh)
        for duty in duties:
            stack.callback(asyncio.create_task(_keep_up(duty)).cancel)
        yield


async def _connect(settings: Settings, pool: Pool, stack: AsyncExitStack) -> Clients:
    """Clients of the servers that are asked how far behind the awards are."""
    cluster = Cluster(settings.kafka_access())
    stack.push_async_callback(cluster.close)
    connect = await stack.enter_async_context(Connect(settings.connect_url.get_secret_value()))
    heartbeats = await stack.enter_async_context(Heartbeats(settings.kafka_access()))
    place = where(settings.database)
    return Clients(pool, cluster, connect, heartbeats, place, settings.kafka_bootstrap)


def _share(app: FastAPI, meter: Meter, pool: Pool, stack: AsyncExitStack) -> None:
    """Let what is measured and counted be asked once for all who ask."""
    app.state.lag = Shared(meter.measure, _GOOD_FOR_S)
    app.state.overview = Shared(partial(ask_overview, pool), _GOOD_FOR_S)
    app.state.pace = SharedPace(pool)
    for shared in (app.state.lag, app.state.overview, app.state.pace):
        stack.push_async_callback(shared.close)
    app.state.history = History(app.state.lag)


async def _pool(settings: Settings, connections: int) -> Pool:
    return await create_pool(
        settings.database,
        application_name="badges api",
        role="badges_api",
        max_size=connections,
    )


def _surround(app: FastAPI, settings: Settings) -> None:
    """Put around the routes what holds for each of them."""
    answer_with_problems(app)
    # The last one added is the first that a request meets.
    app.add_middleware(Guarded)
    app.add_middleware(BoundedBody)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=_SENT,
            expose_headers=_READ,
        )
    app.add_middleware(Recorded)


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(_LAST_STATEMENTS_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _keep_up(duty: _Duty) -> None:
    """Do what never ends by itself, again where it does, for nobody awaits it."""
    while True:
        try:
            await uncancelled(duty())
        except Exception as error:
            log.exception("a duty ended and begins again", error=repr(error))
        await asyncio.sleep(_AGAIN_S)
