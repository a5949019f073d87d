"""What Postgres's catalog says of the tables: relations, columns and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sinks.pool import Connection


@dataclass(frozen=True)
class FoundColumn:
    """A column that is there; `filled` when an insert may leave it out, `default` is SQL."""

    name: str
    type: str
    not_null: bool
    filled: bool
    default: str | None = None
    identity: bool = False


@dataclass(frozen=True)
class Relation:
    """A table of schema public, or whatever has its name; `ours` when we may alter it."""

    name: str
    kind: str
    owner: str
    ours: bool
    columns: dict[str, FoundColumn]


@dataclass(frozen=True)
class Key:
    """A primary ('p') or foreign ('f') key. `target` and what follows are a foreign key's.

    `index` tells which key of the target it rests on, for a primary key its own; `valid`, whether
    the rows that are there have been looked at; `deferred` is the clause that says when it is.
    """

    table: str
    name: str
    kind: str
    columns: tuple[str, ...]
    index: int
    target: str
    target_columns: tuple[str, ...]
    on_delete: str
    valid: bool
    deferred: str
    definition: str


@dataclass(frozen=True)
class Tables:
    """What the catalog says of all tables, and a connection that may read those of ours."""

    connection: Connection
    found: Mapping[str, Relation]
    keys: Sequence[Key]

    async def filled(self, relation: Relation) -> bool:
        """Whether the table holds a row."""
        return bool(
            await self.connection.fetchval(f"SELECT EXISTS (SELECT FROM public.{relation.name})")
        )


_RELATIONS = """
SELECT relname::text AS name, relkind::text AS kind, pg_get_userbyid(relowner)::text AS owner,
       pg_has_role(relowner, 'USAGE') AS ours
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1)
"""

_COLUMNS = """
SELECT c.relname::text AS table_name, a.attname::text AS name,
       format_type(a.atttypid, NULL) AS type, a.attnotnull AS not_null,
       a.atthasdef OR a.attidentity <> '' OR NOT a.attnotnull AS filled,
       pg_get_expr(d.adbin, d.adrelid) AS default, a.attidentity <> '' AS identity
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1)
    AND a.attnum > 0 AND NOT a.attisdropped
"""

_KEYS = """
SELECT own.relname::text AS table_name, c.conname::text AS name, c.contype::text AS kind,
       coalesce(other.relname::text, '') AS target, c.confdeltype::text AS on_delete,
       c.conindid::bigint AS index, c.convalidated AS valid,
       pg_get_constraintdef(c.oid) AS definition,
       CASE WHEN c.condeferred THEN ' DEFERRABLE INITIALLY DEFERRED'
            WHEN c.condeferrable THEN ' DEFERRABLE' ELSE '' END AS deferred,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) AS columns,
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number), '{}')
           AS target_columns
FROM pg_constraint c
JOIN pg_class own ON own.oid = c.conrelid
LEFT JOIN pg_class other ON other.oid = c.confrelid
WHERE c.contype IN ('p', 'f') AND c.connamespace = 'public'::regnamespace AND c.conparentid = 0
ORDER BY own.relname, c.conname
"""


async def relations(connection: Connection, names: Sequence[str]) -> dict[str, Relation]:
    """Those of the named tables that exist, by name, with their columns."""
    columns: dict[str, dict[str, FoundColumn]] = {}
    for row in await connection.fetch(_COLUMNS, names):
        columns.setdefault(row["table_name"], {})[row["name"]] = FoundColumn(
            row["name"],
            row["type"],
            row["not_null"],
            row["filled"],
            row["default"],
            row["identity"],
        )
    return {
        row["name"]: Relation(
            row["name"], row["kind"], row["owner"], row["ours"], columns.get(row["name"], {})
        )
        for row in await connection.fetch(_RELATIONS, names)
    }


async def keys(connection: Connection) -> list[Key]:
    """Every primary and foreign key of schema public."""
    return [
        Key(
            table=row["table_name"],
            name=row["name"],
            kind=row["kind"],
            columns=tuple(row["columns"]),
            index=row["index"],
            target=row["target"],
            target_columns=tuple(row["target_columns"]),
            on_delete=row["on_delete"],
            valid=row["valid"],
            deferred=row["deferred"],
            definition=row["definition"],
        )
        for row in await connection.fetch(_KEYS)
    ]
