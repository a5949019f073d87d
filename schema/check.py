"""All that differs between a database and what this project needs of it."""

from collections.abc import Callable, Sequence

from schema import checks, compare_log, compare_tables, filled_from, history
from schema.differences import Deviation, of
from sinks.pool import Connection
from streams.errors import Failure

NEWER = "newer"
"""The check that finds a newer version's migrations."""


async def check(connection: Connection, *, prefix: str, create: bool = False) -> list[Deviation]:
    """Every difference, those that stop `migrate` first. Reads only.

    With `create`, tables of other names are no reason to ask before missing ones are created.

    While a column has another name, keys, rights and lists that name it cannot be judged. Where a
    newer version of ours was here, what differs is its own, and not for this one to mend.
    """
    gaps = await filled_from.gaps(connection)
    renamed = await filled_from.renamed(connection)
    if renamed:
        return renamed + gaps
    differences = await compare_tables.table_differences(connection)
    if not create:
        differences += await checks.run(connection, "presence")
    if not of("stop", differences):
        differences += await checks.run(connection, *checks.ROWS)
    differences += await compare_log.log_differences(connection, prefix)
    differences += await checks.run(connection, *checks.THINGS, *checks.RIGHTS)
    newer = await history.newer(connection)
    if newer:
        theirs = (each for each in differences if each.consequence != "mend" or each.spoils_log)
        differences = [*theirs, _newer(newer)]
    return sorted(differences + gaps, key=lambda each: each.consequence != "stop")


def _newer(applied: Sequence[str]) -> Deviation:
    return Deviation(
        "the database",
        f"is newer than this version of badge streams, which does not have {', '.join(applied)}",
        "the newer version's `badges migrate`",
        "",
        consequence="stop",
        check=NEWER,
    )


async def require_a_source(
    connection: Connection, *, prefix: str, say: Callable[[str], None]
) -> None:
    """Raise Failure where what a log is read from is wrong: it would be missing from a new one too.

    Whatever else differs is as wrong as before: `say` tells it, and a log can be mended.
    """
    differences = await check(connection, prefix=prefix)
    faults = [each for each in differences if each.spoils_log]
    for each in differences:
        if not each.spoils_log and each.consequence != "report":
            say(f"Warning: {each.where} {each.found}; see `badges migrate --check`.")
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise Failure(
            f"the database is not as a log needs it: {faults[0].where} {faults[0].found}{more}",
            hint="Run `badges migrate`, which mends what it may; `badges migrate --check` lists "
            "all, with the statements that mend them",
        )
