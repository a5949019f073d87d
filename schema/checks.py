"""The checks of `checks.sql`: one query each, and its rows are the differences."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from msgspec import json

from schema.differences import Difference
from schema.wanted import OLDER, SOURCE, TABLES, WANTED
from sinks.pool import Connection
from sinks.queries import parse


@dataclass(frozen=True)
class Check:
    """A query by its name, its values, and the tables and functions that it cannot do without."""

    name: str
    values: tuple[object, ...] = ()
    needs: tuple[str, ...] = ()


_QUERIES = parse(files(__package__).joinpath("checks.sql").read_text("utf-8"))

_ARE_THERE = """
SELECT bool_and(CASE WHEN name LIKE '%)' THEN to_regprocedure(name)::oid
                     ELSE to_regclass('public.' || name)::oid END IS NOT NULL)
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

PRESENCE = (Check("presence", (SOURCE, list(TABLES))),)
"""Of the application's tables, where some are missing and may have other names."""

KINDS = (Check("other_kinds", (list(TABLES), [*SOURCE, *OLDER])),)
"""Of what has a table's name and is none: its rows may be hidden."""

OWNERS = (Check("not_ours", (list(TABLES),)),)
"""Of tables that this user may not alter, and whose rows may be hidden from it."""

ROWS = (
    Check("same_keys", needs=("badge_definitions",)),
    Check("statuses", needs=("badge_definitions",)),
    Check("zones", needs=("organizations",)),
)
"""Of rows that no constraint of ours would take; the tables that exist must have their shape."""

VERSIONS = (
    Check(
        "missed_versions",
        needs=(
            "badges_private.missed_versions()",
            "organizations",
            "organization_versions",
            "badge_definitions",
            "badge_definition_versions",
        ),
    ),
)
"""Of definitions and organizations that were saved while their triggers were off."""

RIGHTS = (
    Check("roles"),
    Check("rights", (json.encode(WANTED.grants).decode(),)),
    Check("open", (_RELATIONS, _FUNCTIONS)),
    Check("without_row_security", (_RELATIONS,)),
    Check("restrictive"),
    Check("hidden", (list(TABLES),)),
)
"""Of what our roles and functions may and see, and of what others may with what is ours."""


async def run(connection: Connection, checks: Iterable[Check]) -> list[Difference]:
    """The differences that they find, each check's in its order."""
    return [
        Difference(**dict(row.items()))
        for each in checks
        if not each.needs or await connection.fetchval(_ARE_THERE, each.needs)
        for row in await connection.fetch(_QUERIES[each.name], *each.values)
    ]
