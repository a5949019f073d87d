"""What has the name of a table and is none: why it cannot serve, and what can be done."""

from badges.schema.catalog import Relation
from badges.schema.differences import Difference
from badges.schema.shape import ADDED_COLUMNS, SOURCE, tables
from sinks.pool import Connection

# Which tables a view reads, through other views too.
_READS = """
WITH RECURSIVE read (oid) AS (
    SELECT to_regclass($1)::oid
    UNION
    SELECT d.refobjid FROM read
    JOIN pg_rewrite w ON w.ev_class = read.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
        AND d.refclassid = 'pg_class'::regclass
)
SELECT string_agg(n.nspname || '.' || c.relname, ' and ' ORDER BY n.nspname, c.relname)
FROM read JOIN pg_class c ON c.oid = read.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f')
"""

_SERVER = """
SELECT s.srvname::text FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver
WHERE f.ftrelid = to_regclass($1)
"""

_PARTITIONS = (
    "SELECT count(*) - 1 FROM pg_partition_tree(to_regclass($1)) WHERE isleaf OR level = 0"
)

_KINDS = {
    "v": "VIEW",
    "m": "MATERIALIZED VIEW",
    "f": "FOREIGN TABLE",
    "S": "SEQUENCE",
    "c": "TYPE",
    "i": "INDEX",
    "I": "INDEX",
}

_WITH_ROWS = {*tables(SOURCE), *ADDED_COLUMNS}
"""Tables whose rows are the application's: out of the way they would be missed."""


async def difference(connection: Connection, relation: Relation) -> Difference:
    """Say what has the table's name. There is a statement only where it takes no row away."""
    where = f"public.{relation.name}"
    found = "something else has this name"
    why, needed = await _reason(connection, relation.kind, where)
    if why:
        found = f"{found}: {why}"
    if why and relation.name in _WITH_ROWS:
        return Difference(where, found, needed, "", consequence="stop", spoils_log=True)
    kind = _KINDS.get(relation.kind, "TABLE")
    rename = f"ALTER {kind} {where} RENAME TO {relation.name}_old;"
    return Difference(where, found, "a plain table", rename, consequence="stop", spoils_log=True)


async def _reason(connection: Connection, kind: str, where: str) -> tuple[str, str]:
    """Why its rows cannot be read and what would serve; empty where it has none."""
    if kind in ("v", "m"):
        read = await connection.fetchval(_READS, where)
        if not read:
            return "", ""
        view = "a view" if kind == "v" else "a materialized view"
        return (
            f"{view} of {read}, and Postgres sends the rows of tables, never those of a view",
            f"a plain table: {read} with this name and these columns, or a table that your "
            f"triggers on {read} keep up to date",
        )
    if kind == "f":
        server = await connection.fetchval(_SERVER, where)
        return (
            f"a foreign table, and what changes on its server {server} is in that server's log "
            "alone",
            f"a plain table: work on the database of {server} itself, or bring its rows here by "
            "logical replication",
        )
    if kind == "p":
        number = await connection.fetchval(_PARTITIONS, where)
        return (
            f"a partitioned table, and Postgres sends its rows under the names of its {number} "
            "partitions",
            "a plain table with the primary key (id)",
        )
    return "", ""
