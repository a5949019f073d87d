"""Primary and foreign keys of tables that exist, each mended with the rows there are."""

from collections.abc import Sequence

from schema.catalog import FoundKey, Tables
from schema.compare_columns import renamed_key
from schema.differences import Consequence, Deviation
from schema.wanted import FOREIGN_KEYS, OLDER, PRIMARY_KEYS, TableKey

_KEYS = "keys"
"""The check that finds these differences."""


async def key_differences(tables: Tables, plain: Sequence[str]) -> list[Deviation]:
    """The keys that the tables `plain` lack, or have by other columns."""
    primary = [each for name in plain for each in await _primary(tables, name)]
    lacking = [
        wanted
        for wanted in FOREIGN_KEYS
        if wanted.table in plain
        and not any(
            (key.columns, key.target) == (wanted.columns, wanted.target)
            for key in tables.foreign_keys(wanted.table)
        )
    ]
    return primary + [await _foreign(tables, each, each.target in plain) for each in lacking]


async def _primary(tables: Tables, name: str) -> list[Deviation]:
    wanted, key = PRIMARY_KEYS[name], tables.primary_key(name)
    if key is not None and (key.columns == wanted or renamed_key(tables, name) is not None):
        return []
    where, clause = f"public.{name}", f"PRIMARY KEY ({', '.join(wanted)})"
    apart = await _told_apart(tables, name) if wanted == ["id"] else ""
    if key is None:
        found = f"has no {clause}"
        statement = f"{apart}ALTER TABLE {where} ADD {clause};"
    else:
        found = f"primary key is ({', '.join(key.columns)})"
        statement = _replaced(key, clause, apart, [k for k in tables.keys if _rests_on(k, key)])
    return [Deviation(where, found, clause, statement, consequence="stop", check=_KEYS)]


def _rests_on(key: FoundKey, other: FoundKey) -> bool:
    return key.kind == "f" and key.index == other.index


def _replaced(key: FoundKey, clause: str, apart: str, bound: Sequence[FoundKey]) -> str:
    """What makes `clause` the primary key; what is bound to the old one keeps it as a unique."""
    unique = f", ADD UNIQUE ({', '.join(key.columns)})" if bound else ""
    return "\n".join(
        [
            *(each.drop for each in bound),
            f'{apart}ALTER TABLE public.{key.table} DROP CONSTRAINT "{key.name}", '
            f"ADD {clause}{unique};",
            *(each.add for each in bound),
        ]
    )


async def _told_apart(tables: Tables, name: str) -> str:
    """A statement that gives rows of one id others, where there are such rows."""
    twice = "WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1"
    if "id" not in tables.columns[name] or not await tables.any(name, twice):
        return ""
    return (
        f"UPDATE public.{name} a SET id = gen_random_uuid() "
        f"WHERE EXISTS (SELECT FROM public.{name} b WHERE b.id = a.id AND b.ctid < a.ctid);\n"
    )


async def _foreign(tables: Tables, wanted: TableKey, has_target: bool) -> Deviation:
    (column,) = wanted.columns
    where = f"public.{wanted.table}.{column}"
    clause = (
        f"FOREIGN KEY ({column}) REFERENCES public.{wanted.target} "
        "ON DELETE CASCADE ON UPDATE CASCADE"
    )
    ours = wanted.table in OLDER
    lost = await _lost(tables, wanted, column) if has_target else 0
    found, add = "has no foreign key", f"ALTER TABLE public.{wanted.table} ADD {clause}"
    if not lost:
        consequence: Consequence = "mend" if ours else "stop"
        return Deviation(where, found, clause, f"{add};", consequence, check=_KEYS)
    if ours:
        found += f", and {lost} awards are of something that is gone"
        statement = (
            f"DELETE FROM public.{wanted.table} r WHERE NOT EXISTS "
            f"(SELECT FROM public.{wanted.target} t WHERE t.id = r.{column});\n{add};"
        )
    else:
        # They count for nobody, and it is not for us to say that they may go.
        found += f", and {lost} rows name one that does not exist"
        statement = f"{add} NOT VALID;"
    return Deviation(where, found, clause, statement, consequence="stop", check=_KEYS)


async def _lost(tables: Tables, wanted: TableKey, column: str) -> int:
    """How many rows refer to something that is not there."""
    own = tables.columns[wanted.table].get(column)
    target = tables.columns[wanted.target].get("id")
    if own is None or target is None:
        return 0
    cast = "" if own.type == target.type else "::text"
    number = await tables.connection.fetchval(
        f"SELECT count(*) FROM public.{wanted.table} r WHERE r.{column} IS NOT NULL "
        f"AND NOT EXISTS (SELECT FROM public.{wanted.target} t "
        f"WHERE t.id{cast} = r.{column}{cast})"
    )
    return int(number)
