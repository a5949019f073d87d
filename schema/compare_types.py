"""A column of another type: changed with what refers to it, and with what uses it."""

from collections.abc import Iterator, Sequence

import asyncpg

from schema import dependants
from schema.catalog import FoundColumn, Key, Relation, Tables
from schema.conversions import assumed, converted, needs_zone
from schema.database import first_line
from schema.dependants import Dependant
from schema.differences import Difference
from schema.wanted import TABLES, WANTED, Column
from schema.zones import Zone, zone_of
from sinks.pool import Connection

_KNOWN = {f"{table}.id" for table in TABLES}

_ASSUMED = (
    "-- Clock times without a time zone are taken for UTC's. Where they are another zone's, write "
    "its name in the place of 'UTC'.\n"
)


def differs(
    relation: Relation, wanted: Column, found: str, statement: str = "", *, needed: str = ""
) -> Difference:
    """A difference of an application's column; `needed` is what it needs beside its type."""
    return Difference(
        f"public.{relation.name}.{wanted.name}",
        found,
        wanted.needed + needed,
        statement,
        consequence="stop",
        spoils_log=wanted.name in WANTED.published.get(relation.name, ()),
    )


async def compare(
    tables: Tables, relation: Relation, wanted: Column, found: FoundColumn
) -> list[Difference]:
    """Say that the type is another, unless it is mended together with what the column refers to."""
    has = f"has type {found.type}"
    target = _target(tables, relation, wanted.name) if wanted.type == "uuid" else None
    if target in _KNOWN:
        return []
    if target is not None:
        has += f" and refers to public.{target}, which is no id of a table of this project"
        return [differs(relation, wanted, has, needed=", and a foreign key to one of them")]
    zone = Zone("'UTC'", "'UTC'")
    if needs_zone(found.type, wanted.type):
        zone = await zone_of(tables.connection, relation, tables.found)
    value = converted(f'"{wanted.name}"', found.type, wanted.type, zone.usual)
    refused = await _refused(tables.connection, relation.name, value)
    if refused:
        has += f", and not every row can be turned into {wanted.type}: {refused}"
        return [differs(relation, wanted, has)]
    bound = list(_referencing(tables.keys, relation.name, wanted.name))
    columns = [(key.table, tables.found[key.table].columns[name]) for key, name in bound]
    if columns:
        has += f", and so have {', '.join(f'{name}.{column.name}' for name, column in columns)}"
    columns.insert(0, (relation.name, found))
    users = await dependants.of_columns(
        tables.connection, [(name, column.name) for name, column in columns]
    )
    if users:
        has += f"; {', '.join(each.name for each in users)} would not let it change"
    by_hand = [each.name for each in users if each.create is None]
    if by_hand:
        needed = f"; drop {', '.join(by_hand)}, which you create again afterwards"
        return [differs(relation, wanted, has, needed=needed)]
    retyped = [_retype(name, column, wanted.type, zone) for name, column in columns]
    statement = zone.before + _without([key for key, _ in bound], retyped) + zone.after
    if await _is_assumed(tables.connection, relation.name, wanted, found):
        statement = _ASSUMED + statement
    if users:
        statement = await _among(tables.connection, users, statement)
    return [differs(relation, wanted, has, statement)]


def _without(keys: Sequence[Key], statements: Sequence[str]) -> str:
    """The statements between dropping the keys and adding them again."""
    drop = [f'ALTER TABLE public."{k.table}" DROP CONSTRAINT "{k.name}";' for k in keys]
    add = [
        f'ALTER TABLE public."{k.table}" ADD CONSTRAINT "{k.name}" {k.definition};' for k in keys
    ]
    return "\n".join([*drop, *statements, *add])


async def _among(connection: Connection, users: Sequence[Dependant], statement: str) -> str:
    """The statement between dropping its users and creating them again, in one transaction."""
    path = await connection.fetchval(
        "SELECT format('SELECT set_config(''search_path'', %L, true);', "
        "current_setting('search_path'))"
    )
    return "\n".join(
        [
            "BEGIN;",
            path,
            *(each.drop or "" for each in users),
            statement,
            "-- As they were: where one takes a value for the type it had, change it.",
            *(each.create or "" for each in reversed(users)),
            "COMMIT;",
        ]
    )


async def _is_assumed(
    connection: Connection, table: str, wanted: Column, found: FoundColumn
) -> bool:
    condition = assumed(f'"{wanted.name}"', found.type, wanted.type)
    return condition is not None and bool(
        await connection.fetchval(f"SELECT EXISTS (SELECT FROM public.{table} WHERE {condition})")
    )


def _retype(table: str, column: FoundColumn, wanted: str, zone: Zone) -> str:
    name = f'"{column.name}"'
    alone = f"ALTER TABLE public.{table} ALTER COLUMN {name} DROP IDENTITY;\n"
    steps = []
    if column.default is not None:
        steps.append("DROP DEFAULT")
    steps.append(f"TYPE {wanted} USING {converted(name, column.type, wanted, zone.sql)}")
    if wanted == "uuid" and (column.identity or column.default is not None):
        steps.append("SET DEFAULT gen_random_uuid()")
    elif column.default is not None:
        default = converted(f"({column.default})", column.type, wanted, zone.usual)
        steps.append(f"SET DEFAULT {default}")
    alters = ", ".join(f"ALTER COLUMN {name} {step}" for step in steps)
    return (alone if column.identity else "") + f"ALTER TABLE public.{table} {alters};"


def _target(tables: Tables, relation: Relation, column: str) -> str | None:
    """The column that this one refers to, if that is no uuid either."""
    for key in tables.keys:
        if key.kind != "f" or key.table != relation.name or column not in key.columns:
            continue
        target = tables.found.get(key.target)
        of = key.target_columns[key.columns.index(column)]
        if target is None or target.columns[of].type != "uuid":
            return f"{key.target}.{of}"
    return None


def _referencing(keys: Sequence[Key], table: str, column: str) -> Iterator[tuple[Key, str]]:
    for key in keys:
        if key.kind == "f" and key.target == table and column in key.target_columns:
            yield key, key.columns[key.target_columns.index(column)]


async def _refused(connection: Connection, table: str, value: str) -> str:
    """Why Postgres does not turn some row's value into another type; empty where it does all."""
    try:
        async with connection.transaction():
            await connection.fetchval(f"SELECT count({value}) FROM public.{table}")
    except asyncpg.LockNotAvailableError:
        raise
    except asyncpg.PostgresError as error:
        return first_line(error)
    return ""
