"""Roles, their rights, row-level security, and rights that nobody else should have."""

import re

from badges.schema import objects
from badges.schema.differences import Difference
from badges.schema.objects import Wanted
from sinks.pool import Connection

_ROLES = """
SELECT wanted.name, r.rolname IS NOT NULL AS found, coalesce(r.rolreplication, false) AS replicates
FROM unnest(ARRAY['badges_worker', 'badges_api', 'badges_connect']) AS wanted (name)
LEFT JOIN pg_roles r ON r.rolname = wanted.name
"""

_ITEM = re.compile(r"\s*(\w+)(?:\s*\(([^)]*)\))?\s*(?:,|$)")
_GRANT = re.compile(
    r"GRANT (?P<rights>.*?) ON\s+(?P<kind>FUNCTION|SCHEMA)?\s*(?P<targets>.*?)\s+"
    r"TO (?P<roles>[\w, ]+)$",
    re.DOTALL,
)
_TARGET = re.compile(r"[\w.]+(?:\s*\([^)]*\))?")

_HAS = {
    "": "SELECT has_table_privilege($1, to_regclass($2), $3)",
    "FUNCTION": "SELECT has_function_privilege($1, to_regprocedure($2), $3)",
    "SCHEMA": "SELECT has_schema_privilege($1, to_regnamespace($2), $3)",
}
_HAS_COLUMN = """
SELECT bool_and(a.attnum IS NOT NULL
                AND has_column_privilege($1::name, a.attrelid, a.attnum, $3))
FROM unnest($4::text[]) AS wanted (name)
LEFT JOIN pg_attribute a ON a.attrelid = to_regclass($2) AND a.attname = wanted.name
"""

_OPEN = """
SELECT 'TABLE' AS kind, c.oid::regclass::text AS name,
       coalesce(r.rolname::text, 'PUBLIC') AS grantee
FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE (c.oid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)
       OR c.relkind = 'S' AND EXISTS (
           SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.refobjid = ANY (
               SELECT to_regclass(name) FROM unnest($1::text[]) AS name)))
    AND (a.grantee = 0 OR r.rolname IN ('anon', 'authenticated'))
UNION
SELECT 'FUNCTION', p.oid::regprocedure::text, coalesce(r.rolname::text, 'PUBLIC')
FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE (p.pronamespace = to_regnamespace('badges_private')
       OR p.oid = ANY (SELECT to_regprocedure(name) FROM unnest($2::text[]) AS name))
    AND (a.grantee = 0 OR r.rolname IN ('anon', 'authenticated'))
ORDER BY 1, 2, 3
"""

_WITHOUT_ROW_SECURITY = """
SELECT c.oid::regclass::text FROM pg_class c
WHERE c.oid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)
    AND c.relkind = 'r' AND NOT c.relrowsecurity
ORDER BY 1
"""

_RESTRICTIVE = """
SELECT policyname::text AS name, tablename::text AS owner, roles::text[] AS roles FROM pg_policies
WHERE schemaname = 'public' AND permissive = 'RESTRICTIVE'
    AND tablename = ANY ($1)
    AND roles && ARRAY['public', 'badges_worker', 'badges_connect']::name[]
ORDER BY tablename, policyname
"""

_LOGGED = ["peer_mentors", "activities", "training_completions", "mentor_pauses"]


async def compare(connection: Connection) -> list[Difference]:
    """What our roles lack, and what others may do with what is ours."""
    differences: list[Difference] = []
    missing = set()
    for row in await connection.fetch(_ROLES):
        replicates = row["name"] == "badges_connect"
        if not row["found"]:
            missing.add(row["name"])
            create = f"CREATE ROLE {row['name']} NOLOGIN{' REPLICATION' if replicates else ''};"
            differences.append(
                Difference(
                    f"role {row['name']}",
                    "is missing",
                    "the role",
                    create,
                    spoils_log=replicates,
                )
            )
        elif replicates and not row["replicates"]:
            alter = f"ALTER ROLE {row['name']} REPLICATION;"
            differences.append(
                Difference(
                    f"role {row['name']}",
                    "may not replicate",
                    "REPLICATION",
                    alter,
                    spoils_log=True,
                )
            )
    wanted = list(objects.wanted())
    taken_back = {each.statement for each in wanted if each.kind == "revoke"}
    for grant in (each for each in wanted if each.kind == "grant"):
        differences += await _grant(connection, grant, missing, taken_back)
    closed = [each for each in wanted if each.kind == "closing"]
    differences += await _open(connection, closed)
    differences += await _restrictive(connection)
    return differences


async def _grant(
    connection: Connection, grant: Wanted, missing: set[str], taken_back: set[str]
) -> list[Difference]:
    parts = _GRANT.match(grant.statement.removesuffix(";"))
    if parts is None:
        raise ValueError(f"a GRANT that is not understood: {grant.statement}")
    kind = parts["kind"] or ""
    differences = []
    for role in (name.strip() for name in parts["roles"].split(",")):
        for target in _TARGET.findall(parts["targets"]):
            for right, columns in _ITEM.findall(parts["rights"]):
                if not columns and f"REVOKE {right} ON {target} FROM {role};" in taken_back:
                    continue
                if role in missing or not await _has(
                    connection, kind, role, target, right, columns
                ):
                    listed = f" ({columns})" if columns else ""
                    text = f"{right}{listed} ON {kind + ' ' if kind else ''}{target}"
                    differences.append(
                        Difference(
                            f"role {role}",
                            f"lacks {right} on {target}",
                            text,
                            f"GRANT {text} TO {role};",
                            spoils_log=role == "badges_connect",
                        )
                    )
    return differences


async def _has(
    connection: Connection, kind: str, role: str, target: str, right: str, columns: str
) -> bool:
    if columns:
        names = [name.strip() for name in columns.split(",")]
        return bool(await connection.fetchval(_HAS_COLUMN, role, target, right, names))
    return bool(await connection.fetchval(_HAS[kind], role, target, right))


async def _open(connection: Connection, closed: list[Wanted]) -> list[Difference]:
    tables = [each.name for each in closed if each.table == "regclass"]
    functions = [each.name for each in closed if each.table == "regprocedure"]
    differences = [
        Difference(
            f"{row['kind'].lower()} {row['name']}",
            f"is open to {row['grantee']}",
            "no rights for PUBLIC, anon and authenticated",
            f"REVOKE ALL ON {row['kind']} {row['name']} FROM {row['grantee']};",
        )
        for row in await connection.fetch(_OPEN, tables, functions)
    ]
    differences += [
        Difference(
            f"table {row[0]}",
            "is without row-level security",
            "row-level security",
            f"ALTER TABLE {row[0]} ENABLE ROW LEVEL SECURITY;",
        )
        for row in await connection.fetch(_WITHOUT_ROW_SECURITY, tables)
    ]
    return differences


async def _restrictive(connection: Connection) -> list[Difference]:
    return [
        Difference(
            f"policy {row['name']} on public.{row['owner']}",
            f"restricts {', '.join(row['roles'])}, so that rows may be hidden from the log",
            "no restrictive policy for badges_worker and badges_connect",
            f'ALTER POLICY "{row["name"]}" ON public.{row["owner"]} TO authenticated;',
            "report",
        )
        for row in await connection.fetch(_RESTRICTIVE, _LOGGED)
    ]
