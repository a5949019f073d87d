"""The audit: what every result should be by the source tables alone, against what it is."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

from badges.queries.audit.awards import MentorRow, award_findings
from badges.queries.audit.findings import Audit, Checked, Finding
from badges.queries.audit.rules import Rules, read_rules
from badges.queries.audit.statements import AUDIT
from badges.queries.audit.stats import stats_findings, stats_of_nobody
from sinks.pool import Connection

_AT_A_TIME: Final = 200
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
    beside: "Connection | None" = None,
) -> Audit:
    """Compare everything, or an organization's, or some mentors'; with a date, what changed since.

    The connection is the owner's, and sees one snapshot; with another one `beside` it that sees the
    same, it takes half the time where there are cores for both. What changed since a date is all
    that is about mentors of whom the stream has decided anything since it began in UTC, or who have
    an award that was earned, given or revoked since.
    """
    rules = await read_rules(connection)
    look = _Look(rules, organization, since, mentors)
    connections = [each for each in (connection, beside) if each is not None]
    looking = [asyncio.create_task(look.through(each)) for each in connections]
    try:
        await asyncio.gather(*looking)
    finally:
        # A connection is free for whatever comes next once nobody looks through it.
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
    if organization is None and mentors is None:
        look.findings += await stats_of_nobody(connection)
    for found in (look.findings, look.explained):
        found.sort(key=lambda each: each.peer_mentor_id)
    return Audit(Checked(look.mentors, look.awards, look.stats), look.findings, look.explained)


class _Look:
    """What is found so far: of some mentors after the other, by whichever connection is free."""

    def __init__(
        self,
        rules: Rules,
        organization: UUID | None,
        since: date | None,
        among: Sequence[UUID] | None,
    ) -> None:
        self._rules = rules
        self._scope = (organization, since, among)
        self._last = _FIRST
        self._turn = asyncio.Lock()
        self.findings: list[Finding] = []
        self.explained: list[Finding] = []
        self.mentors = 0
        self.awards = 0
        self.stats = 0

    async def through(self, connection: Connection) -> None:
        """Look until nobody is left."""
        await connection.execute(_ROOM)
        while mentors := await self._next(connection):
            ids = [mentor.id for mentor in mentors]
            for found, for_a_reason in (
                await award_findings(connection, self._rules, mentors),
                await stats_findings(connection, ids),
            ):
                self.findings += found
                self.explained += for_a_reason
            counted = await connection.fetchrow(AUDIT["counted"], ids)
            assert counted is not None
            self.mentors += len(ids)
            self.awards += counted["awards"]
            self.stats += counted["stats"]

    async def _next(self, connection: Connection) -> list[MentorRow]:
        async with self._turn:
            rows = await connection.fetch(AUDIT["mentors"], *self._scope, self._last, _AT_A_TIME)
            self._last = rows[-1]["id"] if rows else self._last
            return [MentorRow(**row) for row in rows]
