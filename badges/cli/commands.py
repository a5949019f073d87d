"""Every command by name, and one way to end in an error."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import asyncpg
import typer
from typer.exceptions import TyperException

from badges import spelling
from badges.cli.api import api
from badges.cli.audit import audit
from badges.cli.catalogue import catalogue
from badges.cli.criteria import criteria
from badges.cli.dead_letters import dead_letters
from badges.cli.dedupe import dedupe
from badges.cli.demo import demo
from badges.cli.env import env
from badges.cli.lag import lag
from badges.cli.migrate import migrate
from badges.cli.provision import provision
from badges.cli.replay import replay
from badges.cli.resnapshot import resnapshot
from badges.cli.token import token
from badges.cli.worker import worker
from badges.reporting import one_line, report, unusable, wants_json
from badges.stack.layout import VARIABLES
from badges.starting import INTERRUPTED
from schema.database import advice, first_line
from sinks.failures import LOST
from streams.errors import WRONG_USE, Problem

app = typer.Typer(
    name="badges",
    help="Achievement badges for peer mentors, computed from the change log of Postgres.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.add_typer(catalogue, name="catalogue")
app.add_typer(criteria, name="criteria")
app.add_typer(dead_letters, name="dead-letters")
for command in (
    api,
    audit,
    dedupe,
    demo,
    env,
    lag,
    migrate,
    provision,
    replay,
    resnapshot,
    token,
    worker,
):
    app.command()(command)


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
    # A lone command would not need its name otherwise.
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
