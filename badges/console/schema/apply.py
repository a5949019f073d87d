"""Apply the migrations that a database lacks, all of them or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from badges.console.problems import FOUND_A_PROBLEM, Problem
from badges.console.schema import duplicates, filled_from, history, migrations, passwords
from badges.console.schema.check import check
from badges.console.schema.database import advice
from badges.console.schema.differences import Difference, of
from badges.console.schema.migrations import Migration
from badges.sinks.duplicates import Duplicate
from badges.sinks.pool import Connection

_ONE_AT_A_TIME = 0x6261646765730001


@dataclass(frozen=True)
class Report:
    """What `migrate` did: files applied, differences mended by applying all files again, duplicate
    awards removed, roles given a password; and the differences that are left.
    """

    applied: tuple[str, ...] = ()
    mended: tuple[Difference, ...] = ()
    removed: tuple[Duplicate, ...] = ()
    passwords: tuple[str, ...] = ()
    left: tuple[Difference, ...] = ()


async def migrate(
    connection: Connection, *, prefix: str, role_passwords: Mapping[str, str]
) -> Report:
    """Bring the database up to date in one transaction.

    `prefix` begins the publication's name; `role_passwords` gives roles their login. Files that
    are recorded as applied are applied again only where something they create is missing. What
    they change of a log's source is no gap in it; what was changed before stays one. Raises
    Problem, with nothing changed, when the database differs in what belongs to somebody else.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
        await connection.execute("SELECT set_config('badges.prefix', $1, true)", prefix)
        differences = await check(connection, prefix=prefix)
        _refuse(of("stop", differences))
        done = await history.applied(connection)
        every = migrations.load()
        pending = [each for each in every if each.version not in done]
        mended = [] if pending else of("mend", differences)
        changing = bool(pending or mended)
        whole = await filled_from.whole(connection) if changing else []
        removed = await duplicates.remove(connection) if changing else []
        for migration in every if mended else pending:
            await _apply(connection, migration)
        await duplicates.tell(connection, removed)
        await filled_from.stamp(connection, whole + await filled_from.unknown(connection))
    for role, password in role_passwords.items():
        await passwords.set_password(connection, role, password)
    return Report(
        applied=tuple(f"{each.version}_{each.name}" for each in pending),
        mended=tuple(mended),
        removed=tuple(removed),
        passwords=tuple(role_passwords),
        left=tuple(await check(connection, prefix=prefix)),
    )


def _refuse(differences: Sequence[Difference]) -> None:
    if differences:
        raise Problem(
            "the database differs where migrate must not change it; nothing was changed.\n"
            + "\n".join(each.lines() for each in differences),
            code=FOUND_A_PROBLEM,
        )


async def _apply(connection: Connection, migration: Migration) -> None:
    for statement in migration.statements:
        try:
            await connection.execute(statement)
        except asyncpg.PostgresError as error:
            raise Problem(
                f"migration {migration.version}_{migration.name}: {advice(error)} "
                "Nothing was changed.",
                code=FOUND_A_PROBLEM,
            ) from error
    await history.record(connection, migration)
