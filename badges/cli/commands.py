"""Every command by name, and one way to end in an error."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, Final

import asyncpg
import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException
from typer.main import get_group

from badges import spelling, starting
from badges.reporting import one_line, report, unusable
from badges.stack.layout import VARIABLES
from badges.starting import INTERRUPTED
from schema.database import advice, first_line
from sinks.failures import LOST, UNREACHED
from streams.errors import WRONG_USE, Failure

GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "Set up": {
        "migrate": "Create and update our tables, functions and roles.",
        "provision": "Create the log: topics, connector and first snapshot.",
        "env": "Print the local stack's addresses and passwords for a shell.",
        "token": "Sign a token for the API, to try it out.",
    },
    "Run": {
        "worker": "Read the log and write awards, until SIGTERM.",
        "api": "Serve the HTTP API, until SIGTERM.",
        "demo": "Play activities of invented people, and watch badges unlock.",
    },
    "Look": {
        "doctor": "Check every part, and say what mends what is wrong.",
        "lag": "Show how far behind the awards are, and which part is late.",
        "audit": "Recompute all awards and statistics by SQL, and compare.",
        "replay": "Decide everything anew from the log, and compare.",
        "export": "Print everything that is kept about a peer mentor.",
    },
    "Define": {
        "catalogue": "Ready badges for an organization to begin with.",
        "criteria": "Check what a badge asks for, and try it without a stack.",
    },
    "Mend": {
        "dead-letters": "See input that could not be used, take it in, or drop it.",
        "resnapshot": "Fill a new generation of the log, which then takes over.",
        "dedupe": "Keep the earliest award of each mentor and badge alone.",
        "prune": "Tell what nothing reads any more; with --apply remove it.",
        "forget": "Remove what is left of a peer mentor who was deleted.",
    },
}
"""What people do, and with which command; of each the line that its own help begins with.

A command is the function, or the group of commands, of the module of its name.
"""
COMMANDS: Final = [name for commands in GROUPS.values() for name in commands]


class _Commands(TyperGroup):
    """Imports a command when it is called: help and completion need its name and its line alone."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for group, commands in GROUPS.items():
            for name, line in commands.items():
                self.add_command(TyperCommand(name, short_help=line, rich_help_panel=group))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and _imported(args[0]), rest


def _imported(name: str) -> Any:
    own = name.replace("-", "_")
    with starting.imports():
        from badges import logs  # noqa: PLC0415 - help and completion need no logs

        found = getattr(import_module(f"badges.cli.{own}"), own)
    # What goes wrong is told by the command; who runs long logs more.
    logs.configure(level="ERROR", silent=["aiokafka"])
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
        if not error.format_message().strip():  # a command without arguments has printed its help
            return WRONG_USE
        failure = _misunderstood(error)
    except Failure as error:
        failure = error
    except OSError as error:
        failure = unusable(error)
    except (asyncpg.PostgresError, *UNREACHED) as error:
        failure = _refused(error)
    return report(failure, as_json="--json" in arguments)


def _refused(error: Exception) -> Failure:
    if isinstance(error, asyncpg.PostgresError) and not (error.sqlstate or "").startswith(LOST):
        hint = "BADGES_DATABASE_URL has to name a role that may do this"
        return Failure(f"Postgres refuses: {advice(error)}", hint=hint)
    hint = "Run the command again once it answers"
    return Failure(f"Postgres does not answer any more: {first_line(error)}", hint=hint)


def _misunderstood(error: TyperException) -> Failure:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "badges"
    return Failure(one_line(error.format_message()), hint=f"{command} --help shows what there is")
