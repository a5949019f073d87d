"""A column of another type: changed with what refers to it, and with what uses it."""

from collections.abc import Iterator, Sequence

import asyncpg

from schema import dependants
from schema.catalog import FoundKey, Tables
from schema.conversions import assumed, converted, needs_zone
from schema.database import first_line
from schema.dependants import Dependant
from schema.differences import Deviation
from schema.wanted import TABLES, WANTED, Column
from schema.zones import Zone, zone_of
from sinks.pool import Connection

_KNOWN = {f"{table}.id" for table in TABLES}

_ASSUMED = (
    "-- Clock times without a time zone are taken for UTC's. Where they are another zone's, write "
    "its name in the place of 'UTC'.\n"
)


def differs(
    table: str, wanted: Column, found: str, statement: str = "", *, needed: str = ""
) -> Deviation:
    """A difference of an application's column; `needed` is what it needs beside its type."""
    return Deviation(
        f"public.{table}.{wanted.name}",
        found,
        wanted.needed + needed,
        statement,
        consequence="stop",
        spoils_log=wanted.name in WANTED.published.get(table, ()),
    )


async def type_differences(
    tables: Tables, table: str, wanted: Column, found: Column
) -> list[Deviation]:
    """Say that the type is another, unless it is mended together with what the column refers to."""
    has = f"has type {found.type}"
    target = _target(tables, table, wanted.name) if wanted.type == "uuid" else None
    if target in _KNOWN:
        return []
    if target is not None:
        has += f" and refers to public.{target}, which is no id of a table of this project"
        return [differs(table, wanted, has, needed=", and a foreign key to one of them")]
    zone = Zone("'UTC'", "'UTC'")
    if needs_zone(found.type, wanted.type):
        zone = await zone_of(tables, table)
    refused = await _refused(tables.connection, table, wanted, found, zone)
    if refused:
        has += f", and not every row can be turned into {wanted.type}: {refused}"
        return [differs(table, wanted, has)]
    bound = list(_referencing(tables.keys, table, wanted.name))
    others = [(key.table, name) for key, name in bound]
    if others:
        has += f", and so have {', '.join(f'{name}.{column}' for name, column in others)}"
    columns = [(table, wanted.name), *others]
    users = await dependants.of_columns(tables.connection, columns)
    if users:
        has += f"; {', '.join(each.name for each in users)} would not let it change"
    by_hand = [each.name for each in users if each.create is None]
    if by_hand:
        needed = f"; drop {', '.join(by_hand)}, which you create again afterwards"
        return [differs(table, wanted, has, needed=needed)]
    steps = [
        *(key.drop for key, _ in bound),
        *(_retype(name, tables.columns[name][of], wanted.type, zone) for name, of in columns),
        *(key.add for key, _ in bound),
    ]
    statement = zone.before + "\n".join(steps) + zone.after
    condition = assumed(f'"{wanted.name}"', found.type, wanted.type)
    if condition is not None and await tables.any(table, f"WHERE {condition}"):
        statement = _ASSUMED + statement
    if users:
        statement = await _among(tables.connection, users, statement)
    return [differs(table, wanted, has, statement)]


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


def _retype(table: str, column: Column, wanted: str, zone: Zone) -> str:
    name = f'"{column.name}"'
    before, steps = "", []
    if column.identity:
        before = f"ALTER TABLE public.{table} ALTER COLUMN {name} DROP IDENTITY;\n"
    if column.default is not None:
        steps.append("DROP DEFAULT")
    steps.append(f"TYPE {wanted} USING {converted(name, column.type, wanted, zone.sql)}")
    if wanted == "uuid" and (column.identity or column.default is not None):
        steps.append("SET DEFAULT gen_random_uuid()")
    elif column.default is not None:
        default = converted(f"({column.default})", column.type, wanted, zone.usual)
        steps.append(f"SET DEFAULT {default}")
    alters = ", ".join(f"ALTER COLUMN {name} {step}" for step in steps)
    return f"{before}ALTER TABLE public.{table} {alters};"


def _target(tables: Tables, table: str, column: str) -> str | None:
    """The column that this one refers to, if that is no uuid either."""
    for key in tables.foreign_keys(table):
        if column in key.columns:
            name = key.target_columns[key.columns.index(column)]
            target = tables.columns[key.target].get(name)
            if target is None or target.type != "uuid":
                return f"{key.target}.{name}"
    return None


def _referencing(
    keys: Sequence[FoundKey], table: str, column: str
) -> Iterator[tuple[FoundKey, str]]:
    for key in keys:
        if key.kind == "f" and key.target == table and column in key.target_columns:
            yield key, key.columns[key.target_columns.index(column)]


async def _refused(
    connection: Connection, table: str, wanted: Column, found: Column, zone: Zone
) -> str:
    """Why Postgres does not turn some row's value into another type; empty where it does all."""
    value = converted(f'"{wanted.name}"', found.type, wanted.type, zone.usual)
    try:
        async with connection.transaction():
            await connection.fetchval(f"SELECT count({value}) FROM public.{table}")
    except asyncpg.LockNotAvailableError:
        raise
    except asyncpg.PostgresError as error:
        return first_line(error)
    return ""
