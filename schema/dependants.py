"""What keeps a column's type as it is until it is dropped, and how it is created again."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from sinks.pool import Connection
from sinks.queries import parse

_QUERIES = parse(files(__package__).joinpath("dependants.sql").read_text("utf-8"))


@dataclass(frozen=True)
class Dependant:
    """Something that uses a column. `drop` and `create` are None where it is for people to do."""

    name: str
    drop: str | None
    create: str | None


async def of_columns(connection: Connection, columns: Sequence[tuple[str, str]]) -> list[Dependant]:
    """What uses these columns of tables of schema public, each before what it uses itself."""
    return [
        Dependant(row["name"], *await statements(connection, row["class"], row["id"]))
        for row in await connection.fetch(_QUERIES["uses"], *map(list, zip(*columns, strict=True)))
    ]


async def statements(
    connection: Connection, of_class: int, number: int
) -> tuple[str | None, str | None]:
    """What drops the object of that number in that catalog, and what creates it as it is."""
    kind = await connection.fetchval(_QUERIES["kind"], of_class, number)
    row = await connection.fetchrow(_QUERIES[kind], number) if kind in _QUERIES else None
    return (row[0], row[1]) if row else (None, None)
