"""Tables, views, functions, triggers, indexes, policies and constraints that are missing."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from badges.schema import objects
from badges.schema.compare_log import PUBLISHED
from badges.schema.differences import Difference
from badges.schema.objects import Wanted
from sinks.pool import Connection

_RELATIONS = """
SELECT n.nspname || '.' || c.relname AS name, coalesce(i.indisvalid, true) AS valid
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE n.nspname IN ('public', 'badges_private')
UNION ALL SELECT nspname, true FROM pg_namespace
"""

_FUNCTIONS = """
SELECT n.nspname || '.' || p.proname AS name, p.prosrc AS body
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'badges_private' OR (n.nspname = 'public' AND p.proname = 'award_badge')
"""

_TRIGGERS = """
SELECT t.tgname::text AS name, 'public.' || c.relname AS owner, t.tgenabled::text AS enabled
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
"""

_POLICIES = """
SELECT policyname::text AS name, 'public.' || tablename AS owner
FROM pg_policies WHERE schemaname = 'public' AND permissive = 'PERMISSIVE'
"""

_CONSTRAINTS = """
SELECT 'public.' || c.relname AS owner, k.conname::text AS name
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'public.' || c.relname, substring(pg_get_indexdef(i.indexrelid) FROM '\\(.*$')
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL
    AND c.relnamespace = 'public'::regnamespace
"""

_ACTIVITIES_INDEX = """
SELECT to_regclass('public.activities_mentor_date_type_idx') IS NULL AS missing,
       badges_private.mend_activities_index() AS statements
"""

_RUN = re.compile(r"EXECUTE FUNCTION ([\w.]+)\(")

_NEEDED = {
    ("public.badge_definitions", "(organization_id, key) NULLS NOT DISTINCT"): (
        "UNIQUE NULLS NOT DISTINCT (organization_id, key)"
    ),
    ("public.badge_definitions", "badge_definitions_status_check"): (
        "CONSTRAINT badge_definitions_status_check CHECK (status IN ('draft', 'active', 'retired'))"
    ),
    ("public.badge_awards", "(peer_mentor_id, badge_definition_id)"): (
        "UNIQUE (peer_mentor_id, badge_definition_id)"
    ),
    ("public.badge_awards", "badge_awards_tier_check"): (
        "CONSTRAINT badge_awards_tier_check CHECK ((tier IS NULL) = (tier_earned_at IS NULL))"
    ),
    ("public.badge_awards", "badge_awards_revoked_check"): (
        "CONSTRAINT badge_awards_revoked_check CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))"
    ),
}
"""Constraints by table and name, or by the columns of any unique index that does the same."""


@dataclass(frozen=True)
class _Found:
    relations: dict[str, bool]
    functions: set[tuple[str, str]]
    function_names: set[str]
    triggers: dict[tuple[str, str], str]
    policies: set[tuple[str, str]]


async def compare(connection: Connection) -> list[Difference]:
    """What the migrations create and the database lacks, or has otherwise."""
    found = await _look(connection)
    wanted = list(objects.wanted())
    run = _run_by_triggers(wanted)
    differences = [
        replace(difference, spoils_log=_is_of_log(each, run))
        for each in wanted
        for difference in _difference(each, found)
    ]
    constraints = {(row["owner"], row["name"]) for row in await connection.fetch(_CONSTRAINTS)}
    differences += [
        Difference(table, "lacks a constraint", clause, f"ALTER TABLE {table} ADD {clause};")
        for (table, name), clause in _NEEDED.items()
        if (table, name) not in constraints
    ]
    if "badges_private.mend_activities_index" in found.function_names:
        differences += await _activities_index(connection)
    return differences


async def _activities_index(connection: Connection) -> list[Difference]:
    """The one index whose columns depend on what the application's table takes."""
    row = await connection.fetchrow(_ACTIVITIES_INDEX)
    if row is None or row["statements"] is None:
        return []
    found = "is missing" if row["missing"] else "has another last column"
    needed = "mentor, date, and the type: cut, where the table does not bound it to 200 characters"
    where = "index activities_mentor_date_type_idx on public.activities"
    return [Difference(where, found, needed, row["statements"])]


async def _look(connection: Connection) -> _Found:
    functions = await connection.fetch(_FUNCTIONS)
    return _Found(
        {row["name"]: row["valid"] for row in await connection.fetch(_RELATIONS)},
        {(row["name"], row["body"]) for row in functions},
        {row["name"] for row in functions},
        {(row["name"], row["owner"]): row["enabled"] for row in await connection.fetch(_TRIGGERS)},
        {(row["name"], row["owner"]) for row in await connection.fetch(_POLICIES)},
    )


def _difference(each: Wanted, found: _Found) -> Iterator[Difference]:
    where = f"{each.kind} {each.name}" + (f" on {each.table}" if each.table else "")
    match each.kind:
        case "schema" | "table" | "view" if each.name not in found.relations:
            yield _missing(where, each)
        case "index" if not found.relations.get(f"public.{each.name}", False):
            yield _missing(where, each)
        case "function" if each.name not in found.function_names:
            yield _missing(where, each)
        case "function" if (each.name, each.body) not in found.functions:
            yield Difference(where, "is another version", "this version", each.statement)
        case "trigger" if (each.name, each.table) not in found.triggers:
            yield _missing(where, each)
        case "trigger" if found.triggers[each.name, each.table] == "D":
            enable = f"ALTER TABLE {each.table} ENABLE TRIGGER {each.name};"
            yield Difference(where, "is disabled", "enabled", enable)
        case "always" if found.triggers.get((each.name, each.table), "A") != "A":
            needed = "ENABLE ALWAYS: in a session that replays rows it must fire as well"
            yield Difference(
                f"trigger {each.name} on {each.table}",
                "does not always fire",
                needed,
                each.statement,
            )
        case "policy" if (each.name, each.table) not in found.policies:
            yield _missing(where, each)
        case _:
            pass


def _is_of_log(each: Wanted, run: Collection[str]) -> bool:
    """Whether a log cannot be filled, or misses rows, while this is not as it must be."""
    of_source = each.table.removeprefix("public.") in PUBLISHED
    match each.kind:
        case "schema" | "table":
            return True
        case "trigger" | "always":
            return of_source
        case "policy":
            return of_source and each.name.startswith("badges_connect_")
        case "function":
            return each.name in run
        case _:
            return False


def _run_by_triggers(wanted: Iterable[Wanted]) -> set[str]:
    """The functions that our triggers on published tables run."""
    return {
        function[1]
        for each in wanted
        if each.kind == "trigger" and each.table.removeprefix("public.") in PUBLISHED
        if (function := _RUN.search(each.statement))
    }


def _missing(where: str, each: Wanted) -> Difference:
    return Difference(where, "is missing", f"the {each.kind}", each.statement)
