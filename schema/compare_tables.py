"""Existing tables against their shape: what is there may only be changed by its owner."""

from schema import catalog, checks, compare_columns, compare_keys
from schema.catalog import Tables
from schema.differences import Deviation
from schema.wanted import TABLES
from schema.zones import LOOKS_ELSEWHERE
from sinks.pool import Connection


async def table_differences(connection: Connection) -> list[Deviation]:
    """How the tables that exist differ from what they must be. Missing tables are not listed.

    What is not a table, or not this user's to alter, comes first and alone: its rows may be hidden.
    """
    foreign = await checks.run(connection, "not_ours")
    differences = await checks.run(connection, "other_kinds") + foreign
    if foreign:
        return differences
    keys = await catalog.keys(connection)
    names = dict.fromkeys([*TABLES, *(key.table for key in keys), *(key.target for key in keys)])
    tables = Tables(connection, await catalog.columns(connection, list(names)), keys)
    plain = await catalog.plain_tables(connection, list(TABLES))
    columns = [
        each for name in plain for each in await compare_columns.column_differences(tables, name)
    ]
    # What reads other tables needs their ids as they are.
    columns.sort(key=lambda each: LOOKS_ELSEWHERE not in each.statement)
    return [
        *differences,
        *columns,
        *await checks.run(connection, "unfilled"),
        *await compare_keys.key_differences(tables, plain),
        *await checks.run(connection, "without_cascade", "unique_slug"),
    ]
