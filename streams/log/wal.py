"""How far the write-ahead log of the database is written, and how far it has come to Kafka."""

from msgspec import Struct

from sinks.pool import Executor


class Slot(Struct, frozen=True):
    """A replication slot: how much of the WAL it still has, and how far it is confirmed (bytes).

    `active`: somebody reads it now. `restart` is from where on Postgres keeps WAL for it, and
    `safe_wal_size` how much may be written until it loses some; None without such a limit (bytes).
    """

    wal_status: str | None
    confirmed: int | None
    active: bool = False
    restart: int | None = None
    safe_wal_size: int | None = None


async def insert_lsn(connection: Executor) -> int:
    """The end of all WAL that was written by anyone so far, in bytes, flushed or not."""
    return int(await connection.fetchval("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"))


async def confirmed(connection: Executor, slot: str) -> int:
    """Up to where everything is in Kafka, by what a slot's reader says; 0 while it says nothing."""
    found = await read_slot(connection, slot)
    return (found.confirmed or 0) if found else 0


async def read_slot(connection: Executor, slot: str) -> Slot | None:
    row = await connection.fetchrow(
        """
        SELECT wal_status, (confirmed_flush_lsn - '0/0')::bigint AS confirmed, active,
               (restart_lsn - '0/0')::bigint AS restart, safe_wal_size
        FROM pg_replication_slots WHERE slot_name = $1
        """,
        slot,
    )
    return None if row is None else Slot(**row)
