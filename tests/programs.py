"""Programs that some tests use when a machine has them; in CI a missing one fails the run."""

import shutil
from pathlib import Path

PLACES = {
    "chromium": (
        "chromium",
        "chromium-browser",
        "google-chrome",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ),
    "dart": ("dart",),
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "postgres-15": (
        "/usr/lib/postgresql/15/bin/postgres",
        "/usr/pgsql-15/bin/postgres",
        "/opt/homebrew/opt/postgresql@15/bin/postgres",
        "/usr/local/opt/postgresql@15/bin/postgres",
    ),
}


def find(name: str) -> Path | None:
    """Return where a program of PLACES is on this machine, or None."""
    found = (shutil.which(place) for place in PLACES[name])
    return next((Path(place) for place in found if place), None)
