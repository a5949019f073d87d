"""`badges lag`: how far behind the awards are, and what holds them up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, NoReturn, TypeAlias

import msgspec
import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from badges import event_loop, logs, settings
from badges.cli.options import Json
from schema.database import connect
from sinks.errors import StoreError
from sinks.pool import create_pool
from streams.errors import FOUND_A_PROBLEM, WRONG_USE, Problem
from streams.log.backfill import Backfill
from streams.log.cluster import Cluster
from streams.log.connect import Connect
from streams.log.heartbeats import Heartbeats
from streams.log.lag import GenerationState, Lag, PartitionLag, Parts, Stage, measure

_EVERY_S = 1.0
_MOST_PARTITIONS = 12
"""So many of those that are behind are shown, the latest first."""

_Look: TypeAlias = Callable[[], Awaitable[Lag]]

_COLORS = {"ok": "green", "behind": "yellow"}


def lag(
    once: Annotated[
        bool, typer.Option("--once", help="Measure once; the exit code is 1 when not on time.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show how far behind the awards are, and which part is late.

    The seconds are the age of the oldest row that is saved and not decided yet.
    """
    found = event_loop.run(lambda: _lag(settings.load(), once=once, as_json=as_json))
    if found.unreachable:
        raise typer.Exit(WRONG_USE)
    if not found.on_time:
        raise typer.Exit(FOUND_A_PROBLEM)


async def _lag(chosen: settings.Settings, *, once: bool, as_json: bool) -> Lag:
    # What does not answer is told here, in a word.
    logs.configure(level="CRITICAL")
    async with _parts(chosen) as parts:
        look = partial(_look, parts, chosen.on_time_seconds)
        if as_json:
            return await _print(look, once)
        console = Console(highlight=False)
        if once:
            found = await look()
            console.print(_shown(found))
            return found
        return await _show(look, console)


@asynccontextmanager
async def _parts(chosen: settings.Settings) -> AsyncIterator[Parts]:
    url = chosen.database_url.get_secret_value()
    async with connect(url):
        pass  # Whatever is wrong with the address is told in one line.
    kafka = chosen.kafka_access()
    cluster = Cluster(kafka)
    try:
        async with (
            await create_pool(url, application_name="badges lag", max_size=1) as pool,
            Connect(chosen.connect_url.get_secret_value()) as rest,
            Heartbeats(kafka) as heartbeats,
        ):
            yield Parts(pool, cluster, rest, heartbeats)
    finally:
        await cluster.close()


async def _look(parts: Parts, on_time_s: float) -> Lag:
    try:
        return await measure(parts, on_time_s)
    except StoreError as error:
        raise Problem(f"Postgres does not say how far it is: {error}") from error


async def _print(look: _Look, once: bool) -> Lag:
    while True:
        found = await look()
        typer.echo(msgspec.json.encode(found))
        if once:
            return found
        await asyncio.sleep(_EVERY_S)


async def _show(look: _Look, console: Console) -> NoReturn:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            try:
                shown = _shown(await look())
            except Problem as problem:
                shown = Text(str(problem), "red")
            live.update(shown, refresh=True)
            await asyncio.sleep(_EVERY_S)


def _shown(found: Lag) -> RenderableType:
    parts: list[RenderableType] = [_headline(found), _stages(found.stages)]
    if behind := [each for each in found.partitions if each.behind_records]:
        parts.append(_partitions(behind))
    parts += [Text(line) for line in _lines(found)]
    return Group(*parts)


def _headline(found: Lag) -> Text:
    behind = _behind(found.behind_seconds, found.behind_records)
    word, color = ("On time", "green") if found.on_time else ("Not on time", "red")
    return Text.assemble((word, f"bold {color}"), f": {behind}.")


def _behind(seconds: float | None, records: int | None) -> str:
    if seconds is None:
        return "how far behind is not known"
    rows = "" if records is None else f", {_number(records, 'record')} to decide"
    return f"{seconds:,.1f} s behind{rows}"


def _number(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _stages(stages: Sequence[Stage]) -> Table:
    table = Table("stage", "state", "seconds", "waits", "", box=None, padding=(0, 2, 0, 0))
    for stage in stages:
        waits = ""
        if stage.behind_bytes is not None:
            waits = f"{_number(stage.behind_bytes, 'byte')} of WAL"
        elif stage.behind_records is not None:
            waits = _number(stage.behind_records, "record")
        table.add_row(
            stage.name,
            Text(stage.state, _COLORS.get(stage.state, "red")),
            "?" if stage.behind_seconds is None else f"{stage.behind_seconds:,.1f}",
            waits,
            Text(stage.message),
        )
    return table


def _partitions(behind: Sequence[PartitionLag]) -> Table:
    """The partitions that are behind, the latest first."""
    table = Table("partition", "next offset", "end", "records", "seconds", box=None)
    latest = sorted(behind, key=lambda each: -(each.behind_seconds or 0))
    for each in latest[:_MOST_PARTITIONS]:
        seconds = "?" if each.behind_seconds is None else f"{each.behind_seconds:,.1f}"
        numbers = (each.partition, each.next_offset, each.end_offset, each.behind_records)
        table.add_row(*(f"{number:,}" for number in numbers), seconds)
    if len(behind) > _MOST_PARTITIONS:
        table.add_row(f"and {len(behind) - _MOST_PARTITIONS} more")
    return table


def _lines(found: Lag) -> Iterator[str]:
    for worker in found.workers:
        partitions = ", ".join(map(str, worker.partitions)) or "none"
        yield f"Worker {worker.name} at {worker.host}: partitions {partitions}"
    if found.backfill:
        yield _backfill(found.backfill)
    yield from _generation(found.generation)
    if found.as_of:
        yield f"Decided is everything up to {found.as_of:%Y-%m-%d %H:%M:%S} UTC"
    if found.alerts:
        yield f"Open alerts: {', '.join(found.alerts)}"


def _backfill(backfill: Backfill) -> str:
    left = "" if backfill.seconds_left is None else f", {backfill.seconds_left:,.0f} s left"
    return (
        f"Newer versions of {_number(backfill.definitions, 'rule')} are taken up in "
        f"{backfill.partitions_done} of {backfill.partitions} partitions{left}"
    )


def _generation(generation: GenerationState | None) -> Iterator[str]:
    if generation is None:
        yield "There is no log: run `badges provision`"
    elif generation.state != "live":
        yield f"Generation {generation.number} of the log is {generation.state}"
