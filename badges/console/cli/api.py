"""`badges api`: the HTTP API."""

from badges.console import settings
from badges.telemetry import logs


def api() -> None:
    """Serve the HTTP API at BADGES_API_HOST and BADGES_API_PORT until SIGTERM."""
    # FastAPI takes a second to import, which no other command should wait for.
    import uvicorn  # noqa: PLC0415

    from badges.console.api.app import create_app  # noqa: PLC0415

    chosen = settings.load()
    logs.configure(level=chosen.log_level)
    uvicorn.run(
        create_app(chosen),
        host=chosen.api_host,
        port=chosen.api_port,
        log_config=None,
        timeout_graceful_shutdown=3,
    )
