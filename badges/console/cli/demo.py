"""`badges demo`: half a minute of life, and the proof that nothing went wrong."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from badges.console import settings
from badges.console.demo import picture as picture_of
from badges.console.demo import summary, target
from badges.console.demo.lines import Lines
from badges.console.demo.run import Finished, Options, run
from badges.console.demo.screen import Screen
from badges.console.demo.telling import Show, Silence
from badges.console.problems import FOUND_A_PROBLEM

TITLE = "Badge streams"


def demo(
    seconds: Annotated[float, typer.Option(min=0, max=3600, help="How long to play.")] = 25,
    seed: Annotated[str, typer.Option(help="The same seed plays the same script.")] = "1",
    git: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Play a git history: authors are mentors."),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a screen.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    limit: Annotated[float, typer.Option(help="Longest wait for the worker, in seconds.")] = 60,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the screen as it is after the play, as SVG."),
    ] = None,
) -> None:
    """Load organizations, badges and mentors, play activities, and watch badges unlock.

    Ends by reading the whole log again by brute force; exit code 1 when an award differs.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    place = target.find(settings.load())
    options = Options(seed, seconds, git, limit)
    console = Console()
    if as_json:
        finished = asyncio.run(run(place, options, Silence()))
        typer.echo(summary.as_json(finished))
    else:
        plain = plain or not console.is_terminal
        finished = _shown(place, options, console, plain, picture)
        if plain:
            typer.echo("\n".join(summary.as_lines(finished)))
        else:
            console.print(summary.as_text(finished))
    if finished.verified.differences:
        raise typer.Exit(FOUND_A_PROBLEM)


def _shown(
    place: target.Target, options: Options, console: Console, plain: bool, picture: Path | None
) -> Finished:
    if picture is not None:
        screen = Screen(
            Console(width=picture_of.WIDTH, height=picture_of.HEIGHT, quiet=True), TITLE
        )
        finished = asyncio.run(run(place, options, screen))
        picture_of.draw(screen.render(), picture)
        return finished
    if plain:
        show: Show = Lines(lambda line: print(line, flush=True))
        return asyncio.run(run(place, options, show))
    with Screen(console, TITLE) as screen:
        return asyncio.run(run(place, options, screen))
