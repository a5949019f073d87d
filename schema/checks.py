"""The checks of `checks.sql`: one query each, and its rows are the differences."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec import json

from schema.differences import Deviation
from schema.exposure import EXPOSABLE
from schema.queries import QUERIES
from schema.wanted import BY_MENTOR, CASCADING, FOREIGN_KEYS, OLDER, SOURCE, TABLES, WANTED
from sinks.pool import Connection
from streams.log.fingerprint import identity_statement

_ARE_THERE = """
SELECT bool_and(CASE WHEN name LIKE '%)' THEN to_regprocedure(name) IS NOT NULL
                     ELSE EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('public.' || name)
                                  AND relkind = 'r') END)
FROM unnest($1::text[]) AS needed (name)
"""

_RELATIONS = [
    each.name
    for each in WANTED.things
    if each.kind in {"table", "view"} and each.name.removeprefix("public.") not in SOURCE
]
_FUNCTIONS = [
    each.name
    for each in WANTED.things
    if each.kind == "function" and each.name.startswith("public.")
]

_IDENTIFIED = ["peer_mentors", *BY_MENTOR]


def _as_json(wanted: object) -> str:
    return json.encode(wanted).decode()


_VALUES: Mapping[str, Sequence[object]] = {
    "presence": (SOURCE, list(TABLES)),
    "other_kinds": (list(TABLES), [*SOURCE, *OLDER]),
    "not_ours": (list(TABLES),),
    "unfilled": (_as_json({name: [each.name for each in TABLES[name]] for name in OLDER}),),
    "without_cascade": (_as_json(FOREIGN_KEYS), list(CASCADING)),
    "identities": (
        _IDENTIFIED,
        [identity_statement(name, indexed=False) for name in _IDENTIFIED],
        [identity_statement(name, indexed=True) for name in _IDENTIFIED],
    ),
    "things_missing": (_as_json(WANTED.things), [f"public.{name}" for name in WANTED.published]),
    "rights": (_as_json(WANTED.grants),),
    "open": (_RELATIONS, _FUNCTIONS, EXPOSABLE),
    "concealed": (EXPOSABLE,),
    "without_row_security": (_RELATIONS,),
    "hidden": (list(TABLES),),
}

_NEEDS: Mapping[str, Sequence[str]] = {
    "same_keys": ["badge_definitions"],
    "statuses": ["badge_definitions"],
    "zones": ["organizations"],
    "unique_slug": ["organizations"],
    "half_awards": ["badge_awards"],
    "held_twice": ["badge_awards"],
    "missed_versions": [
        "badges_private.missed_versions()",
        "organizations",
        "organization_versions",
        "badge_definitions",
        "badge_definition_versions",
    ],
    "activities_index": ["badges_private.mend_activities_index()"],
}
"""The tables and functions without one of which a check finds nothing."""

ROWS = ("same_keys", "statuses", "zones", "half_awards", "held_twice", "missed_versions")
"""Of rows that no constraint of ours would take, or that were saved while triggers were off; the
tables that exist must have their shape."""

THINGS = ("things_missing", "activities_index")
"""Of what the migrations create and that has a name."""

RIGHTS = ("roles", "rights", "open", "concealed", "without_row_security", "restrictive", "hidden")
"""Of what our roles and functions may and see, and of what others may with what is ours."""


async def run(
    connection: Connection, *names: str, more: Mapping[str, Sequence[object]] = MappingProxyType({})
) -> list[Deviation]:
    """The differences that these checks find, each check's in its order; `more` are values too."""
    values = {**_VALUES, **more}
    return [
        Deviation(**{"check": name, **dict(row.items())})
        for name in names
        if name not in _NEEDS or await connection.fetchval(_ARE_THERE, _NEEDS[name])
        for row in await connection.fetch(QUERIES[name], *values.get(name, ()))
    ]
