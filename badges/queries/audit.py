"""The audit: what every result should be by the source tables alone, against what it is."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from badges.queries.audit_awards import MentorRow, award_findings
from badges.queries.audit_rules import read_rules
from badges.queries.audit_stats import stats_findings, stats_of_nobody
from badges.queries.findings import Audit, Checked, Finding
from badges.queries.sql import AUDIT
from sinks.pool import Connection

_AT_A_TIME: Final = 5_000
"""Mentors whose rows and results are looked at together: this bounds the memory."""
_FIRST: Final = UUID(int=0)
_ROOM: Final = """
    SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true)
"""
"""For sorting the rows of so many mentors, to the end of the transaction."""


async def find(
    connection: Connection,
    *,
    organization: UUID | None,
    since: date | None,
    mentors: Sequence[UUID] | None = None,
) -> Audit:
    """Compare everything, or an organization's, or some mentors'; with a date, what changed since.

    The connection is the owner's, and sees one snapshot. What changed since a date is all that is
    about mentors of whom the stream has decided anything since it began in UTC, or who have an
    award that was earned, given or revoked since.
    """
    await connection.execute(_ROOM)
    rules = await read_rules(connection)
    findings: list[Finding] = []
    explained: list[Finding] = []
    number, awards, stats = 0, 0, 0
    async for some in _mentors(connection, organization, since, mentors):
        ids = [mentor.id for mentor in some]
        for found, for_a_reason in (
            await award_findings(connection, rules, some),
            await stats_findings(connection, ids),
        ):
            findings += found
            explained += for_a_reason
        counted = await connection.fetchrow(AUDIT["counted"], ids)
        assert counted is not None
        number, awards = number + len(ids), awards + counted["awards"]
        stats += counted["stats"]
    if organization is None and mentors is None:
        findings += await stats_of_nobody(connection)
    return Audit(Checked(number, awards, stats), findings, explained)


async def _mentors(
    connection: Connection,
    organization: UUID | None,
    since: date | None,
    among: Sequence[UUID] | None,
) -> AsyncIterator[list[MentorRow]]:
    last = _FIRST
    while rows := await connection.fetch(
        AUDIT["mentors"], organization, since, among, last, _AT_A_TIME
    ):
        yield [MentorRow(**row) for row in rows]
        last = rows[-1]["id"]
