"""The columns of a table that exists: missing ones, types, and nulls, each mended with its rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from badges.schema import objects
from badges.schema.catalog import FoundColumn, Key, Relation
from badges.schema.compare_log import PUBLISHED
from badges.schema.conversions import converted, needs_zone
from badges.schema.database import first_line
from badges.schema.differences import Difference
from badges.schema.shape import ADDED_COLUMNS, ALIKE, PRIMARY_KEYS, RESULT, SOURCE, Column
from badges.schema.zones import Zone, zone_of
from sinks.pool import Connection

MIGRATE = "badges migrate"

YOURS = "'...'"
"""Stands in a statement for what only the reader knows."""

_KNOWN = {f"{line.partition(':')[0]}.id" for line in SOURCE + RESULT}

_VALUES = {
    "id": "gen_random_uuid()",
    "slug": "id::text",
    "key": "id::text",
    "evidence": "'{}'",
    "awarded_by": "'rule'",
    "awarded_at": "earned_at",
    "changed_by": "awarded_by",
}
"""What a column that must not be null holds where nothing else is known, as SQL of its row."""

_DEFAULTS = {
    "active": "true",
    "timezone": "'Europe/Oslo'",
    "created_at": "now()",
    "revocable": "false",
    "status": "'draft'",
}
"""Of columns that are added to an application's table, as the contract has them."""


@dataclass(frozen=True)
class Tables:
    """What the catalog says of all tables, and a connection that may read those of ours."""

    connection: Connection
    found: Mapping[str, Relation]
    keys: Sequence[Key]

    async def filled(self, relation: Relation) -> bool:
        """Whether the table holds a row."""
        return bool(
            await self.connection.fetchval(f"SELECT EXISTS (SELECT FROM public.{relation.name})")
        )


async def compare(tables: Tables, relation: Relation, wanted: Sequence[Column]) -> list[Difference]:
    """How the columns differ; what is mended after another assumes that one to be done."""
    differences = []
    for column in wanted:
        found = relation.columns.get(column.name)
        if found is None:
            differences.append(await _missing(tables, relation, column))
            continue
        if found.type not in ALIKE.get(column.type, {column.type}):
            differences += await _type(tables, relation, column, found)
        if column.not_null and not found.not_null:
            differences.append(await _null(tables, relation, column))
    return [*differences, *_unfilled(relation, wanted)]


def renamed_key(relation: Relation, keys: Sequence[Key]) -> str | None:
    """The one column of the primary key of a table whose `id` is missing, if it is another's."""
    if "id" in relation.columns or relation.name in PRIMARY_KEYS:
        return None
    key = next((k for k in keys if k.kind == "p" and k.table == relation.name), None)
    if key is None or len(key.columns) != 1 or key.columns[0] in {"key", "slug"}:
        return None
    return key.columns[0]


async def _missing(tables: Tables, relation: Relation, wanted: Column) -> Difference:
    table = f"public.{relation.name}"
    name = f'"{wanted.name}"'
    add = f"ALTER TABLE {table} ADD COLUMN {name} {wanted.type}"
    other = renamed_key(relation, tables.keys) if wanted.name == "id" else None
    if other is not None:
        statement = f'ALTER TABLE {table} RENAME COLUMN "{other}" TO {name};'
    elif _is_added(relation, wanted):
        statement = _added(table, wanted)
    elif wanted.name == "id" and wanted.not_null:
        statement = f"{add} NOT NULL DEFAULT gen_random_uuid();"
    elif wanted.not_null and await tables.filled(relation):
        value = _VALUES.get(wanted.name, YOURS)
        statement = (
            f"{add};\nUPDATE {table} SET {name} = {value};\n"
            f"ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL;"
        )
    elif wanted.not_null:
        statement = f"{add} NOT NULL;"
    else:
        default = _DEFAULTS.get(wanted.name)
        statement = add + (f" DEFAULT {default};" if default else ";")
    return Difference(
        f"{table}.{wanted.name}",
        "is missing",
        _needed(wanted),
        statement,
        consequence="mend" if _is_added(relation, wanted) else "stop",
        spoils_log=True,
    )


def _added(table: str, wanted: Column) -> str:
    """As the migration has it, which fills some of them from other columns itself."""
    clause = objects.added_columns()[table.removeprefix("public."), wanted.name]
    if wanted.not_null and "NOT NULL" not in clause:
        return MIGRATE
    return f"ALTER TABLE {table} {clause};"


async def _type(
    tables: Tables, relation: Relation, wanted: Column, found: FoundColumn
) -> list[Difference]:
    table = f"public.{relation.name}"
    target = _target(tables, relation, wanted.name) if wanted.type == "uuid" else None
    if target in _KNOWN:
        # Mended together with what it refers to.
        return []
    if target is not None:
        return [
            Difference(
                f"{table}.{wanted.name}",
                f"has type {found.type} and refers to public.{target}, which is no id of a "
                "table of this project",
                _needed(wanted) + ", and a foreign key to one of them",
                "",
                consequence="stop",
                spoils_log=_published(relation, wanted),
            )
        ]
    zone = Zone("'UTC'", "'UTC'")
    if needs_zone(found.type, wanted.type):
        zone = await zone_of(tables.connection, relation, tables.found)
    value = converted(f'"{wanted.name}"', found.type, wanted.type, zone.usual)
    refused = await _refused(tables.connection, table, value)
    if refused:
        told = f"has type {found.type}, and not every row can be turned into {wanted.type}: "
        return [
            Difference(
                f"{table}.{wanted.name}",
                told + refused,
                _needed(wanted),
                "",
                consequence="stop",
                spoils_log=_published(relation, wanted),
            )
        ]
    changed = [(relation.name, found)]
    bound = []
    for key, column in _referencing(tables.keys, relation.name, wanted.name):
        bound.append(key)
        changed.append((key.table, tables.found[key.table].columns[column]))
    followers = [f"{name}.{column.name}" for name, column in changed[1:]]
    statement = "\n".join(
        [
            *(f'ALTER TABLE public."{k.table}" DROP CONSTRAINT "{k.name}";' for k in bound),
            *(_retype(name, column, wanted.type, zone) for name, column in changed),
            *(
                f'ALTER TABLE public."{k.table}" ADD CONSTRAINT "{k.name}" {k.definition};'
                for k in bound
            ),
        ]
    )
    return [
        Difference(
            f"{table}.{wanted.name}",
            f"has type {found.type}"
            + (f", and so have {', '.join(followers)}" if followers else ""),
            _needed(wanted),
            zone.before + statement + zone.after,
            consequence="stop",
            spoils_log=_published(relation, wanted),
        )
    ]


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
            await connection.fetchval(f"SELECT count({value}) FROM {table}")
    except asyncpg.LockNotAvailableError:
        raise
    except asyncpg.PostgresError as error:
        return first_line(error)
    return ""


async def _null(tables: Tables, relation: Relation, wanted: Column) -> Difference:
    table = f"public.{relation.name}"
    number = await tables.connection.fetchval(
        f'SELECT count(*) FROM {table} WHERE "{wanted.name}" IS NULL'
    )
    statement = f'ALTER TABLE {table} ALTER COLUMN "{wanted.name}" SET NOT NULL;'
    found = "may be null"
    if number:
        found += f", and is so in {number} rows"
        value = _VALUES.get(wanted.name, YOURS)
        update = f'UPDATE {table} SET "{wanted.name}" = {value} WHERE "{wanted.name}" IS NULL;'
        statement = f"{update}\n{statement}"
    return Difference(
        f"{table}.{wanted.name}",
        found,
        _needed(wanted),
        statement,
        consequence="stop",
        spoils_log=_published(relation, wanted),
    )


def _published(relation: Relation, wanted: Column) -> bool:
    return wanted.name in PUBLISHED.get(relation.name, "").split(", ")


def _needed(wanted: Column) -> str:
    return wanted.type + (" NOT NULL" if wanted.not_null else "")


def _is_added(relation: Relation, column: Column) -> bool:
    return (relation.name, column.name) in objects.added_columns()


def _unfilled(relation: Relation, wanted: Sequence[Column]) -> Iterator[Difference]:
    # An insert of ours could not fill such a column.
    if relation.name not in ADDED_COLUMNS:
        return
    names = {column.name for column in wanted}
    for column in relation.columns.values():
        if column.name not in names and not column.filled:
            yield Difference(
                f"public.{relation.name}.{column.name}",
                "is NOT NULL without a default, and unknown here",
                "a column that an insert may leave out",
                f'ALTER TABLE public.{relation.name} ALTER COLUMN "{column.name}" DROP NOT NULL;',
                consequence="stop",
            )
