"""`badges api` of a pipeline, as a process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from badges.stack import processes
from tests import http
from tests.integration.pipeline import Pipeline
from tests.stack import LIMIT_S, free_port_base, wait_for


@contextmanager
def served(p: Pipeline, port: int | None = None) -> Iterator[str]:
    """The API of a pipeline, at a port of its own unless one is given; its address."""
    port = port or free_port_base()
    environment = {
        **p.worker().environment,
        "BADGES_DATABASE_URL": p.role_url("badges_api"),
        "BADGES_API_PORT": str(port),
    }
    line = [sys.executable, "-m", "badges.cli.main", "api"]
    layout = p.stack.infra.layout
    process = processes.spawn(layout, processes.Command("test-api", line, environment=environment))
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(address), LIMIT_S, "the API's answer")
        yield address
    finally:
        processes.stop(process)


def answers(address: str) -> bool:
    try:
        return http.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False
