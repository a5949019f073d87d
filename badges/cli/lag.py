"""`badges lag`: how far behind the awards are, and what holds them up."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, NoReturn, TypeAlias

import msgspec
import typer
from rich.console import Console
from rich.live import Live

from badges import event_loop, logs, settings
from badges.cli import lag_words
from badges.cli.lag_view import Sparkline, shown
from badges.cli.options import Json, print_json
from badges.measuring import measuring
from streams.errors import FOUND_A_PROBLEM, WRONG_USE
from streams.lag.stages import Lag

_EVERY_S = 1.0

_Look: TypeAlias = Callable[[], Awaitable[Lag]]


def lag(
    once: Annotated[
        bool, typer.Option("--once", help="Measure once; the exit code is 1 when not on time.")
    ] = False,
    as_json: Json = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="One line a measurement, as where there is no terminal.")
    ] = False,
) -> None:
    """Show how far behind the awards are, and which part is late.

    The seconds are the age of the oldest row that is saved and not decided yet.
    """
    found = event_loop.run(lambda: _lag(settings.load(), once=once, as_json=as_json, plain=plain))
    if found.unreachable:
        raise typer.Exit(WRONG_USE)
    if not found.on_time:
        raise typer.Exit(FOUND_A_PROBLEM)


async def _lag(chosen: settings.Settings, *, once: bool, as_json: bool, plain: bool) -> Lag:
    # What does not answer is told here, in a word.
    logs.configure(level="CRITICAL")
    async with measuring(chosen, "badges lag") as meter:
        say = _say_json if as_json else _say_line
        console = Console(highlight=False)
        if not once:
            lines = as_json or plain or not console.is_terminal or console.is_dumb_terminal
            await (_print(meter.measure, say) if lines else _show(meter.measure, console))
        found = await meter.measure_alone()
        if as_json or plain:
            say(found)
        else:
            console.print(shown(found))
        return found


def _say_json(found: Lag) -> None:
    # Instants as the API answers them.
    print_json(msgspec.to_builtins(found))


def _say_line(found: Lag) -> None:
    typer.echo(lag_words.line(found, datetime.now()))


async def _print(look: _Look, say: Callable[[Lag], None]) -> NoReturn:
    while True:
        say(await look())
        await asyncio.sleep(_EVERY_S)


async def _show(look: _Look, console: Console) -> NoReturn:
    """Show each measurement in the place of the last, on a screen of its own.

    What a narrower window would wrap is drawn anew; the last one stays when it ends.
    """
    sparkline, last = Sparkline(), None
    try:
        with Live(console=console, auto_refresh=False, screen=True) as live:
            asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, live.refresh)
            while True:
                last = await look()
                sparkline.add(last)
                live.update(shown(last, sparkline), refresh=True)
                await asyncio.sleep(_EVERY_S)
    finally:
        if last is not None:
            console.print(shown(last))
