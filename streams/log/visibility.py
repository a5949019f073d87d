"""Whether the connector sees every row: what row-level security hides is in no snapshot."""

from sinks.pool import Executor
from streams.errors import Failure

_HIDDEN = """
SELECT format('%I.%I', n.nspname, c.relname) AS name, narrows.polname AS policy
FROM pg_publication_rel published
JOIN pg_publication p ON p.oid = published.prpubid AND p.pubname = $1
JOIN pg_class c ON c.oid = published.prrelid AND c.relrowsecurity
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles reader ON reader.rolname = 'badges_connect'
    AND NOT reader.rolsuper AND NOT reader.rolbypassrls
LEFT JOIN LATERAL (
    SELECT r.polname FROM pg_policy r
    WHERE r.polrelid = c.oid AND NOT r.polpermissive AND r.polcmd IN ('*', 'r')
        AND pg_get_expr(r.polqual, r.polrelid) <> 'true'
        AND (0 = ANY (r.polroles) OR EXISTS (
            SELECT FROM unnest(r.polroles) AS role WHERE pg_has_role(reader.oid, role, 'USAGE')))
    LIMIT 1
) AS narrows ON true
WHERE narrows.polname IS NOT NULL OR NOT EXISTS (
    SELECT FROM pg_policy w
    WHERE w.polrelid = c.oid AND w.polpermissive AND w.polcmd IN ('*', 'r')
        AND pg_get_expr(w.polqual, w.polrelid) = 'true'
        AND (0 = ANY (w.polroles) OR EXISTS (
            SELECT FROM unnest(w.polroles) AS role WHERE pg_has_role(reader.oid, role, 'USAGE'))))
ORDER BY 1
"""


async def refuse_hidden(connection: Executor, publication: str) -> None:
    """Raise Failure where a policy hides rows of a published table from badges_connect.

    A snapshot without them would go live, and every badge that they earned would be revoked.
    """
    for row in await connection.fetch(_HIDDEN, publication):
        if row["policy"] is None:
            raise Failure(
                f"row-level security hides rows of {row['name']} from badges_connect",
                hint="Give it back its policy: `badges migrate --check` prints the statement",
            )
        raise Failure(
            f"the restrictive policy {row['policy']} on {row['name']} may hide rows from "
            "badges_connect",
            hint="Let it apply to your own roles alone, such as authenticated: "
            "`badges migrate --check` prints the statement",
        )
