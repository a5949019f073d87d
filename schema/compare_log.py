"""Replica identities and publications: what Debezium can read, and what others' would break."""

from msgspec import json

from schema import checks, history
from schema.differences import Deviation
from schema.wanted import BY_MENTOR, WANTED
from sinks.pool import Connection
from streams.log import generations


async def log_differences(connection: Connection, prefix: str) -> list[Deviation]:
    """How identities and publications differ; somebody else's that does not fit stops."""
    ours = generations.publication(prefix)
    published = _published(await history.applied(connection))
    return await checks.run(
        connection,
        "identities",
        "publication",
        "other_publications",
        more={
            "publication": (ours, json.encode(published).decode()),
            "other_publications": (ours, BY_MENTOR),
        },
    )


def _published(applied: set[str]) -> list[dict[str, str | list[str]]]:
    """What is published, and what these migrations alone have published of it."""
    later = {
        (table, column)
        for version, tables in WANTED.published_since.items()
        if version not in applied
        for table, columns in tables.items()
        for column in columns
    }
    return [
        {
            "name": table,
            "columns": columns,
            "older": [c for c in columns if (table, c) not in later],
        }
        for table, columns in WANTED.published.items()
    ]
