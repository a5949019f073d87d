"""Existing tables against their shape: what is there may only be changed by its owner."""

from schema import catalog, checks, compare_columns, compare_keys
from schema.catalog import Tables
from schema.differences import Difference
from schema.wanted import TABLES
from schema.zones import LOOKS_ELSEWHERE
from sinks.pool import Connection

_TABLE = "r"


async def compare(connection: Connection) -> list[Difference]:
    """How the tables that exist differ from what they must be. Missing tables are not listed.

    What is not a table, or not this user's to alter, comes first and alone: its rows may be hidden.
    """
    foreign = await checks.run(connection, checks.OWNERS)
    differences = await checks.run(connection, checks.KINDS) + foreign
    if foreign:
        return differences
    keys = await catalog.keys(connection)
    names = dict.fromkeys([*TABLES, *(key.table for key in keys), *(key.target for key in keys)])
    found = await catalog.relations(connection, list(names))
    known = Tables(connection, found, keys)
    plain = [each for name, each in sorted(found.items()) if name in TABLES and each.kind == _TABLE]
    columns = [
        each
        for relation in plain
        for each in await compare_columns.compare(known, relation, TABLES[relation.name])
    ]
    columns.sort(key=lambda each: LOOKS_ELSEWHERE not in each.statement)
    return differences + columns + await compare_keys.compare(known, [each.name for each in plain])
