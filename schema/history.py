"""Which migrations a database has: the table that the Supabase CLI keeps."""

from schema import migrations
from schema.migrations import Migration
from sinks.pool import Connection

_CREATE = """
CREATE SCHEMA IF NOT EXISTS supabase_migrations;
CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (
    version text NOT NULL PRIMARY KEY
);
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS statements text[];
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS name text;
"""

# Records that others write may lack the columns.
_OURS = """
SELECT concat_ws('_', version, recorded ->> 'name') AS name
FROM (SELECT version, to_jsonb(m) AS recorded FROM supabase_migrations.schema_migrations m) each
WHERE version = ANY ($1::text[]) AND starts_with(recorded #>> '{statements,0}', $2)
ORDER BY version
"""


async def applied(connection: Connection) -> set[str]:
    """The versions that are recorded; none where nothing was ever recorded."""
    if not await connection.fetchval(
        "SELECT to_regclass('supabase_migrations.schema_migrations') IS NOT NULL"
    ):
        return set()
    rows = await connection.fetch("SELECT version FROM supabase_migrations.schema_migrations")
    return {row["version"] for row in rows}


async def pending(connection: Connection) -> list[Migration]:
    """Our migrations that are not recorded, oldest first."""
    done = await applied(connection)
    return [each for each in migrations.load() if each.version not in done]


async def newer(connection: Connection) -> list[str]:
    """What a newer version of ours has recorded and this one has not, as version_name, in order.

    Others' are not told, whatever their versions are.
    """
    unknown = await applied(connection) - {each.version for each in migrations.load()}
    if not unknown:
        return []
    rows = await connection.fetch(_OURS, sorted(unknown), migrations.MARK)
    return [row["name"] for row in rows]


async def record(connection: Connection, migration: Migration) -> None:
    await connection.execute(_CREATE)
    await connection.execute(
        "INSERT INTO supabase_migrations.schema_migrations (version, name, statements) "
        "VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING",
        migration.version,
        migration.name,
        migration.statements,
    )
