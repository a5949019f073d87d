"""Where a local stack lives: its run directory, its ports, and the names of its files."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from badges.settings import FILE, understood
from badges.stack import secrets
from streams.errors import Failure

HOST = "127.0.0.1"
DEFAULT_PORT_BASE = 21000
"""Below the ranges from which Linux (32768) and macOS (49152) hand out ports by themselves."""

_ANOTHER = "Name a folder that you may write to"

PORTS = ("postgres", "kafka", "controller", "connect", "api", "prometheus", "grafana")
"""A part's port is the base plus its place here."""


class LayoutSettings(BaseSettings):
    """BADGES_PORT_BASE and BADGES_RUN_DIR, from the environment or a .env file."""

    model_config = SettingsConfigDict(
        env_prefix="BADGES_", env_file=FILE, env_file_encoding="utf-8", extra="ignore"
    )

    port_base: int | None = Field(None, ge=1024, le=65535 - len(PORTS))
    run_dir: Path = Path(".run")


VARIABLES = {
    *(f"BADGES_{field.upper()}" for field in LayoutSettings.model_fields),
    *(f"BADGES_{part.upper()}_PORT" for part in PORTS),
    *secrets.NAMES,
    "BADGES_CI",
    "BADGES_CONNECT_DATABASE_HOSTNAME",
    "BADGES_CONNECT_DATABASE_NAME",
    "BADGES_CONNECT_DATABASE_PASSWORD",
    "BADGES_CONNECT_DATABASE_PORT",
    "BADGES_CONNECT_DATABASE_USER",
    "BADGES_JARS_DIR",
    "BADGES_MAVEN_REPOSITORY",
    "BADGES_STACK_PART",
}
"""What is read elsewhere than in the settings: by the launcher, by make, by Connect."""


@dataclass(frozen=True)
class Layout:
    """One stack's places. `run_dir` is absolute and holds everything: data, logs, ids, secrets."""

    run_dir: Path
    port_base: int

    def port(self, part: str) -> int:
        return self.port_base + PORTS.index(part)

    def pid_file(self, name: str) -> Path:
        return self.run_dir / f"{name}.pid"

    def log_file(self, name: str) -> Path:
        return self.run_dir / "logs" / f"{name}.log"

    @property
    def note(self) -> Path:
        """Return the file that remembers the port base between two starts."""
        return self.run_dir / "stack.json"

    @property
    def lock(self) -> Path:
        """Return the file that one launcher at a time holds locked."""
        return self.run_dir / "lock"

    @property
    def kafka_bootstrap(self) -> str:
        return f"{HOST}:{self.port('kafka')}"

    def url(self, part: str) -> str:
        """Return where a part that speaks HTTP is asked."""
        return f"http://{HOST}:{self.port(part)}"

    @property
    def connect_url(self) -> str:
        return self.url("connect")

    @property
    def api_url(self) -> str:
        return self.url("api")

    @property
    def dashboard_url(self) -> str:
        return f"{self.api_url}/"

    def make(self, kind: str = "local") -> None:
        """Create the run directory and note the port base in it, and if it is local or docker."""
        note = {"stack": kind, "port_base": self.port_base}
        try:
            (self.run_dir / "logs").mkdir(parents=True, exist_ok=True)
            self.note.write_text(json.dumps(note) + "\n", encoding="utf-8")
        except OSError as error:
            raise _unusable(self.run_dir, error) from None


@dataclass(frozen=True)
class Note:
    """How a stack was last started: "local" or "docker", and on which ports."""

    stack: str
    port_base: int


def noted(run_dir: Path) -> Note | None:
    """Return how the stack in this directory was last started, or None if it never was.

    Raises Failure when it cannot be the directory of a stack.
    """
    if os.path.lexists(run_dir) and not run_dir.is_dir():
        raise Failure(f"BADGES_RUN_DIR: {run_dir} is not a folder", hint=_ANOTHER)
    try:
        note = json.loads((run_dir / "stack.json").read_text(encoding="utf-8"))
        return Note(stack=str(note["stack"]), port_base=int(note["port_base"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(run_dir, error) from None
    except (ValueError, KeyError, TypeError):
        note = run_dir / "stack.json"
        raise Failure(f"{note} is damaged", hint="Delete it and run make up") from None


def _unusable(run_dir: Path, error: OSError) -> Failure:
    return Failure(f"BADGES_RUN_DIR: {run_dir} cannot be used: {error.strerror}", hint=_ANOTHER)


def load() -> Layout:
    """Return the layout that the settings ask for.

    Without BADGES_PORT_BASE a stack keeps the ports it was last started with.
    Raises Failure with the variable's name when a setting is wrong.
    """
    with understood():
        settings = LayoutSettings()
    run_dir = Path(os.path.abspath(settings.run_dir))  # noqa: PTH100 (a link stays as it is)
    before = noted(run_dir)
    base = settings.port_base or (before.port_base if before else DEFAULT_PORT_BASE)
    return Layout(run_dir=run_dir, port_base=base)
