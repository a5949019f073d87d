"""The same stack in containers: docker-compose.yml, given this stack's ports and passwords."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from dotenv import dotenv_values

from badges.stack import layout as layouts
from badges.stack import processes, secrets, services
from badges.stack.layout import Layout
from streams.errors import Failure

COMPOSE_FILE = Path(__file__).resolve().parents[2] / "docker-compose.yml"
MONITORING = "monitoring"
PROFILES = (MONITORING,)
"""Every profile of the compose file: what one of them started must end too."""

_PATIENCE_S = 120.0


def asked_for() -> bool:
    """Say whether STACK asks for containers. Raises Failure when it says neither that nor local."""
    kind = os.environ.get("STACK", "local")
    if kind not in {"local", "docker"}:
        raise Failure(f"STACK={kind}: it must be local or docker")
    return kind == "docker"


def require_engine(what: str = "STACK=docker") -> None:
    """Raise Failure, in one line, when no Docker engine answers or compose is missing.

    `what` needs it.
    """
    if shutil.which("docker") is None:
        raise Failure(f"{what} needs Docker, and there is no docker command on the PATH")
    for question in (["info"], ["compose", "version"]):
        asked = subprocess.run(["docker", *question], check=False, capture_output=True, text=True)
        if asked.returncode:
            said = (asked.stderr.strip() or asked.stdout.strip()).splitlines()[:1]
            line = " ".join(["docker", *question])
            raise Failure(f"{what} needs Docker, and {line} does not work: {' '.join(said)}")


def up(layout: Layout, tell: Callable[[str], None]) -> None:
    """Start the containers and return when the API answers that it is ready.

    Nothing is written when they cannot be started for another stack's sake, or a stranger's port.
    """
    if processes.find_all(layout):
        raise Failure(f"a local stack runs in {layout.run_dir}", hint="make down first")
    require_engine()
    _refuse_other_project(layout)
    if not run(layout):
        for name in layouts.PORTS:
            if name != "controller":
                processes.require_free_port(name, layout.port(name))
    layout.make("docker")
    passwords = secrets.ensure(layout.run_dir)
    write_variables(layout, passwords)
    _compose(layout, "up", "--detach", "--build", "--remove-orphans")
    if not processes.comes_true(lambda: services.is_ready(layout), _PATIENCE_S):
        raise Failure(
            f"the API was not ready after {_PATIENCE_S:.0f} s",
            hint=f"docker compose --project-name {project(layout)} logs says why",
        )
    tell(f"up, dashboard at {layout.dashboard_url}; stop it with make down")
    if MONITORING in os.environ.get("COMPOSE_PROFILES", "").split(","):
        tell(f"Grafana: {layout.url('grafana')}; Prometheus: {layout.url('prometheus')}")
    if waits := services.what_waits(layout, passwords):
        tell(waits)


def down(layout: Layout, tell: Callable[[str], None], *, with_data: bool) -> None:
    """Remove the containers, and with `with_data` their volumes.

    Without, the volumes that have a name stay, for they hold the data; those without one go.
    """
    require_engine(f"a stack in containers, as that of {layout.run_dir},")
    everything = [part for name in PROFILES for part in ("--profile", name)]
    if with_data:
        _compose(layout, *everything, "down", "--remove-orphans", "--volumes")
    else:
        _compose(layout, *everything, "rm", "--force", "--stop", "--volumes")
        _compose(layout, *everything, "down", "--remove-orphans")
    tell("removed the containers and their data" if with_data else "removed the containers")


def made(run_dir: Path) -> Layout | None:
    """Return the layout of the containers that were ever made from this run directory, or None.

    Their data outlive them, until `down` with data; and so do the local stack's in between.
    """
    base = dotenv_values(_variables_file(run_dir)).get("BADGES_PORT_BASE")
    return Layout(run_dir, int(base)) if base else None


def run(layout: Layout) -> bool:
    """Say whether containers of this run directory run; without a docker command none do."""
    containers = made(layout.run_dir)
    if containers is None or shutil.which("docker") is None:
        return False
    asked = subprocess.run(
        _line(containers, "ps", "--quiet"),
        check=False,
        capture_output=True,
        text=True,
        env=processes.surroundings(),
    )
    return asked.returncode == 0 and bool(asked.stdout.strip())


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
    path = _variables_file(layout.run_dir)
    secrets.write(path, variables(layout, passwords))
    return path


def _refuse_other_project(layout: Layout) -> None:
    before = made(layout.run_dir)
    if before is not None and before.port_base != layout.port_base:
        raise Failure(
            f"the containers of {layout.run_dir} have BADGES_PORT_BASE={before.port_base}",
            hint="Leave it at that, give the second stack a folder of its own with BADGES_RUN_DIR, "
            "or make clean",
        )


def _variables_file(run_dir: Path) -> Path:
    return run_dir / "compose.env"


def _compose(layout: Layout, *arguments: str) -> None:
    line = _line(layout, *arguments)
    if subprocess.run(line, check=False, env=processes.surroundings()).returncode:
        order = next(each for each in arguments if each in {"up", "rm", "down"})
        raise Failure(f"docker compose {order} failed; its own lines above say why")


def _line(layout: Layout, *arguments: str) -> Sequence[str]:
    places = ["--file", str(COMPOSE_FILE), "--env-file", str(_variables_file(layout.run_dir))]
    return ["docker", "compose", "--project-name", project(layout), *places, *arguments]
