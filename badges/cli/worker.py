"""`badges worker`: the process that decides."""

from typing import Annotated

import typer

from badges import settings, starting


def worker(
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of its metrics, before BADGES_METRICS_PORT."),
    ] = None,
) -> None:
    """Read the log and write awards, until SIGTERM.

    Start as many as there are cores.
    """
    # Faust takes a second to import, which no other command should wait for.
    with starting.imports():
        from badges.worker_process import run_worker  # noqa: PLC0415

    given = settings.load()
    run_worker(given, metrics_port or given.metrics_port)
