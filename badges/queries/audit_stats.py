"""Statistics as the source tables say them, against those that are recorded."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final
from uuid import UUID

import msgspec

from badges.queries.findings import Finding
from sinks.pool import Connection

_STATS: Final = files(__package__).joinpath("audit_stats.sql").read_text("utf-8")

_WAITS: Final = "what was decided waits, because Postgres refuses to write it"


async def stats_findings(
    connection: Connection, organization: UUID | None, mentors: Sequence[UUID] | None = None
) -> tuple[list[Finding], list[Finding]]:
    """The rows of statistics that differ, and those of them that only wait to be written.

    They are compared for the mentors of an organization or of all, or for some of those. What is
    expected and what was found name the columns that differ, or all where there is no such row.
    """
    findings: list[Finding] = []
    explained: list[Finding] = []
    for row in await connection.fetch(_STATS, organization, mentors):
        differs = _finding(row["id"], _decoded(row["expected"]), _decoded(row["found"]))
        if row["waits"]:
            explained.append(msgspec.structs.replace(differs, reason=_WAITS))
        else:
            findings.append(differs)
    return findings, explained


def _decoded(stats: str | None) -> dict[str, Any] | None:
    return None if stats is None else msgspec.json.decode(stats, type=dict[str, Any])


def _finding(
    mentor: UUID, expected: Mapping[str, Any] | None, found: Mapping[str, Any] | None
) -> Finding:
    if expected is None:
        reason = "there is no such mentor"
    elif found is None:
        reason = "the mentor has no statistics"
    else:
        columns = [name for name in expected if expected[name] != found[name]]
        expected = {name: expected[name] for name in columns}
        found = {name: found[name] for name in columns}
        reason = f"the rows of the mentor give another {', '.join(columns)}"
    return Finding("stats", mentor, None, expected, found, reason)
