"""Whether the published columns still have the types that the log can carry."""

from collections.abc import Container, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from sinks.failures import translated
from sinks.pool import Executor

Wanted: TypeAlias = Mapping[str, Mapping[str, Container[str]]]
"""By table and column, Postgres' names of the types that will do."""

_TYPES = """
SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS type
FROM pg_attribute a
WHERE a.attrelid = to_regclass('public.' || quote_ident($1)) AND a.attnum > 0
    AND NOT a.attisdropped
ORDER BY a.attnum
"""


class WrongType(Struct, frozen=True):
    """A column whose values the log cannot carry; `found` is None where the column is missing."""

    table: str
    column: str
    found: str | None

    def __str__(self) -> str:
        is_now = "is missing" if self.found is None else f"has type {self.found}"
        return f"{self.table}.{self.column} {is_now}"


async def wrong_types(connection: Executor, wanted: Wanted, table: str) -> Sequence[WrongType]:
    """The columns of a published table as it is now that the log cannot carry. Raises Unavailable.

    `wanted` has all that are published.
    """
    with translated():
        found = {row["name"]: row["type"] for row in await connection.fetch(_TYPES, table)}
    return [
        WrongType(table, column, found.get(column))
        for column, types in wanted[table].items()
        if found.get(column) not in types
    ]
