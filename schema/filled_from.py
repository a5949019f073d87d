"""The source against what the log was filled from: renamed columns, and gaps that stay."""

from collections.abc import Sequence

import asyncpg

from schema.differences import Deviation
from sinks.pool import Connection
from streams.errors import TOLD
from streams.log import fingerprint
from streams.log.generations import mark_broken
from streams.log.integrity import source_break

_RESNAPSHOT = "badges resnapshot"

GAP = "gap"
"""The check that finds what no migration can mend."""

_HAS_FINGERPRINTS = """
SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('public.badge_logs')
               AND attname = 'fingerprint' AND NOT attisdropped)
"""

# Not as generations.py reads them: before it is migrated a table of an older version lacks columns.
_GENERATIONS = """
SELECT log_id, generation AS number, regexp_replace(slot, '_' || generation || '$', '')
    AS publication, state, reason
FROM public.badge_logs
"""

_IN_USE = f"{_GENERATIONS} WHERE state IN ('filling', 'live')"

_UNKNOWN = f"{_IN_USE} AND fingerprint IS NULL"

_NEWEST = f"""
{_GENERATIONS} WHERE live_at IS NOT NULL OR state = 'filling' ORDER BY generation DESC LIMIT 1
"""


async def gaps(connection: Connection) -> list[Deviation]:
    """Whether the newest generation of the log is broken, or will be when a worker looks."""
    for newest in await _logs(connection, _NEWEST):
        if newest["state"] == "broken":
            return [_gap(newest, f"is broken: {newest['reason']}")]
        found = source_break(
            *await fingerprint.compare(connection, newest["log_id"], newest["publication"])
        )
        if found and found.lasting:
            return [_gap(newest, f"has a gap: {found}")]
    return []


async def renamed(connection: Connection) -> list[Deviation]:
    """The published columns that have another name now, told by their numbers."""
    return [
        Deviation(
            f"public.{table}.{column}",
            f"is called {now}",
            f"the name {column}",
            fingerprint.rename_statement(table, now, column),
            consequence="stop",
            spoils_log=True,
            check="renamed",
        )
        for newest in await _logs(connection, _NEWEST)
        for table, columns in (await _renamed(connection, newest)).items()
        for column, now in columns.items()
    ]


async def whole(connection: Connection) -> list[asyncpg.Record]:
    """The generations that may stay as they are when `migrate` has changed their source.

    They were filled from the source as it is, or it is not known from what. A live one with a gap
    is noted as broken, because what `migrate` mends would look whole again. The tables are locked:
    until the transaction ends nobody else can change them.
    """
    logs = await _logs(connection, _IN_USE)
    return [log for log in logs if await _is_whole(connection, log)]


async def _is_whole(connection: Connection, log: asyncpg.Record) -> bool:
    stored, present = await fingerprint.compare(connection, log["log_id"], log["publication"])
    found = source_break(stored, present)
    if found and found.lasting and found.kind != TOLD and log["state"] == "live":
        await mark_broken(connection, log["log_id"], found.kind, str(found))
    return found is None


async def stamp(connection: Connection, logs: Sequence[asyncpg.Record]) -> None:
    """Take the fingerprints of these generations anew: what `migrate` changes itself is no gap.

    Those of which it is not known what they were filled from get their first.
    """
    for log in dict.fromkeys([*logs, *await _logs(connection, _UNKNOWN)]):
        await fingerprint.stamp(connection, log["log_id"], log["publication"])


async def _logs(connection: Connection, query: str) -> list[asyncpg.Record]:
    if not await connection.fetchval(_HAS_FINGERPRINTS):
        return []
    return await connection.fetch(query)


async def _renamed(connection: Connection, log: asyncpg.Record) -> dict[str, dict[str, str]]:
    stored, present = await fingerprint.compare(connection, log["log_id"], log["publication"])
    if stored is None:
        return {}
    return {
        name: fingerprint.renamed(table, present.tables[name])
        for name, table in stored.tables.items()
    }


def _gap(newest: asyncpg.Record, found: str) -> Deviation:
    return Deviation(
        f"generation {newest['number']} of the log",
        found,
        "a new generation, filled from the tables as they are",
        _RESNAPSHOT,
        consequence="report",
        check=GAP,
    )
