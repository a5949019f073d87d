"""The API as one application: its parts are put together here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from badges.console.api import health, metrics
from badges.console.settings import Settings
from badges.sinks.pool import create_pool


def create_app(settings: Settings) -> FastAPI:
    """Build the application. Postgres may be away when it starts; /readyz tells."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.settings = settings
        pool = await create_pool(
            settings.database_url.get_secret_value(),
            application_name="badges api",
            role="badges_api",
        )
        async with pool:
            app.state.pool = pool
            yield

    app = FastAPI(
        title="Badge streams",
        summary="Badges for peer mentors, computed from the change log of Postgres",
        lifespan=lifespan,
    )
    app.include_router(health.router)
    app.include_router(metrics.router)
    return app
