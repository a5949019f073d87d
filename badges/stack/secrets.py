"""The local stack's generated passwords, kept in a file that only its owner can read."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from streams.errors import Failure

NAMES = (
    "BADGES_OWNER_PASSWORD",
    "BADGES_WORKER_PASSWORD",
    "BADGES_API_PASSWORD",
    "BADGES_CONNECT_PASSWORD",
    "BADGES_JWT_SECRET",
)


def ensure(run_dir: Path) -> dict[str, str]:
    """Return the passwords by their variable's name; those that are missing are made first."""
    path = run_dir / "secrets.env"
    known = _read(path)
    missing = {name: secrets.token_hex(32) for name in NAMES if name not in known}
    if missing:
        known |= missing
        write(path, known)
    return known


def load(run_dir: Path) -> dict[str, str]:
    """Return the passwords of a stack that exists. Raises Failure when none was ever started."""
    known = _read(run_dir / "secrets.env")
    if not known:
        raise Failure(
            f"no local stack in {run_dir}", hint="Run `make up` first, or set BADGES_RUN_DIR"
        )
    return known


def _read(path: Path) -> dict[str, str]:
    found = dotenv_values(path, interpolate=False, encoding="utf-8")
    return {name: value for name, value in found.items() if value is not None}


def write(path: Path, values: Mapping[str, str]) -> None:
    """Write variables, a line each, into a file that only its owner can read."""
    draft = path.with_suffix(".tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    draft.replace(path)
