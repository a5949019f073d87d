"""How far the write-ahead log of the database is written, and how far it has come to Kafka."""

from typing import Protocol

from badges.sinks.failures import translated
from badges.sinks.pool import Pool
from badges.streams import generations
from badges.streams.facts import read_slot


class Wal(Protocol):
    """How far the database's log is written, and how far it has come to Kafka, in bytes."""

    async def written(self) -> int:
        """The end of the WAL. Raises Unavailable."""
        ...

    async def sent(self) -> int:
        """Up to where everything is in Kafka. Raises Unavailable."""
        ...


class PostgresWal:
    """The WAL of Postgres and the replication slot of the connector."""

    def __init__(self, pool: Pool, slot: str) -> None:
        self._pool = pool
        self._slot = slot

    async def written(self) -> int:
        """See `Wal.written`."""
        with translated():
            return await generations.insert_lsn(self._pool)

    async def sent(self) -> int:
        """See `Wal.sent`: the connector confirms what Kafka has acknowledged."""
        with translated():
            slot = await read_slot(self._pool, self._slot)
        return (slot.confirmed or 0) if slot else 0
