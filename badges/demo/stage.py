"""Where the demo is shown: a live screen, plain lines, JSON alone, or a picture."""

import logging
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from badges import event_loop
from badges.demo import picture, summary, target
from badges.demo.lines import Lines
from badges.demo.run import Finished, Options, run
from badges.demo.screen import Screen
from badges.demo.target import Target
from badges.demo.telling import Silence
from badges.settings import Settings
from streams.errors import FOUND_A_PROBLEM

_TITLE = "Badge streams"


@dataclass(frozen=True)
class Way:
    """How to show it; without a terminal it is plain lines in any case."""

    plain: bool = False
    as_json: bool = False
    picture: Path | None = None


def perform(settings: Settings, options: Options, way: Way) -> int:
    """Run the demo, print its summary and return the exit code. Raises Problem as `run` does."""
    # What is unreachable is said in one line of our own.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    place = target.find(settings)
    console = Console()
    if way.as_json:
        finished = event_loop.run(lambda: run(place, options, Silence()))
        print(summary.as_json(finished))
    elif way.plain or way.picture or not console.is_terminal:
        finished = _without_screen(place, options, way)
        print("\n".join(summary.as_lines(finished)))
    else:
        with Screen(console, _TITLE) as screen:
            finished = event_loop.run(lambda: run(place, options, screen))
        console.print(summary.as_text(finished))
    return FOUND_A_PROBLEM if finished.verified.mismatches else 0


def _without_screen(place: Target, options: Options, way: Way) -> Finished:
    if way.picture is None:
        return event_loop.run(
            lambda: run(place, options, Lines(lambda line: print(line, flush=True)))
        )
    screen = Screen(Console(width=picture.WIDTH, height=picture.HEIGHT, quiet=True), _TITLE)
    finished = event_loop.run(lambda: run(place, options, screen))
    screen.note("not verified" if finished.verified.mismatches else "verified")
    picture.draw(screen.render(), way.picture)
    return finished
