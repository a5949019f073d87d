"""The columns of a table that exists: missing ones, types, and nulls, each mended with its rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from schema import compare_types
from schema.catalog import Key, Relation, Tables
from schema.compare_types import differs
from schema.differences import Consequence, Difference
from schema.wanted import ALIKE, OLDER, PRIMARY_KEYS, Column

_MIGRATE = "badges migrate"

_YOURS = "'...'"
"""Stands in a statement for what only the reader knows."""

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


async def compare(tables: Tables, relation: Relation, wanted: Sequence[Column]) -> list[Difference]:
    """How the columns differ; what is mended after another assumes that one to be done."""
    differences = []
    for column in wanted:
        found = relation.columns.get(column.name)
        if found is None:
            differences.append(await _missing(tables, relation, column))
            continue
        if found.type not in ALIKE.get(column.type, {column.type}):
            differences += await compare_types.compare(tables, relation, column, found)
        if column.not_null and not found.not_null:
            differences.append(await _null(tables, relation, column))
    return [*differences, *_unfilled(relation, wanted)]


def renamed_key(relation: Relation, keys: Sequence[Key]) -> str | None:
    """The one column of the primary key of a table whose `id` is missing, if it is another's."""
    if "id" in relation.columns or PRIMARY_KEYS.get(relation.name) != ["id"]:
        return None
    key = next((k for k in keys if k.kind == "p" and k.table == relation.name), None)
    if key is None or len(key.columns) != 1 or key.columns[0] in {"key", "slug"}:
        return None
    return key.columns[0]


async def _missing(tables: Tables, relation: Relation, wanted: Column) -> Difference:
    table = f"public.{relation.name}"
    name = f'"{wanted.name}"'
    add = f"ALTER TABLE {table} ADD COLUMN {'IF NOT EXISTS ' if wanted.added else ''}{name} "
    other = renamed_key(relation, tables.keys) if wanted.name == "id" else None
    if other is not None:
        statement = f'ALTER TABLE {table} RENAME COLUMN "{other}" TO {name};'
    elif wanted.default is not None or not wanted.not_null:
        default = f" DEFAULT {wanted.default}" if wanted.default is not None else ""
        statement = f"{add}{wanted.needed}{default};"
    elif wanted.added:
        # It fills the column from others.
        statement = _MIGRATE
    elif await tables.filled(relation):
        value = _VALUES.get(wanted.name, _YOURS)
        statement = (
            f"{add}{wanted.type};\nUPDATE {table} SET {name} = {value};\n"
            f"ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL;"
        )
    else:
        statement = f"{add}{wanted.needed};"
    consequence: Consequence = "mend" if wanted.added else "stop"
    told = differs(relation, wanted, "is missing", statement)
    return replace(told, consequence=consequence, spoils_log=True)


async def _null(tables: Tables, relation: Relation, wanted: Column) -> Difference:
    table = f"public.{relation.name}"
    number = await tables.connection.fetchval(
        f'SELECT count(*) FROM {table} WHERE "{wanted.name}" IS NULL'
    )
    statement = f'ALTER TABLE {table} ALTER COLUMN "{wanted.name}" SET NOT NULL;'
    found = "may be null"
    if number:
        found += f", and is so in {number} rows"
        value = _VALUES.get(wanted.name, _YOURS)
        update = f'UPDATE {table} SET "{wanted.name}" = {value} WHERE "{wanted.name}" IS NULL;'
        statement = f"{update}\n{statement}"
    return differs(relation, wanted, found, statement)


def _unfilled(relation: Relation, wanted: Sequence[Column]) -> Iterator[Difference]:
    # An insert of ours could not fill such a column.
    if relation.name not in OLDER:
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
