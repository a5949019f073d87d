"""`badges lag`: how far behind the awards are, and what holds them up."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, NoReturn, TypeAlias

import msgspec
import typer
from rich.console import Console
from rich.live import Live

from badges import event_loop, logs, settings
from badges.cli import lag_words
from badges.cli.lag_view import Sparkline, shown
from badges.cli.options import Json
from schema.database import where
from sinks.pool import create_pool
from streams.errors import FOUND_A_PROBLEM, WRONG_USE
from streams.log.cluster import Cluster
from streams.log.connect import Connect
from streams.log.heartbeats import Heartbeats
from streams.log.lag import Lag
from streams.log.lag_asking import Parts
from streams.log.lag_meter import Meter
from streams.log.pulse import Pulses

_EVERY_S = 1.0
_CLOSING_S = 0.3
"""How long a client may take to say goodbye: to whom does not answer there is no need to."""

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
    async with _meter(chosen) as meter:
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


@asynccontextmanager
async def _meter(chosen: settings.Settings) -> AsyncIterator[Meter]:
    url = chosen.database_url.get_secret_value()
    kafka = chosen.kafka_access()
    cluster, heartbeats, pulses = Cluster(kafka), Heartbeats(kafka), Pulses()
    pool = await create_pool(url, application_name="badges lag", max_size=2)
    hearing = asyncio.create_task(pulses.listen(pool))
    try:
        async with Connect(chosen.connect_url.get_secret_value()) as rest:
            parts = Parts(pool, cluster, rest, heartbeats, where(url), chosen.kafka_bootstrap)
            yield Meter(parts, chosen.on_time_seconds, pulses)
    finally:
        hearing.cancel()
        pool.terminate()
        closing = [asyncio.create_task(each.close()) for each in (heartbeats, cluster)]
        await asyncio.wait(closing, timeout=_CLOSING_S)


def _say_json(found: Lag) -> None:
    typer.echo(msgspec.json.encode(found))


def _say_line(found: Lag) -> None:
    typer.echo(lag_words.line(found, datetime.now()))
    sys.stdout.flush()


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
