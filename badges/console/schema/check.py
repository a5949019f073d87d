"""All that differs between a database and what this project needs of it."""

from badges.console.schema import (
    compare_log,
    compare_objects,
    compare_presence,
    compare_rights,
    compare_rows,
    compare_tables,
    compare_versions,
    compare_visibility,
    filled_from,
)
from badges.console.schema.differences import Difference, of
from badges.sinks.pool import Connection


async def check(connection: Connection, *, prefix: str, create: bool = False) -> list[Difference]:
    """Every difference, those that stop `migrate` first. Reads only.

    With `create`, tables of other names are no reason to ask before missing ones are created.

    While a column has another name, keys, rights and lists that name it cannot be judged.
    """
    gaps = await filled_from.compare(connection)
    renamed = await filled_from.renamed(connection)
    if renamed:
        return renamed + gaps
    differences = await compare_tables.compare(connection)
    if not create:
        differences += await compare_presence.compare(connection)
    if not of("stop", differences):
        differences += await compare_rows.compare(connection)
        differences += await compare_versions.compare(connection)
    differences += await compare_log.compare(connection, prefix)
    differences += await compare_objects.compare(connection)
    differences += await compare_rights.compare(connection)
    differences += await compare_visibility.compare(connection)
    return sorted(differences + gaps, key=lambda each: each.consequence != "stop")
