"""`python -m bench`: measure on a stack of its own, print a table, write build/bench.json."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from bench import (
    audit,
    backfill,
    backlog,
    beside,
    checkpoints,
    commands,
    commits,
    dashboard,
    fold,
    latency,
    load,
    metrics,
    preview,
    progress,
    rates,
    replay,
    restart,
    sink,
    sizes,
    unlocks,
    validation,
    windows,
)
from bench.figures import Figure, table, write
from bench.site import Bench
from streams.errors import FOUND_A_PROBLEM

SECTIONS = {
    "history": fold.history,
    "memory": fold.memory,
    "windows": windows.measure,
    "sink": sink.measure,
    "rates": rates.measure,
    "metrics": metrics.measure,
    "replay": replay.measure,
    "backlog": backlog.measure,
    "backfill": backfill.measure,
    "latency": latency.measure,
    "beside": beside.measure,
    "sizes": sizes.measure,
    "restart": restart.measure,
    "checkpoints": checkpoints.measure,
    "load": load.measure,
    "commits": commits.measure,
    "audit": audit.measure,
    "preview": preview.measure,
    "unlocks": unlocks.measure,
    "progress": progress.measure,
    "validation": validation.measure,
    "dashboard": dashboard.measure,
    "commands": commands.measure,
}
"""What can be measured, in the order in which it is."""

RESULT = Path("build") / "bench.json"


def main() -> int:
    """Measure what is asked for; the exit code says only whether it could be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=SECTIONS, action="append", metavar="NAME", help=_names())
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    chosen = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    figures: list[Figure] = []
    failed: list[str] = []
    with Bench(quick=chosen.quick) as bench:
        for name in chosen.only or SECTIONS:
            console.print(f"measuring: {name}", highlight=False)
            try:
                figures += SECTIONS[name](bench)
            except Exception:
                console.print_exception(max_frames=4)
                failed.append(name)
            write(figures, RESULT)
    console.print(table(figures))
    console.print(f"written to {RESULT}", highlight=False)
    if failed:
        print(f"bench: could not be measured: {', '.join(failed)}", file=sys.stderr)
    return FOUND_A_PROBLEM if failed else 0


def _names() -> str:
    return f"measure this alone, may be given again: {', '.join(SECTIONS)}"


if __name__ == "__main__":
    sys.exit(main())
