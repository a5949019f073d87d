"""The API as one application: its parts are put together here."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from badges.api import health, metrics, peer_mentors, unlocks
from badges.api.problem import ProblemError, problem
from badges.api.tokens import Tokens
from badges.api.unlock_feed import UnlockFeed
from badges.settings import Settings
from sinks.alerts import PostgresAlerts
from sinks.cancellation import uncancelled
from sinks.errors import StoreError
from sinks.pool import create_pool
from streams.log.backlog import watch_backlog
from streams.log.cluster import Cluster

_AGAIN_S = 1.0
"""How long a duty that has ended waits before it begins again."""

log = structlog.get_logger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """Build the application. Postgres may be away when it starts; /readyz tells."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.settings = settings
        app.state.tokens = Tokens(settings)
        async with AsyncExitStack() as stack:
            pool = await create_pool(
                settings.database_url.get_secret_value(),
                application_name="badges api",
                role="badges_api",
            )
            app.state.pool = await stack.enter_async_context(pool)
            cluster = Cluster(settings.kafka_access())
            stack.push_async_callback(cluster.close)
            alerts = PostgresAlerts(pool)
            app.state.unlocks = UnlockFeed(pool)
            for duty in (
                partial(watch_backlog, pool, cluster, alerts),
                alerts.keep_writing,
                app.state.unlocks.follow,
            ):
                stack.callback(asyncio.create_task(_keep_up(duty)).cancel)
            yield

    app = FastAPI(
        title="Badge streams",
        summary="Badges for peer mentors, computed from the change log of Postgres",
        lifespan=lifespan,
    )
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(peer_mentors.router)
    app.include_router(unlocks.router)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(StoreError, _away)
    return app


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return error.response()


async def _away(_: Request, error: Exception) -> JSONResponse:
    log.warning("Postgres does not do what a request needs", error=str(error))
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "The database does not answer now: try again soon"
    )


async def _keep_up(duty: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do what never ends by itself, again where it does, for nobody awaits it."""
    while True:
        try:
            await uncancelled(duty())
        except Exception as error:
            log.exception("a duty ended and begins again", error=repr(error))
        await asyncio.sleep(_AGAIN_S)
