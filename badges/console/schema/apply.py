"""Apply the migrations that a database lacks, all of them or none."""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from badges.console.problems import FOUND_A_PROBLEM, Problem
from badges.console.schema import duplicates, history, migrations, passwords
from badges.console.schema.database import Connection, advice
from badges.console.schema.duplicates import Duplicate
from badges.console.schema.migrations import Migration

_ONE_AT_A_TIME = 0x6261646765730001


@dataclass(frozen=True)
class Report:
    """What `migrate` did: the files applied, and the duplicate awards it removed before."""

    applied: tuple[str, ...] = ()
    removed: tuple[Duplicate, ...] = ()
    passwords: tuple[str, ...] = ()


async def migrate(
    connection: Connection, *, prefix: str, role_passwords: Mapping[str, str]
) -> Report:
    """Bring the database up to date in one transaction.

    `prefix` begins the publication's name; `role_passwords` gives roles their login. Raises
    Problem, with nothing changed, when a migration cannot be applied.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
        await connection.execute("SELECT set_config('badges.prefix', $1, true)", prefix)
        done = await history.applied(connection)
        pending = [each for each in migrations.load() if each.version not in done]
        removed = await duplicates.remove(connection) if pending else ()
        for migration in pending:
            await _apply(connection, migration)
    for role, password in role_passwords.items():
        await passwords.set_password(connection, role, password)
    return Report(
        applied=tuple(f"{each.version}_{each.name}" for each in pending),
        removed=tuple(removed),
        passwords=tuple(role_passwords),
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
