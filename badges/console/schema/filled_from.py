"""The source against what the log was filled from: renamed columns, and gaps that stay."""

from collections.abc import Sequence
from dataclasses import dataclass

from badges.console.schema.differences import Difference
from badges.sinks.pool import Connection
from badges.streams import fingerprint
from badges.streams.fingerprint import Change

RESNAPSHOT = "badges resnapshot"

_LOGS = "SELECT to_regclass('public.badge_logs') IS NOT NULL"

_HAS_FINGERPRINTS = """
SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('public.badge_logs')
               AND attname = 'fingerprint' AND NOT attisdropped)
"""

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

_LOCK = "LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE"


@dataclass(frozen=True)
class Log:
    """A generation of the log, and the publication that it is read through."""

    log_id: str
    number: int
    publication: str
    state: str
    reason: str | None


async def compare(connection: Connection) -> list[Difference]:
    """Whether the newest generation of the log is broken, or will be when a worker looks."""
    if not await connection.fetchval(_HAS_FINGERPRINTS):
        return []
    for newest in await _logs(connection, _NEWEST):
        if newest.state == "broken":
            return [_gap(newest, f"is broken: {newest.reason}")]
        lasting = [c.text for c in await _changes(connection, newest) if c.lasting]
        if lasting:
            return [_gap(newest, f"has a gap: {'; '.join(lasting)}")]
    return []


async def renamed(connection: Connection) -> dict[str, dict[str, str]]:
    """By table, the published columns that have another name now: old name to new name."""
    if not await connection.fetchval(_HAS_FINGERPRINTS):
        return {}
    for newest in await _logs(connection, _NEWEST):
        stored, present = await fingerprint.compare(connection, newest.log_id, newest.publication)
        if stored is not None:
            return {
                name: fingerprint.renamed(table, present.tables[name])
                for name, table in stored.tables.items()
            }
    return {}


async def matching(connection: Connection) -> Sequence[Log]:
    """The generations whose source is what they were filled from, or of which that is not known.

    Until the transaction ends nobody else can change the tables that they are filled from.
    """
    if not await connection.fetchval(_LOGS):
        return []
    logs = await _logs(connection, _IN_USE)
    if not logs or not await connection.fetchval(_HAS_FINGERPRINTS):
        return logs
    for table in fingerprint.SOURCES:
        if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"public.{table}"):
            await connection.execute(_LOCK.format(f"public.{table}"))
    return [log for log in logs if not await _changes(connection, log)]


async def unknown(connection: Connection) -> Sequence[Log]:
    """The generations of which it is not known what they were filled from."""
    known = await connection.fetchval(_HAS_FINGERPRINTS)
    return await _logs(connection, _UNKNOWN) if known else []


async def stamp(connection: Connection, logs: Sequence[Log]) -> None:
    """Take the fingerprints of generations anew: what `migrate` changes itself is no gap."""
    for log in logs:
        await fingerprint.stamp(connection, log.log_id, log.publication)


async def _logs(connection: Connection, query: str) -> list[Log]:
    return [Log(**dict(row.items())) for row in await connection.fetch(query)]


async def _changes(connection: Connection, log: Log) -> list[Change]:
    stored, present = await fingerprint.compare(connection, log.log_id, log.publication)
    return fingerprint.changes(stored, present) if stored else []


def _gap(newest: Log, found: str) -> Difference:
    return Difference(
        f"generation {newest.number} of the log",
        found,
        "a new generation, filled from the tables as they are",
        RESNAPSHOT,
        consequence="report",
    )
