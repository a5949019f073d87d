"""`badges prune`: remove what nothing reads any more."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich import filesize
from rich.console import Console
from rich.table import Table

from badges import event_loop, settings
from badges.cli.options import Json, print_json
from badges.upkeep import dead_letters, pruning
from badges.upkeep.pruning import LeftOver
from schema.database import connect
from sinks.pruning import Prunable

_WHAT = {
    "positions": "positions in generations of the log that are over",
    "rule_positions": "where versions took effect in generations of the log that are over",
    "found_awards": "what waited to be written when such a generation began",
    "alerts": "alerts that are resolved",
    "audits": "runs of `badges audit`",
    "idempotency_keys": "keys of requests to the API, good for a day",
    "dead_letters": "dead letters of generations that are over, or of rows that are gone",
}


class _Told(msgspec.Struct, frozen=True):
    """What is printed: what may go, or `applied` has gone, and what another command removes."""

    applied: bool
    older_than_days: int
    items: Sequence[Prunable]
    left_over: Sequence[LeftOver]


def prune(
    apply: Annotated[
        bool, typer.Option("--apply", help="Remove it; without this it is only told.")
    ] = False,
    older_than: Annotated[
        int,
        typer.Option(min=1, max=36_500, help="Days that alerts and audits are kept once over."),
    ] = 90,
    as_json: Json = False,
) -> None:
    """Tell what nothing reads any more; with --apply remove it.

    Workers may go on meanwhile.

    Nothing that a worker, a replay or an audit needs is removed. It may be broken off at any
    moment, and run again.
    """
    told = event_loop.run(lambda: _prune(settings.load(), older_than, apply=apply))
    if as_json:
        print_json(told)
        return
    _print(told)


async def _prune(chosen: settings.Settings, older_than: int, *, apply: bool) -> _Told:
    async with connect(chosen.database) as connection, dead_letters.shelf(chosen) as shelf:
        await pruning.see_all(connection)
        if apply:
            items = await pruning.remove(connection, shelf, older_than)
            await dead_letters.close_alerts(chosen.database, shelf)
        else:
            items = await pruning.prunable(connection, shelf, older_than)
        left_over = await pruning.left_over(connection, shelf.cluster)
    return _Told(apply, older_than, items, left_over)


def _print(told: _Told) -> None:
    console = Console(highlight=False)
    found = [each for each in told.items if each.count]
    if found:
        console.print("Removed:" if told.applied else "May go:")
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for each in found:
            since = f"since {each.since:%Y-%m-%d}" if each.since else ""
            size = filesize.decimal(each.bytes)
            table.add_row(each.kind, f"{each.count:,}", size, since, _WHAT[each.kind])
        console.print(table)
        if not told.applied:
            console.print("Run `badges prune --apply` to remove it.")
    else:
        console.print("Nothing to do: all that is there is of use.")
    for left in told.left_over:
        size = f", {filesize.decimal(left.bytes)} of WAL" if left.bytes is not None else ""
        console.print(f"The {left.kind} {left.name}{size} is left over: {left.command} removes it.")
