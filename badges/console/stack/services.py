"""The project's own processes in the local stack: each gets the settings of its own role."""

import os
import subprocess
import sys
from collections.abc import Mapping

import httpx
import psutil

from badges.console import settings
from badges.console.problems import Problem
from badges.console.stack import processes
from badges.console.stack.infra import Infra
from badges.console.stack.layout import HOST, Layout

SUPERVISED = ("worker", "api")


def prefix() -> str:
    """Return BADGES_PREFIX."""
    return settings.load().prefix


def shared_environment(infra: Infra) -> dict[str, str]:
    """Return what every process of the stack is told, and `badges env` prints."""
    return {
        "BADGES_KAFKA_BOOTSTRAP": infra.layout.kafka_bootstrap,
        "BADGES_CONNECT_URL": infra.layout.connect_url,
        "BADGES_API_URL": infra.layout.api_url,
        "BADGES_JWT_SECRET": infra.passwords["BADGES_JWT_SECRET"],
    }


def environment(infra: Infra, name: str) -> dict[str, str]:
    """Return the variables of one command: migrate, provision, worker or api."""
    shared = shared_environment(infra)
    if name in SUPERVISED:
        url = infra.role_url(f"badges_{name}", f"BADGES_{name.upper()}_PASSWORD")
        here = {"BADGES_API_HOST": HOST, "BADGES_API_PORT": str(infra.layout.port("api"))}
        return {**shared, "BADGES_DATABASE_URL": url, **here}
    passwords = {
        variable: infra.passwords[variable]
        for variable in ("BADGES_WORKER_PASSWORD", "BADGES_API_PASSWORD", "BADGES_CONNECT_PASSWORD")
    }
    return {**shared, **passwords, "BADGES_DATABASE_URL": infra.owner_url()}


def command(infra: Infra, name: str) -> processes.Command:
    """Return how to start a badges command of this stack."""
    return processes.Command(name, _line(name), environment=environment(infra, name))


def run(infra: Infra, name: str) -> None:
    """Run a badges command in the foreground; what it prints is seen. Raises Problem on failure."""
    marked = {processes.MARK: processes.mark(infra.layout, name)}
    surroundings: Mapping[str, str] = {**os.environ, **environment(infra, name), **marked}
    code = subprocess.run(_line(name), check=False, env=surroundings).returncode
    if code:
        raise Problem(f"badges {name} failed (exit code {code}); its own line above says why")


def start_supervisor(layout: Layout) -> psutil.Process:
    """Start the process that starts the worker and the API, again when they die."""
    line = [sys.executable, "-m", "badges.console.stack", "supervise"]
    place = {
        "BADGES_RUN_DIR": str(layout.run_dir),
        "BADGES_PORT_BASE": str(layout.port_base),
    }
    return processes.spawn(layout, processes.Command("supervisor", line, environment=place))


def is_ready(layout: Layout) -> bool:
    """Say whether the API calls itself ready."""
    try:
        return httpx.get(f"{layout.api_url}/readyz", timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


def _line(name: str) -> list[str]:
    return [sys.executable, "-m", "badges.console.cli.main", name]
