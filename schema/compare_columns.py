"""The columns of a table that exists: missing ones, types, and nulls, each mended with its rows."""

from dataclasses import replace

from schema.catalog import Tables
from schema.compare_types import differs, type_differences
from schema.differences import Deviation
from schema.wanted import PRIMARY_KEYS, TABLES, Column

_MIGRATE = "badges migrate"

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

_YOURS = "'...'"
"""Stands in a statement for what only the reader knows."""


async def column_differences(tables: Tables, table: str) -> list[Deviation]:
    """How the columns differ; what is mended after another assumes that one to be done."""
    differences = []
    for column in TABLES[table]:
        found = tables.columns[table].get(column.name)
        if found is None:
            differences.append(await _missing(tables, table, column))
            continue
        if found.type not in column.types:
            differences += await type_differences(tables, table, column, found)
        if column.not_null and not found.not_null:
            differences.append(await _null(tables, table, column))
    return differences


def renamed_key(tables: Tables, table: str) -> str | None:
    """The one column of the primary key of a table whose `id` is missing, if it is another's."""
    key = tables.primary_key(table)
    if "id" in tables.columns[table] or PRIMARY_KEYS.get(table) != ["id"] or key is None:
        return None
    (name, *others) = key.columns
    return None if others or name in {"key", "slug"} else name


async def _missing(tables: Tables, table: str, wanted: Column) -> Deviation:
    alter, name = f"ALTER TABLE public.{table}", f'"{wanted.name}"'
    add = f"{alter} ADD COLUMN {'IF NOT EXISTS ' if wanted.added else ''}{name} "
    other = renamed_key(tables, table) if wanted.name == "id" else None
    if other is not None:
        statement = f'{alter} RENAME COLUMN "{other}" TO {name};'
    elif wanted.default is not None:
        statement = f"{add}{wanted.needed} DEFAULT {wanted.default};"
    elif wanted.not_null and wanted.added:
        # It fills the column from others.
        statement = _MIGRATE
    elif wanted.not_null and await tables.any(table):
        value = _VALUES.get(wanted.name, _YOURS)
        statement = (
            f"{add}{wanted.type};\nUPDATE public.{table} SET {name} = {value};\n"
            f"{alter} ALTER COLUMN {name} SET NOT NULL;"
        )
    else:
        statement = f"{add}{wanted.needed};"
    told = differs(table, wanted, "is missing", statement)
    return replace(told, consequence="mend" if wanted.added else "stop", spoils_log=True)


async def _null(tables: Tables, table: str, wanted: Column) -> Deviation:
    number = await tables.connection.fetchval(
        f'SELECT count(*) FROM public.{table} WHERE "{wanted.name}" IS NULL'
    )
    found = "may be null"
    statement = f'ALTER TABLE public.{table} ALTER COLUMN "{wanted.name}" SET NOT NULL;'
    if number:
        found += f", and is so in {number} rows"
        value = _VALUES.get(wanted.name, _YOURS)
        set_value = f'SET "{wanted.name}" = {value} WHERE "{wanted.name}" IS NULL;'
        statement = f"UPDATE public.{table} {set_value}\n{statement}"
    return differs(table, wanted, found, statement)
