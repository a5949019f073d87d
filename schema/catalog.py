"""What Postgres's catalog says of the tables: relations, columns, keys and what has a name.

A query has its columns in the order of the fields.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schema.wanted import Thing
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
    """A table of schema public, or whatever has its name."""

    name: str
    kind: str
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
    columns: list[str]
    index: int
    target: str
    target_columns: list[str]
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
SELECT relname::text AS name, relkind::text AS kind FROM pg_class
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
ORDER BY a.attrelid, a.attnum
"""

_KEYS = """
SELECT own.relname::text, c.conname::text, c.contype::text,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number),
       c.conindid::bigint, coalesce(other.relname::text, ''),
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number), '{}'),
       c.confdeltype::text, c.convalidated,
       CASE WHEN c.condeferred THEN ' DEFERRABLE INITIALLY DEFERRED'
            WHEN c.condeferrable THEN ' DEFERRABLE' ELSE '' END,
       pg_get_constraintdef(c.oid)
FROM pg_constraint c
JOIN pg_class own ON own.oid = c.conrelid
LEFT JOIN pg_class other ON other.oid = c.confrelid
WHERE c.contype IN ('p', 'f') AND c.connamespace = 'public'::regnamespace AND c.conparentid = 0
ORDER BY own.relname, c.conname
"""

# An index that is not valid serves nobody, and is as good as missing. Of unique constraints and
# indexes the columns count, of functions what they do.
_THINGS = """
WITH spaces AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('public', 'badges_private'))
SELECT 'schema' AS kind, nspname::text AS name, '' AS "table", '' AS detail, '' AS runs FROM spaces
UNION ALL SELECT 'relation', n.nspname || '.' || c.relname, '', '', ''
FROM pg_class c JOIN spaces n ON n.oid = c.relnamespace WHERE c.relkind NOT IN ('i', 'I')
UNION ALL SELECT 'index', c.relname, n.nspname || '.' || t.relname, '', ''
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN spaces n ON n.oid = t.relnamespace
WHERE i.indisvalid AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
UNION ALL SELECT 'function', format('%s.%s(%s)', n.nspname, p.proname,
    array_to_string(p.proargtypes::regtype[], ', ')), '',
    md5(concat_ws(' ', p.prosrc, p.prosecdef, p.proconfig)), ''
FROM pg_proc p JOIN spaces n ON n.oid = p.pronamespace
UNION ALL SELECT 'trigger', t.tgname, n.nspname || '.' || c.relname, t.tgenabled::text,
    format('%s.%s', f.pronamespace::regnamespace, f.proname)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN spaces n ON n.oid = c.relnamespace
JOIN pg_proc f ON f.oid = t.tgfoid WHERE NOT t.tgisinternal
UNION ALL SELECT 'policy', p.polname, n.nspname || '.' || c.relname, '', ''
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN spaces n ON n.oid = c.relnamespace
WHERE p.polpermissive
UNION ALL SELECT 'constraint', k.conname, n.nspname || '.' || c.relname, '', ''
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN spaces n ON n.oid = c.relnamespace
WHERE k.contype = 'c'
UNION ALL SELECT 'constraint', substring(pg_get_indexdef(i.indexrelid) FROM '\\(.*$'),
    n.nspname || '.' || c.relname, '', ''
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN spaces n ON n.oid = c.relnamespace
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL
"""


async def things(connection: Connection) -> list[Thing]:
    """What has a name in our schemas: tables and views as relations, and all that is of them."""
    return [Thing(**dict(row.items())) for row in await connection.fetch(_THINGS)]


async def relations(connection: Connection, names: Sequence[str]) -> dict[str, Relation]:
    """Those of the named tables that exist, by name, with their columns."""
    columns: dict[str, dict[str, FoundColumn]] = {}
    for table, *values in await connection.fetch(_COLUMNS, names):
        column = FoundColumn(*values)
        columns.setdefault(table, {})[column.name] = column
    return {
        row["name"]: Relation(*(*row, columns.get(row["name"], {})))
        for row in await connection.fetch(_RELATIONS, names)
    }


async def keys(connection: Connection) -> list[Key]:
    """Every primary and foreign key of schema public."""
    return [Key(*row) for row in await connection.fetch(_KEYS)]
