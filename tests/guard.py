"""Waits until the test run that started it is gone, then ends whatever that run left behind."""

import sys
from pathlib import Path

from badges.console.stack import launch, layout


def main() -> None:
    """Wait for the end of stdin, which comes however the parent dies, then clean its run folder."""
    sys.stdin.read()
    run_dir = Path(sys.argv[1])
    launch.clean(layout.Layout(run_dir, layout.DEFAULT_PORT_BASE), lambda _: None)


if __name__ == "__main__":
    main()
