"""`badges demo`: half a minute of life, and the proof that nothing went wrong."""

from pathlib import Path
from typing import Annotated

import typer

from badges.console import settings, starting


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
    # The clients of Kafka and Postgres take a while to import; other commands need not wait.
    with starting.imports():
        from badges.console.demo import stage  # noqa: PLC0415
        from badges.console.demo.run import Options  # noqa: PLC0415

    way = stage.Way(plain=plain, as_json=as_json, picture=picture)
    code = stage.perform(settings.load(), Options(seed, seconds, git, limit), way)
    raise typer.Exit(code)
