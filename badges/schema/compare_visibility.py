"""Whether the functions that run as their owner see every row of the tables.

They lock the mentors and definitions of a turn: whom row-level security hides from them is taken
for deleted, and the award is dropped.
"""

from badges.schema.differences import Difference
from badges.schema.shape import RESULT, SOURCE, tables
from sinks.pool import Connection

_HIDDEN = """
WITH owner AS (
    SELECT DISTINCT p.proowner AS id FROM pg_proc p
    WHERE p.prosecdef AND p.pronamespace = to_regnamespace('badges_private')
), acting AS (
    SELECT r.oid AS id, r.rolname AS name FROM pg_roles r
    WHERE NOT r.rolsuper AND NOT r.rolbypassrls
        AND (r.oid IN (SELECT id FROM owner)
             OR r.rolname = current_user AND NOT EXISTS (SELECT FROM owner))
)
SELECT c.relname::text AS table_name, acting.name::text AS owner, c.relforcerowsecurity AS forced
FROM pg_class c, acting
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1) AND c.relrowsecurity
    AND (c.relforcerowsecurity OR NOT pg_has_role(acting.id, c.relowner, 'USAGE'))
    AND NOT EXISTS (
        SELECT FROM pg_policies p
        WHERE p.schemaname = 'public' AND p.tablename = c.relname AND p.permissive = 'PERMISSIVE'
            AND p.cmd = 'ALL' AND p.qual = 'true' AND coalesce(p.with_check, 'true') = 'true'
            AND p.roles && ARRAY['public', acting.name])
ORDER BY 1, 2
"""


async def compare(connection: Connection) -> list[Difference]:
    """Tables whose rows are hidden from the owner of our functions: by FORCE, or as another's."""
    rows = await connection.fetch(_HIDDEN, list(tables(SOURCE + RESULT)))
    return [
        Difference(
            f"table public.{row['table_name']}",
            ("forces row-level security on" if row["forced"] else "hides rows from")
            + f' "{row["owner"]}", as whom our functions run: what they do not see is taken for '
            "deleted, and awards are dropped",
            "a policy that shows every row to that role",
            f"CREATE POLICY badges_owner_all ON public.{row['table_name']} "
            f'FOR ALL TO "{row["owner"]}" USING (true) WITH CHECK (true);',
            consequence="stop",
            # Whoever is decided at its start would be taken for deleted.
            spoils_log=True,
        )
        for row in rows
    ]
