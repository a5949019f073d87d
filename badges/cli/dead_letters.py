"""`badges dead-letters`: what could not be used, taken in again or dropped."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from badges import event_loop, settings
from badges.cli.options import Json, print_json
from badges.upkeep import dead_letters as shelves
from badges.upkeep import retrying
from badges.upkeep.retrying import LEFT, Told
from schema.database import connect
from sinks.base import DeadLetter
from sinks.dead_letters import UNREADABLE
from streams.errors import FOUND_A_PROBLEM, Failure

dead_letters = typer.Typer(
    help="See input that could not be used, take it in, or drop it.", no_args_is_help=True
)

_Keys = Annotated[list[str] | None, typer.Argument(metavar="KEY", show_default=False)]
Table = Annotated[
    str | None,
    typer.Option(
        help=f"Only dead letters of this table ({', '.join(shelves.SUBJECTS)}).", metavar="TABLE"
    ),
]


@dead_letters.command("list")
def list_(table: Table = None, as_json: Json = False) -> None:
    """List the dead letters: key, when, table, row and reason."""
    letters = event_loop.run(lambda: _list(settings.load(), _known(table)))
    if as_json:
        items = [_item(key, letter) for key, letter in letters.items()]
        print_json({"items": items}, indent=2)
        return
    for key, letter in letters.items():
        row = f"{letter.table or UNREADABLE} {letter.row_id or '-'}"
        typer.echo(_printable(f"{key}  {letter.at.isoformat()}  {row}  {letter.reason}"))
    typer.echo(_number(len(letters)) + "." if letters else "No dead letters.")


@dead_letters.command()
def retry(
    keys: _Keys = None,
    table: Table = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds that the worker may take to decide.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Take in again what is mended: all dead letters, those with a KEY, or those of a table.

    A dead letter's row is sent through the log once more, by an update that changes nothing, as the
    tables' owner. Once the worker has used it, it is removed; so is one whose row is gone.
    """
    told = event_loop.run(lambda: _retry(settings.load(), keys or [], _known(table), wait))
    stay = [each for each in told if each.outcome in LEFT]
    if as_json:
        print_json({"items": told, "left": len(stay)})
    else:
        for each in told:
            reason = f": {each.reason}" if each.reason else ""
            typer.echo(_printable(f"{each.key}  {each.outcome}{reason}"))
        typer.echo(
            f"{_number(len(told))}, {len(told) - len(stay)} removed." if told else "Nothing to do."
        )
    if stay:
        raise typer.Exit(FOUND_A_PROBLEM)


@dead_letters.command()
def drop(
    keys: _Keys = None,
    everything: Annotated[bool, typer.Option("--all", help="Drop every dead letter.")] = False,
    table: Table = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether that is meant.")] = False,
    as_json: Json = False,
) -> None:
    """Drop dead letters for good: those with a KEY, those of a table, or all. No row is changed."""
    if sum([bool(keys), table is not None, everything]) != 1:
        raise Failure("say which dead letters to drop: their keys, --table TABLE or --all")
    if not keys and not yes:
        question = f"Drop every dead letter{f' of {table}' if table else ''} for good?"
        if as_json or not typer.get_text_stream("stdin").isatty():
            raise Failure("this cannot be undone: add --yes if it is meant")
        typer.confirm(question, abort=True)
    dropped = event_loop.run(lambda: _drop(settings.load(), keys or [], _known(table)))
    if as_json:
        print_json({"dropped": dropped})
    else:
        typer.echo(f"{_number(len(dropped))} dropped." if dropped else "Nothing to do.")


async def _list(chosen: settings.Settings, table: str | None) -> Mapping[str, DeadLetter]:
    async with shelves.shelf(chosen) as shelf:
        return shelves.chosen(await shelf.letters(), [], table)


async def _retry(
    chosen: settings.Settings, keys: Sequence[str], table: str | None, wait: float
) -> Sequence[Told]:
    async with connect(chosen.database) as connection, shelves.shelf(chosen) as shelf:
        letters = shelves.chosen(await shelf.letters(), keys, table)
        told = await retrying.retry(connection, shelf, letters, wait) if letters else []
        await shelves.close_alerts(chosen.database, shelf)
        return told


async def _drop(chosen: settings.Settings, keys: Sequence[str], table: str | None) -> Sequence[str]:
    async with connect(chosen.database), shelves.shelf(chosen) as shelf:
        letters = shelves.chosen(await shelf.letters(), keys, table)
        await shelf.store.remove(letters.keys())
        await shelves.close_alerts(chosen.database, shelf)
        return list(letters)


def _known(table: str | None) -> str | None:
    if table is not None and table not in shelves.SUBJECTS:
        raise Failure(f"no dead letter is of {table}: the tables are {', '.join(shelves.SUBJECTS)}")
    return table


def _item(key: str, letter: DeadLetter) -> dict[str, Any]:
    return {
        "key": _printable(key),
        "at": letter.at.isoformat(),
        "table": letter.table,
        "row_id": letter.row_id,
        "reason": letter.reason,
        "log_id": letter.log_id,
        "partition": letter.partition,
        "offset": letter.offset,
        "badge_definition_id": letter.badge_definition_id,
    }


def _printable(text: str) -> str:
    """The text with what is no character of UTF-8 written out."""
    return text.encode(errors="backslashreplace").decode()


def _number(letters: int) -> str:
    return "1 dead letter" if letters == 1 else f"{letters} dead letters"
