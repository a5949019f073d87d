"""Tables, views, functions, triggers, indexes, policies and constraints that are missing."""

from schema import catalog
from schema.differences import Difference
from schema.wanted import WANTED, Thing
from sinks.pool import Connection

_CAN_LOOK = "SELECT to_regprocedure('badges_private.mend_activities_index()') IS NOT NULL"

_ACTIVITIES_INDEX = """
SELECT to_regclass('public.activities_mentor_date_type_idx') IS NULL AS missing,
       badges_private.mend_activities_index() AS statements
"""

_ALWAYS = "A"
"""Of a trigger: it fires whoever writes."""

_OF_SOURCE = {f"public.{table}" for table in WANTED.published}
_RUN = {each.runs for each in WANTED.things if each.table in _OF_SOURCE}


async def compare(connection: Connection) -> list[Difference]:
    """What the migrations create and the database lacks, or has otherwise."""
    found = {(each.kind, each.table, each.name): each for each in await catalog.things(connection)}
    differences = []
    for wanted in WANTED.things:
        kind = "relation" if wanted.kind in {"table", "view"} else wanted.kind
        there = found.get((kind, wanted.table, wanted.name))
        if there is None:
            differences.append(_missing(wanted))
        elif there.detail not in {wanted.detail, _ALWAYS}:
            differences.append(_other(wanted))
    return differences + await _activities_index(connection)


async def _activities_index(connection: Connection) -> list[Difference]:
    """The one index whose columns depend on what the application's table takes."""
    if not await connection.fetchval(_CAN_LOOK):
        return []
    row = await connection.fetchrow(_ACTIVITIES_INDEX)
    if row is None or row["statements"] is None:
        return []
    found = "is missing" if row["missing"] else "has another last column"
    needed = "mentor, date, and the type: cut, where the table does not bound it to 200 characters"
    where = "index activities_mentor_date_type_idx on public.activities"
    return [Difference(where, found, needed, row["statements"])]


def _missing(wanted: Thing) -> Difference:
    if wanted.kind == "constraint":
        statement = f"ALTER TABLE {wanted.table} ADD {wanted.statement};"
        return Difference(wanted.table, "lacks a constraint", wanted.statement, statement)
    statement = wanted.statement
    if wanted.kind == "index":
        # One that is not valid has the name.
        statement = f"DROP INDEX IF EXISTS public.{wanted.name};\n{statement}"
    needed = f"the {wanted.kind}"
    return Difference(wanted.where, "is missing", needed, statement, spoils_log=_is_of_log(wanted))


def _other(wanted: Thing) -> Difference:
    found, needed, statement = "is another version", "this version", wanted.statement
    if wanted.kind == "trigger":
        found, needed, enable = "is disabled", "enabled", "ENABLE"
        if wanted.detail == _ALWAYS:
            found, enable = "does not always fire", "ENABLE ALWAYS"
            needed = "ENABLE ALWAYS: in a session that replays rows it must fire as well"
        statement = f"ALTER TABLE {wanted.table} {enable} TRIGGER {wanted.name};"
    return Difference(wanted.where, found, needed, statement, spoils_log=_is_of_log(wanted))


def _is_of_log(wanted: Thing) -> bool:
    """Whether a log cannot be filled, or misses rows, while this is not as it must be."""
    match wanted.kind:
        case "schema" | "table":
            return True
        case "trigger":
            return wanted.table in _OF_SOURCE
        case "policy":
            return wanted.table in _OF_SOURCE and wanted.name.startswith("badges_connect_")
        case "function":
            return wanted.name.partition("(")[0] in _RUN
        case _:
            return False
