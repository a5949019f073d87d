"""Waits until the test run that started it is gone, then ends whatever that run left behind."""

import shutil
import sys
from pathlib import Path

from badges.console.stack import launch, layout


def main() -> None:
    """Wait for the end of stdin, which comes however the parent dies, then clean its run folder."""
    sys.stdin.read()
    run_dir = Path(sys.argv[1])
    if run_dir.exists():
        before = layout.noted(run_dir)
        base = before.port_base if before else layout.DEFAULT_PORT_BASE
        launch.clean(layout.Layout(run_dir, base), lambda _: None)
    shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    main()
