"""Apply the migrations that a database lacks, all of them or none."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import asyncpg

from schema import filled_from, history, indexes, locks, migrations, passwords
from schema.check import check
from schema.database import advice
from schema.differences import Deviation, of
from schema.migrations import Migration
from schema.wanted import Thing
from sinks import duplicates
from sinks.duplicates import Duplicate
from sinks.locks import Tell, one_at_a_time
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Failure

Look: TypeAlias = Callable[[], Awaitable[list[Deviation]]]

LOCK = str(0x6261646765730001)


@dataclass(frozen=True)
class Report:
    """What `migrate` did: files applied, differences mended by applying all files again, duplicate
    awards removed, roles given a password; and the differences that are left.
    """

    applied: tuple[str, ...] = ()
    mended: tuple[Deviation, ...] = ()
    removed: tuple[Duplicate, ...] = ()
    passwords: tuple[str, ...] = ()
    left: tuple[Deviation, ...] = ()


async def migrate(
    connection: Connection,
    *,
    prefix: str,
    role_passwords: Mapping[str, str],
    create: bool = False,
    tell: Tell = lambda _: None,
    patience_s: float = locks.PATIENCE_S,
) -> Report:
    """Bring the database up to date in one transaction, after the indexes that filled tables lack.

    `prefix` begins the publication's name; `role_passwords` gives roles their login; with `create`
    missing tables are created beside an application's of other names; `tell` hears what is waited
    for, and a lock is tried for `patience_s` seconds. Files that are recorded as applied are
    applied again only where something they create is missing. What they change of a log's source
    is no gap in it; what was changed before stays one. Raises Failure, with nothing changed, when
    the database differs in what belongs to somebody else.
    """
    look = partial(check, connection, prefix=prefix, create=create)
    patience = partial(locks.patiently, connection, tell=tell, patience_s=patience_s)
    async with one_at_a_time(connection, LOCK, tell, "Another `badges migrate`"):
        builds, lacking = await patience(lambda: _look(connection, look))
        built = await indexes.build(connection, builds, tell=tell, patience_s=patience_s)
        report = await patience(lambda: _change(connection, prefix, look))
        for role, password in role_passwords.items():
            await passwords.set_password(connection, role, password)
        mended = [each for each in lacking if each.where in built and not report.applied]
        return replace(
            report,
            mended=(*mended, *report.mended),
            passwords=tuple(role_passwords),
            left=tuple(await look()),
        )


async def _look(connection: Connection, look: Look) -> tuple[list[Thing], list[Deviation]]:
    """The indexes to build beforehand, and the differences that show it; both mostly empty."""
    missing = await indexes.missing(connection)
    if not missing:
        return [], []
    differences = await look()
    _refuse(of("stop", differences))
    return await indexes.worth_building(connection, missing), differences


async def _change(connection: Connection, prefix: str, look: Look) -> Report:
    await connection.execute("SELECT set_config('badges.prefix', $1, true)", prefix)
    differences = await look()
    _refuse(of("stop", differences))
    pending = await history.pending(connection)
    mended = [] if pending else of("mend", differences)
    changing = bool(pending or mended)
    if changing:
        await locks.take_all(connection)
    whole = await filled_from.whole(connection) if changing else []
    removed = await duplicates.remove(connection) if changing else []
    for migration in migrations.load() if mended else pending:
        await _apply(connection, migration)
    await duplicates.tell(connection, removed)
    await filled_from.stamp(connection, whole)
    return Report(
        applied=tuple(each.title for each in pending),
        mended=tuple(mended),
        removed=tuple(removed),
    )


def _refuse(differences: Sequence[Deviation]) -> None:
    if differences:
        raise Failure(
            "the database differs where migrate must not change it; nothing was changed.\n"
            + "\n".join(each.lines() for each in differences),
            code=FOUND_A_PROBLEM,
        )


async def _apply(connection: Connection, migration: Migration) -> None:
    for statement in migration.statements:
        try:
            await connection.execute(statement)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            raise
        except asyncpg.PostgresError as error:
            raise Failure(
                f"migration {migration.title}: {advice(error)} Nothing was changed.",
                code=FOUND_A_PROBLEM,
            ) from error
    await history.record(connection, migration)
