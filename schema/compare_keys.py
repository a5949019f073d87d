"""Primary, foreign and unique keys of tables that exist, each mended with the rows there are."""

from collections.abc import Iterator, Sequence

from schema.catalog import Key, Tables
from schema.compare_columns import renamed_key
from schema.differences import Consequence, Difference
from schema.wanted import OLDER, PRIMARY_KEYS, REFERENCES, Reference

_UNIQUE_SLUG = """
SELECT EXISTS (
    SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = to_regclass('public.organizations') AND i.indisunique AND i.indisvalid
        AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = 'slug')
"""

_CASCADE = "c"
_CASCADES = "ON DELETE CASCADE ON UPDATE CASCADE"


async def compare(tables: Tables, plain: Sequence[str]) -> list[Difference]:
    """How the keys of the tables `plain` differ, and others' to mentors that do not cascade."""
    differences = [each for name in plain for each in await _primary(tables, name)]
    for wanted in REFERENCES:
        if wanted.table in plain:
            differences += await _reference(tables, wanted, wanted.target in plain)
    differences += _other_references(tables.keys)
    if "organizations" in plain and not await tables.connection.fetchval(_UNIQUE_SLUG):
        differences.append(await _unique_slug(tables))
    return differences


async def _primary(tables: Tables, name: str) -> list[Difference]:
    wanted = PRIMARY_KEYS[name]
    key = next((k for k in tables.keys if k.kind == "p" and k.table == name), None)
    if key is not None and (
        key.columns == wanted or renamed_key(tables.found[name], tables.keys) is not None
    ):
        return []
    clause = f"PRIMARY KEY ({', '.join(wanted)})"
    where = f"public.{name}"
    apart = await _told_apart(tables, name) if wanted == ["id"] else ""
    if key is None:
        statement = f"{apart}ALTER TABLE {where} ADD {clause};"
        return [Difference(where, f"has no {clause}", clause, statement, consequence="stop")]
    bound = [k for k in tables.keys if k.kind == "f" and k.index == key.index]
    unique = f", ADD UNIQUE ({', '.join(key.columns)})" if bound else ""
    statement = "\n".join(
        [
            *(f'ALTER TABLE public."{k.table}" DROP CONSTRAINT "{k.name}";' for k in bound),
            f'{apart}ALTER TABLE {where} DROP CONSTRAINT "{key.name}", ADD {clause}{unique};',
            *(
                f'ALTER TABLE public."{k.table}" ADD CONSTRAINT "{k.name}" {k.definition};'
                for k in bound
            ),
        ]
    )
    found = f"primary key is ({', '.join(key.columns)})"
    return [Difference(where, found, clause, statement, consequence="stop")]


async def _told_apart(tables: Tables, name: str) -> str:
    """A statement that gives rows of one id others, where there are such rows."""
    table = f"public.{name}"
    if "id" not in tables.found[name].columns or not await tables.connection.fetchval(
        f"SELECT EXISTS (SELECT FROM {table} WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1)"
    ):
        return ""
    return (
        f"UPDATE {table} a SET id = gen_random_uuid() "
        f"WHERE EXISTS (SELECT FROM {table} b WHERE b.id = a.id AND b.ctid < a.ctid);\n"
    )


async def _reference(tables: Tables, wanted: Reference, has_target: bool) -> list[Difference]:
    there = [
        key
        for key in tables.keys
        if key.kind == "f"
        and (key.table, key.columns, key.target) == (wanted.table, wanted.columns, wanted.target)
    ]
    if there:
        return [
            _without_cascade(key, "stop")
            for key in there
            if wanted.cascades and key.on_delete != _CASCADE
        ]
    table = f"public.{wanted.table}"
    clause = f"FOREIGN KEY ({wanted.columns[0]}) REFERENCES public.{wanted.target} {_CASCADES}"
    ours = wanted.table in OLDER
    lost = await _lost(tables, wanted) if has_target else 0
    found, statement = "has no foreign key", f"ALTER TABLE {table} ADD {clause};"
    if lost and ours:
        found += f", and {lost} awards are of something that is gone"
        statement = f"{_delete_lost(wanted)}\n{statement}"
    elif lost:
        # They count for nobody, and it is not for us to say that they may go.
        found += f", and {lost} rows name one that does not exist"
        statement = f"ALTER TABLE {table} ADD {clause} NOT VALID;"
    consequence: Consequence = "mend" if ours and not lost else "stop"
    return [Difference(f"{table}.{wanted.columns[0]}", found, clause, statement, consequence)]


async def _lost(tables: Tables, wanted: Reference) -> int:
    """How many rows refer to something that is not there."""
    own, target = tables.found[wanted.table], tables.found[wanted.target]
    if wanted.columns[0] not in own.columns or "id" not in target.columns:
        return 0
    number = await tables.connection.fetchval(
        f"SELECT count(*) FROM public.{wanted.table} r WHERE r.{wanted.columns[0]} IS NOT NULL "
        f"AND NOT EXISTS (SELECT FROM public.{wanted.target} t "
        f"WHERE {_same_type(tables, wanted)})"
    )
    return int(number)


def _same_type(tables: Tables, wanted: Reference) -> str:
    own = tables.found[wanted.table].columns[wanted.columns[0]].type
    alike = own == tables.found[wanted.target].columns["id"].type
    cast = "" if alike else "::text"
    return f"t.id{cast} = r.{wanted.columns[0]}{cast}"


def _delete_lost(wanted: Reference) -> str:
    return (
        f"DELETE FROM public.{wanted.table} r WHERE NOT EXISTS "
        f"(SELECT FROM public.{wanted.target} t WHERE t.id = r.{wanted.columns[0]});"
    )


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
    targets = ", ".join(f'"{column}"' for column in key.target_columns)
    clause = f"FOREIGN KEY ({columns}) REFERENCES public.{key.target} ({targets}) {_CASCADES}"
    return Difference(
        f'public."{key.table}" constraint {key.name}',
        "does not cascade on delete",
        clause,
        f'ALTER TABLE public."{key.table}" DROP CONSTRAINT "{key.name}", '
        f'ADD CONSTRAINT "{key.name}" {clause}{key.deferred}{"" if key.valid else " NOT VALID"};',
        consequence=consequence,
    )


async def _unique_slug(tables: Tables) -> Difference:
    table, apart = "public.organizations", ""
    columns = tables.found["organizations"].columns
    if {"id", "slug"} <= set(columns) and await tables.connection.fetchval(
        f"SELECT EXISTS (SELECT FROM {table} WHERE slug IS NOT NULL "
        "GROUP BY slug HAVING count(*) > 1)"
    ):
        apart = (
            f"UPDATE {table} a SET slug = a.slug || '-' || a.id "
            f"WHERE EXISTS (SELECT FROM {table} b WHERE b.slug = a.slug AND b.id < a.id);\n"
        )
    clause = "UNIQUE (slug)"
    statement = f"{apart}ALTER TABLE {table} ADD {clause};"
    return Difference(table, f"has no {clause}", clause, statement, consequence="stop")
