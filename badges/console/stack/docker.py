"""The same stack in containers: docker-compose.yml, given this stack's ports and passwords."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from badges.console.problems import Problem
from badges.console.stack import layout as layouts
from badges.console.stack import processes, secrets, services
from badges.console.stack.layout import Layout

COMPOSE_FILE = Path(__file__).resolve().parents[3] / "docker-compose.yml"
PATIENCE = 120.0


def asked_for() -> bool:
    """Say whether STACK asks for containers. Raises Problem when it says neither that nor local."""
    kind = os.environ.get("STACK", "local")
    if kind not in {"local", "docker"}:
        raise Problem(f"STACK={kind}: it must be local or docker")
    return kind == "docker"


def require_engine() -> None:
    """Raise Problem, in one line, when no Docker engine answers or compose is missing."""
    if shutil.which("docker") is None:
        raise Problem("STACK=docker needs Docker, and there is no docker command on the PATH")
    for question in (["info"], ["compose", "version"]):
        asked = subprocess.run(["docker", *question], check=False, capture_output=True, text=True)
        if asked.returncode:
            said = (asked.stderr.strip() or asked.stdout.strip()).splitlines()[:1]
            line = " ".join(["docker", *question])
            raise Problem(f"STACK=docker needs Docker, and {line} does not work: {' '.join(said)}")


def up(layout: Layout, tell: Callable[[str], None]) -> None:
    """Start the containers and return when the API answers that it is ready."""
    if processes.find_all(layout):
        raise Problem(f"a local stack runs in {layout.run_dir}: make down first")
    require_engine()
    layout.make("docker")
    write_variables(layout, secrets.ensure(layout.run_dir))
    _compose(layout, "up", "--detach", "--build", "--remove-orphans")
    deadline = time.monotonic() + PATIENCE
    while not services.is_ready(layout):
        if time.monotonic() > deadline:
            raise Problem(
                f"the API was not ready after {PATIENCE:.0f} s: "
                f"docker compose --project-name {project(layout)} logs says why"
            )
        time.sleep(0.5)
    tell(f"up: {layout.api_url}; stop it with make down")


def down(layout: Layout, tell: Callable[[str], None], *, with_data: bool) -> None:
    """Remove the containers, and with `with_data` their volumes."""
    require_engine()
    _compose(layout, "down", "--remove-orphans", *(["--volumes"] if with_data else []))
    layout.note.unlink(missing_ok=True)
    tell("removed the containers")


def project(layout: Layout) -> str:
    """Return compose's project name, which begins the names of its containers."""
    return f"badge-streams-{layout.port_base}"


def variables(layout: Layout, passwords: dict[str, str]) -> dict[str, str]:
    """Return what docker-compose.yml refers to as ${...}."""
    ports = {
        f"BADGES_{name.upper()}_PORT": str(layout.port(name))
        for name in layouts.PORTS
        if name != "controller"
    }
    base = {"BADGES_PORT_BASE": str(layout.port_base), "BADGES_PREFIX": services.prefix()}
    return {**base, **ports, **passwords}


def write_variables(layout: Layout, passwords: dict[str, str]) -> Path:
    """Write `variables` into a file that only its owner can read, and return it."""
    lines = (f"{name}={value}\n" for name, value in variables(layout, passwords).items())
    path = _variables_file(layout)
    path.touch(mode=0o600)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _variables_file(layout: Layout) -> Path:
    return layout.run_dir / "compose.env"


def _compose(layout: Layout, *arguments: str) -> None:
    places = ["--file", str(COMPOSE_FILE), "--env-file", str(_variables_file(layout))]
    line = ["docker", "compose", "--project-name", project(layout), *places, *arguments]
    if subprocess.run(line, check=False, env=processes.surroundings()).returncode:
        raise Problem(f"docker compose {arguments[0]} failed; its own lines above say why")
