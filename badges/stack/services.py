"""The project's own processes in the local stack: each gets the settings of its own role."""

import subprocess
import sys

import httpx
import psutil

from badges import settings
from badges.stack import addresses, processes
from badges.stack.infra import Infra
from badges.stack.layout import Layout
from streams.errors import Problem


def prefix() -> str:
    return settings.load().prefix


def command(infra: Infra, name: str) -> processes.Command:
    return processes.Command(name, _line(name), environment=_environment(infra, name))


def run(infra: Infra, name: str) -> None:
    """Run a badges command in the foreground; what it prints is seen. Raises Problem on failure."""
    marked = {processes.MARK: processes.mark(infra.layout, name)}
    told = {**processes.surroundings(), **_environment(infra, name), **marked}
    code = subprocess.run(_line(name), check=False, env=told).returncode
    if code:
        raise Problem(f"badges {name} failed (exit code {code}); its own line above says why")


def start_supervisor(layout: Layout) -> psutil.Process:
    """Start the process that starts the worker and the API, again when they die."""
    line = [sys.executable, "-m", "badges.stack", "supervise"]
    place = {
        "BADGES_RUN_DIR": str(layout.run_dir),
        "BADGES_PORT_BASE": str(layout.port_base),
    }
    return processes.spawn(layout, processes.Command("supervisor", line, environment=place))


def is_ready(layout: Layout) -> bool:
    try:
        return httpx.get(f"{layout.api_url}/readyz", timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


def _environment(infra: Infra, name: str) -> dict[str, str]:
    return addresses.for_command(infra.layout, infra.passwords, name)


def _line(name: str) -> list[str]:
    return [sys.executable, "-m", "badges.cli.main", name]
