"""Waits until the test run that started it is gone, then ends whatever that run left behind.

Containers too: what testcontainers has for that (Ryuk) does not know those of compose.
"""

import sys
from pathlib import Path

from badges.stack import docker, launch, layout


def main() -> None:
    """Wait for the end of stdin, which comes however the parent dies, then clean its run folder."""
    sys.stdin.read()
    run_dir = Path(sys.argv[1])
    note, containers = layout.noted(run_dir), docker.made(run_dir)
    place = layout.Layout(run_dir, note.port_base if note else layout.DEFAULT_PORT_BASE)
    try:
        if containers is not None:
            docker.down(containers, _hush, with_data=True)
    finally:
        launch.clean(place, _hush)


def _hush(_: str) -> None:
    """Say nothing: the run that could have told somebody is gone."""


if __name__ == "__main__":
    main()
