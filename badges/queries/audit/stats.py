"""Statistics as the source tables say them, against those that are recorded."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final
from uuid import UUID

import msgspec

from badges.queries.audit.findings import WAITS, Finding
from sinks.pool import Connection

_STATS: Final = files(__package__).joinpath("stats.sql").read_text("utf-8")

_OF_NOBODY: Final = """
    SELECT s.peer_mentor_id AS id, to_jsonb(s)::text AS found FROM peer_mentor_stats s
    WHERE NOT EXISTS (SELECT FROM peer_mentors m WHERE m.id = s.peer_mentor_id)
    ORDER BY s.peer_mentor_id
"""


async def stats_findings(
    connection: Connection, mentors: Sequence[UUID]
) -> tuple[list[Finding], list[Finding]]:
    """The rows of some mentors' statistics that differ, and those that only wait to be written.

    What is expected and what was found name the columns that differ, or all where there is no row.
    """
    findings: list[Finding] = []
    explained: list[Finding] = []
    for row in await connection.fetch(_STATS, mentors):
        found = None if row["found"] is None else _decoded(row["found"])
        differs = _finding(row["id"], _decoded(row["expected"]), found)
        if row["waits"]:
            explained.append(msgspec.structs.replace(differs, reason=WAITS))
        else:
            findings.append(differs)
    return findings, explained


async def stats_of_nobody(connection: Connection) -> list[Finding]:
    """Rows of statistics without a mentor: no foreign key was looked at as they came to be."""
    return [
        Finding("stats", row["id"], None, None, _decoded(row["found"]), "there is no such mentor")
        for row in await connection.fetch(_OF_NOBODY)
    ]


def _decoded(stats: str) -> dict[str, Any]:
    return msgspec.json.decode(stats, type=dict[str, Any])


def _finding(mentor: UUID, expected: Mapping[str, Any], found: Mapping[str, Any] | None) -> Finding:
    if found is None:
        return Finding("stats", mentor, None, expected, None, "the mentor has no statistics")
    columns = [name for name in expected if expected[name] != found[name]]
    return Finding(
        "stats",
        mentor,
        None,
        {name: expected[name] for name in columns},
        {name: found[name] for name in columns},
        f"the rows of the mentor give another {', '.join(columns)}",
    )
