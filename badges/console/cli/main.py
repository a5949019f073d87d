"""The console command `badges`: every command by name, and one way to end in an error."""

import sys

import asyncpg
import typer

from badges.console.cli.api import api
from badges.console.cli.criteria import criteria
from badges.console.cli.dedupe import dedupe
from badges.console.cli.demo import demo
from badges.console.cli.env import env
from badges.console.cli.migrate import migrate
from badges.console.cli.provision import provision
from badges.console.cli.resnapshot import resnapshot
from badges.console.cli.worker import worker
from badges.console.problems import WRONG_USE, Problem
from badges.console.schema.database import advice

app = typer.Typer(
    name="badges",
    help="Achievement badges for peer mentors, computed from the change log of Postgres.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.command()(api)
app.add_typer(criteria, name="criteria")
app.command()(dedupe)
app.command()(demo)
app.command()(env)
app.command()(migrate)
app.command()(provision)
app.command()(resnapshot)
app.command()(worker)


@app.callback()
def _commands() -> None:
    # A lone command would not need its name otherwise.
    pass


def main() -> None:
    """Run the command line; a Problem becomes one line on stderr and its exit code.

    So does what Postgres refuses and nobody has explained better.
    """
    try:
        app()
    except Problem as problem:
        print(f"badges: {problem}", file=sys.stderr)
        sys.exit(problem.code)
    except asyncpg.PostgresError as error:
        hint = "BADGES_DATABASE_URL has to name a role that may do this"
        print(f"badges: Postgres refuses: {advice(error)} {hint}", file=sys.stderr)
        sys.exit(WRONG_USE)


if __name__ == "__main__":
    main()
