"""Existing tables against their shape: what is there may only be changed by its owner."""

from collections.abc import Iterator, Sequence

from badges.console.schema import catalog, objects, other_kinds
from badges.console.schema.catalog import FoundColumn, Key, Relation
from badges.console.schema.compare_log import PUBLISHED
from badges.console.schema.differences import Consequence, Difference
from badges.console.schema.shape import (
    ADDED_COLUMNS,
    ALIKE,
    PRIMARY_KEYS,
    REFERENCES,
    RESULT,
    SOURCE,
    Column,
    Reference,
    tables,
)
from badges.sinks.pool import Connection

_UNIQUE_SLUG = """
SELECT EXISTS (
    SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = to_regclass('public.organizations') AND i.indisunique AND i.indisvalid
        AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = 'slug')
"""

_TABLE = "r"
_CASCADE = "c"


async def compare(connection: Connection) -> list[Difference]:
    """How the tables that exist differ from what they must be. Missing tables are not listed."""
    wanted = tables(SOURCE + RESULT)
    found = await catalog.relations(connection, list(wanted))
    differences: list[Difference] = []
    for name, relation in sorted(found.items()):
        if relation.kind == _TABLE:
            differences += _table(relation, wanted[name])
        else:
            differences.append(await other_kinds.difference(connection, relation))
    keys = await catalog.keys(connection)
    plain = {name for name, relation in found.items() if relation.kind == _TABLE}
    differences += _primary_keys(sorted(plain), keys)
    differences += _references(plain, keys)
    differences += _other_references(keys)
    if "organizations" in found and not await connection.fetchval(_UNIQUE_SLUG):
        differences.append(_missing_key("organizations", "UNIQUE (slug)"))
    return differences


def _table(relation: Relation, wanted: Sequence[Column]) -> Iterator[Difference]:
    where = f"public.{relation.name}"
    if not relation.ours:
        yield Difference(
            where,
            f"owned by {relation.owner}, whom this user may not act for",
            "a table that this user may alter",
            f'GRANT "{relation.owner}" TO CURRENT_USER;',
            consequence="stop",
        )
    for column in wanted:
        yield from _column(relation, column, relation.columns.get(column.name))
    yield from _unfilled(relation, wanted)


def _column(relation: Relation, wanted: Column, found: FoundColumn | None) -> Iterator[Difference]:
    where = f"public.{relation.name}.{wanted.name}"
    alter = f'ALTER TABLE public.{relation.name} {{}} COLUMN "{wanted.name}" '
    needed = wanted.type + (" NOT NULL" if wanted.not_null else "")
    if found is None:
        yield Difference(
            where,
            "is missing",
            needed,
            alter.format("ADD") + needed + ";",
            consequence="mend" if _is_added(relation, wanted) else "stop",
            spoils_log=True,
        )
        return
    published = wanted.name in PUBLISHED.get(relation.name, "").split(", ")
    if found.type not in ALIKE.get(wanted.type, {wanted.type}):
        yield Difference(
            where,
            f"has type {found.type}",
            needed,
            alter.format("ALTER") + f'TYPE {wanted.type} USING "{wanted.name}"::{wanted.type};',
            consequence="stop",
            spoils_log=published,
        )
    if wanted.not_null and not found.not_null:
        yield Difference(
            where,
            "may be null",
            needed,
            alter.format("ALTER") + "SET NOT NULL;",
            consequence="stop",
            spoils_log=published,
        )


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


def _primary_keys(names: Sequence[str], keys: Sequence[Key]) -> Iterator[Difference]:
    found = {key.table: key for key in keys if key.kind == "p"}
    for name in names:
        wanted = PRIMARY_KEYS.get(name, ("id",))
        key = found.get(name)
        columns = ", ".join(wanted)
        if key is None:
            yield _missing_key(name, f"PRIMARY KEY ({columns})")
        elif key.columns != wanted:
            yield Difference(
                f"public.{name}",
                f"primary key is ({', '.join(key.columns)})",
                f"PRIMARY KEY ({columns})",
                f'ALTER TABLE public.{name} DROP CONSTRAINT "{key.name}", '
                f"ADD PRIMARY KEY ({columns});",
                consequence="stop",
            )


def _references(found: set[str], keys: Sequence[Key]) -> Iterator[Difference]:
    for wanted in REFERENCES:
        if wanted.table not in found:
            continue
        there = [
            key
            for key in keys
            if key.kind == "f"
            and (key.table, key.columns, key.target)
            == (wanted.table, (wanted.column,), wanted.target)
        ]
        if not there:
            yield Difference(
                f"public.{wanted.table}.{wanted.column}",
                "has no foreign key",
                _clause(wanted),
                f"ALTER TABLE public.{wanted.table} ADD {_clause(wanted)};",
                consequence="mend" if wanted.table in ADDED_COLUMNS else "stop",
            )
        for key in there:
            if wanted.cascades and key.on_delete != _CASCADE:
                yield _without_cascade(key, "stop")


def _other_references(keys: Sequence[Key]) -> Iterator[Difference]:
    ours = {(wanted.table, wanted.target) for wanted in REFERENCES}
    for key in keys:
        if (
            key.target == "peer_mentors"
            and key.on_delete != _CASCADE
            and (key.table, key.target) not in ours
        ):
            yield _without_cascade(key, "report")


def _without_cascade(key: Key, consequence: Consequence) -> Difference:
    columns = ", ".join(f'"{column}"' for column in key.columns)
    clause = (
        f"FOREIGN KEY ({columns}) REFERENCES public.{key.target} "
        "ON DELETE CASCADE ON UPDATE CASCADE"
    )
    return Difference(
        f'public."{key.table}" constraint {key.name}',
        "does not cascade on delete",
        clause,
        f'ALTER TABLE public."{key.table}" DROP CONSTRAINT "{key.name}", '
        f'ADD CONSTRAINT "{key.name}" {clause};',
        consequence=consequence,
    )


def _clause(wanted: Reference) -> str:
    return (
        f"FOREIGN KEY ({wanted.column}) REFERENCES public.{wanted.target} "
        "ON DELETE CASCADE ON UPDATE CASCADE"
    )


def _missing_key(table: str, clause: str) -> Difference:
    return Difference(
        f"public.{table}",
        f"has no {clause}",
        clause,
        f"ALTER TABLE public.{table} ADD {clause};",
        consequence="stop",
    )
