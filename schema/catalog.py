"""What Postgres's catalog says of the tables: columns, keys and what has a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schema.queries import QUERIES
from schema.wanted import Column, Thing
from sinks.pool import Connection


@dataclass(frozen=True)
class FoundKey:
    """A primary ('p') or foreign ('f') key. `target` and `target_columns` are a foreign key's.

    `index` tells which key of the target it rests on, for a primary key its own.
    """

    table: str
    name: str
    kind: str
    columns: list[str]
    index: int
    target: str
    target_columns: list[str]
    definition: str

    @property
    def drop(self) -> str:
        return f'ALTER TABLE public."{self.table}" DROP CONSTRAINT "{self.name}";'

    @property
    def add(self) -> str:
        return f'ALTER TABLE public."{self.table}" ADD CONSTRAINT "{self.name}" {self.definition};'


@dataclass(frozen=True)
class Tables:
    """What the catalog says of all tables, and a connection that may read those of ours.

    `columns` has those of a table by their names, none where there is no such table.
    """

    connection: Connection
    columns: Mapping[str, Mapping[str, Column]]
    keys: Sequence[FoundKey]

    def primary_key(self, table: str) -> FoundKey | None:
        return next((k for k in self.keys if k.kind == "p" and k.table == table), None)

    def foreign_keys(self, table: str) -> list[FoundKey]:
        return [k for k in self.keys if k.kind == "f" and k.table == table]

    async def any(self, table: str, such: str = "") -> bool:
        """Whether the table holds a row, or one such as the clauses of a SELECT say."""
        query = f"SELECT EXISTS (SELECT FROM public.{table} {such})"
        return bool(await self.connection.fetchval(query))


async def things(connection: Connection) -> list[Thing]:
    """What has a name in our schemas: tables and views as relations, and all that is of them."""
    return [Thing(**dict(row.items())) for row in await connection.fetch(QUERIES["things"])]


async def plain_tables(connection: Connection, names: Sequence[str]) -> list[str]:
    return [row[0] for row in await connection.fetch(QUERIES["plain_tables"], names)]


async def columns(connection: Connection, names: Sequence[str]) -> dict[str, dict[str, Column]]:
    """The columns of whatever has one of these names in schema public, by table and name."""
    found: dict[str, dict[str, Column]] = {name: {} for name in names}
    for table, *values in await connection.fetch(QUERIES["columns"], names):
        column = Column(*values)
        found[table][column.name] = column
    return found


async def keys(connection: Connection) -> list[FoundKey]:
    """Every primary and foreign key of schema public."""
    return [FoundKey(**dict(row.items())) for row in await connection.fetch(QUERIES["keys"])]
