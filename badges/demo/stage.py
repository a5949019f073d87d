"""Where the demo plays, and how it is shown: on a live screen, as lines, JSON, or a picture."""

import logging
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from badges import event_loop
from badges.demo import screen, summary
from badges.demo.run import Demo
from badges.demo.screen import Screen
from badges.demo.telling import Lines, Show
from badges.settings import Settings
from badges.stack import addresses, layout, secrets
from streams.errors import FOUND_A_PROBLEM

_TITLE = "Badge streams"


def with_local_stack(settings: Settings) -> Settings:
    """What is set; what is not, from the local stack that `make up` started here, if any."""
    place = layout.load()
    if not place.note.exists():
        return settings
    local = addresses.for_people(place, secrets.load(place.run_dir))
    found = {
        "database_url": SecretStr(local["BADGES_DATABASE_URL"]),
        "kafka_bootstrap": local["BADGES_KAFKA_BOOTSTRAP"],
    }
    missing = {k: v for k, v in found.items() if k not in settings.model_fields_set}
    return settings.model_copy(update=missing)


def dashboard() -> str | None:
    """Where the local stack's dashboard is, if `make up` started one here."""
    place = layout.load()
    return place.dashboard_url if place.note.exists() else None


def perform(
    demo: Demo, *, plain: bool, as_json: bool, picture: Path | None, address: str | None
) -> int:
    """Run the demo, print its summary and return the exit code. Raises Failure as `Demo.run` does.

    Without a terminal it is shown as plain lines in any case. `address` is the dashboard's, where
    there is one.
    """
    # What is unreachable is said in one line of our own.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    if as_json:
        finished = event_loop.run(lambda: demo.run(Show()))
        print(summary.as_json(finished))
    elif picture:
        drawn = Screen(Console(width=screen.WIDTH, height=screen.HEIGHT, quiet=True), _TITLE)
        finished = event_loop.run(lambda: demo.run(drawn))
        drawn.note("not verified" if finished.verified.mismatches else "verified")
        screen.draw(drawn.render(), picture)
        print("\n".join(summary.as_lines(finished)))
    elif plain or not console.is_terminal:
        lines = Lines(lambda line: print(line, flush=True))
        if address:
            lines.note(f"the dashboard is at {address}")
        finished = event_loop.run(lambda: demo.run(lines))
        print("\n".join(summary.as_lines(finished)))
    else:
        shown = Screen(console, f"{_TITLE} · {address}" if address else _TITLE)
        with shown.live:
            finished = event_loop.run(lambda: demo.run(shown))
        console.print(summary.as_text(finished))
    return FOUND_A_PROBLEM if finished.verified.mismatches else 0
