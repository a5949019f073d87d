"""Existing tables against their shape: what is there may only be changed by its owner."""

from badges.schema import catalog, compare_columns, compare_keys, other_kinds
from badges.schema.catalog import Relation, Tables
from badges.schema.differences import Difference
from badges.schema.shape import RESULT, SOURCE, tables
from badges.schema.zones import LOOKS_ELSEWHERE
from sinks.pool import Connection

_TABLE = "r"

_ME = """
SELECT current_user::text AS name, r.rolsuper AS by_superuser FROM pg_roles r WHERE r.rolname = $1
"""


async def compare(connection: Connection) -> list[Difference]:
    """How the tables that exist differ from what they must be. Missing tables are not listed.

    What is not a table, or not this user's to alter, comes first and alone: its rows may be hidden.
    """
    wanted = tables(SOURCE + RESULT)
    keys = await catalog.keys(connection)
    names = list(
        dict.fromkeys([*wanted, *(key.table for key in keys), *(key.target for key in keys)])
    )
    found = await catalog.relations(connection, names)
    named = [relation for name, relation in sorted(found.items()) if name in wanted]
    foreign = [r for r in named if r.kind == _TABLE and not r.ours]
    differences = [
        await other_kinds.difference(connection, r) for r in named if r.kind != _TABLE
    ] + [await _not_ours(connection, relation) for relation in foreign]
    if foreign:
        return differences
    known = Tables(connection, found, keys)
    plain = [relation for relation in named if relation.kind == _TABLE]
    columns = [
        each
        for relation in plain
        for each in await compare_columns.compare(known, relation, wanted[relation.name])
    ]
    columns.sort(key=lambda each: LOOKS_ELSEWHERE not in each.statement)
    return differences + columns + await compare_keys.compare(known, [each.name for each in plain])


async def _not_ours(connection: Connection, relation: Relation) -> Difference:
    row = await connection.fetchrow(_ME, relation.owner)
    assert row is not None
    where = f"public.{relation.name}"
    # Nobody should become a superuser for this.
    statement = (
        f'ALTER TABLE {where} OWNER TO "{row["name"]}";'
        if row["by_superuser"]
        else f'GRANT "{relation.owner}" TO "{row["name"]}";'
    )
    return Difference(
        where,
        f"owned by {relation.owner}, whom this user may not act for",
        "a table that this user may alter",
        statement,
        consequence="stop",
    )
