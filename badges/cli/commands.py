"""Every command by name, and one way to end in an error."""

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, Final

import asyncpg
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_group

from badges import spelling, starting
from badges.reporting import one_line, report, unusable, wants_json
from badges.stack.layout import VARIABLES
from badges.starting import INTERRUPTED
from schema.database import advice, first_line
from sinks.failures import LOST
from streams.errors import WRONG_USE, Problem

COMMANDS: Final = (
    # from nothing to awards
    "demo",
    "migrate",
    "provision",
    "worker",
    "api",
    # which badges there are
    "catalogue",
    "criteria",
    # whether all is well, and mending what is not
    "doctor",
    "lag",
    "audit",
    "replay",
    "dead-letters",
    "resnapshot",
    "dedupe",
    "prune",
    # what is kept about a person
    "export",
    "forget",
    # trying it out
    "env",
    "token",
)
"""As they are listed. Each is the function, or the group of commands, of the module of its name."""


class _Commands(TyperGroup):
    """Imports a command when it is called: what it needs takes a while, and others do not wait."""

    def list_commands(self, _: Any) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.commands[cmd_name] = _imported(cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in COMMANDS:  # the nearest one of all is proposed
            for name in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)


def _imported(name: str) -> Any:
    own = name.replace("-", "_")
    with starting.imports():
        found = getattr(import_module(f"badges.cli.{own}"), own)
    alone = typer.Typer()
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    return get_group(alone).commands[name]


app = typer.Typer(
    name="badges",
    cls=_Commands,
    help="Achievement badges for peer mentors, computed from the change log of Postgres.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"badges {version('badge-streams')}")
        raise typer.Exit


@app.callback()
def _commands(
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    # What has no callback and no command of its own is no group.
    pass


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; an error is one line on stderr.

    With --json it is JSON on stdout. What Postgres refuses and nobody has explained better is an
    error too, and so is a wrong option.
    """
    spelling.warn(VARIABLES)
    try:
        return app(list(arguments), prog_name="badges", standalone_mode=False) or 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except TyperException as error:
        return _misunderstood(error, arguments)
    except Problem as problem:
        return report(problem, as_json=wants_json(arguments))
    except OSError as error:
        return report(unusable(error), as_json=wants_json(arguments))
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return report(_refused(error), as_json=wants_json(arguments))


def _refused(error: asyncpg.PostgresError | asyncpg.InterfaceError) -> Problem:
    if isinstance(error, asyncpg.PostgresError) and not (error.sqlstate or "").startswith(LOST):
        hint = "BADGES_DATABASE_URL has to name a role that may do this"
        return Problem(f"Postgres refuses: {advice(error)}", hint=hint)
    hint = "Run the command again once it answers"
    return Problem(f"Postgres does not answer any more: {first_line(error)}", hint=hint)


def _misunderstood(error: TyperException, arguments: Sequence[str]) -> int:
    text = error.format_message()
    if not text.strip():  # a command without arguments has printed its help
        return WRONG_USE
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "badges"
    problem = Problem(one_line(text), hint=f"{command} --help shows what there is")
    return report(problem, as_json=wants_json(arguments))
