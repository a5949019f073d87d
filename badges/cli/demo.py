"""`badges demo`: half a minute of life, and the verification that nothing went wrong."""

from pathlib import Path
from typing import Annotated

import typer

from badges import settings, starting


def demo(  # noqa: PLR0913, PLR0917
    seconds: Annotated[float, typer.Option(min=0, max=3600, help="How long to play.")] = 25,
    seed: Annotated[str, typer.Option(help="The same seed plays the same script.")] = "1",
    git: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Play a git history: authors are mentors."),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a screen.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    limit: Annotated[float, typer.Option(help="Longest wait for the worker, in seconds.")] = 60,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the people and badges it has made, to look at.")
    ] = False,
    among_others: Annotated[
        bool,
        typer.Option("--among-others", help="Play in a database with other rows than a demo's."),
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the screen as it is after the play, as SVG."),
    ] = None,
) -> None:
    """Play activities of invented people, and watch badges unlock.

    Ends by reading the whole log again by brute force; exit code 1 when an award differs. Then, or
    when it is interrupted, it removes all that it and earlier demos have made.
    """
    # The clients of Kafka and Postgres take a while to import; other commands need not wait.
    with starting.imports():
        from badges.demo import stage  # noqa: PLC0415
        from badges.demo.run import Demo  # noqa: PLC0415

    place = stage.with_local_stack(settings.load())
    play = Demo(
        place.database,
        place.kafka_access(),
        seed,
        seconds,
        git,
        limit,
        keep,
        among_others,
    )
    address = stage.dashboard()
    raise typer.Exit(
        stage.perform(play, plain=plain, as_json=as_json, picture=picture, address=address)
    )
