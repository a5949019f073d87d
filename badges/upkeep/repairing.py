"""Mends what an audit found, on a live system: under the lock that a worker's turn takes.

While a partition's position is locked, its worker writes nothing. So each finding is looked for
once more there, and what is still the very same is written as it should be.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import asyncpg

from badges.queries.audit import comparison
from badges.queries.audit.findings import Finding
from sinks import repairs
from sinks.failures import LOCKED, reason_of, refusal_of
from sinks.pool import Connection
from sinks.repairs import REPAIRABLE
from streams.errors import Failure
from streams.log import generations
from streams.log.topics import partition_of

_AT_ONCE: Final = 100
"""Mentors of one transaction: a worker waits for it."""

_TRIES: Final = 5
_PAUSE_S: Final = 0.5
"""A worker that holds a position for so long is in the middle of a long turn."""


class _Repair:
    """One partition after another: what is mended so far, and what Postgres refuses to write."""

    def __init__(
        self, connection: Connection, number: int, since: date | None, log_id: str
    ) -> None:
        self._connection = connection
        self._number = number
        self._since = since
        self._log_id = log_id
        self.mended: set[object] = set()
        self.refused: set[str] = set()

    async def mend(self, partition: int, findings: Mapping[UUID, Sequence[Finding]]) -> None:
        """Mend findings by mentor in one transaction; what Postgres refuses, mentor by mentor."""
        try:
            done = await self._patiently(partition, findings)
        except asyncpg.PostgresError as error:
            if refusal_of(error) is None:
                raise
            if len(findings) == 1 or error.sqlstate == LOCKED:
                self.refused.add(reason_of(error))
                return
            for mentor, those in findings.items():
                await self.mend(partition, {mentor: those})
        else:
            self.mended.update(finding.subject for finding in done)

    async def _patiently(
        self, partition: int, findings: Mapping[UUID, Sequence[Finding]]
    ) -> list[Finding]:
        for _ in range(_TRIES):
            try:
                return await self._mend(partition, findings)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                await asyncio.sleep(_PAUSE_S)
        return await self._mend(partition, findings)

    async def _mend(
        self, partition: int, findings: Mapping[UUID, Sequence[Finding]]
    ) -> list[Finding]:
        mentors = list(findings)
        wanted = [finding for those in findings.values() for finding in those]
        definitions = {each.badge_definition_id for each in wanted if each.badge_definition_id}
        async with self._connection.transaction():
            held = await repairs.hold(
                self._connection, self._log_id, partition, mentors, list(definitions)
            )
            if not held:
                raise Failure(
                    "the log was replaced meanwhile, and not everything is repaired",
                    hint="Run `badges audit --repair` again",
                )
            found = await comparison.find(
                self._connection, organization=None, since=self._since, mentors=mentors
            )
            still = [finding for finding in wanted if finding in found.findings]
            for kind in REPAIRABLE:
                rows = [self._row(finding) for finding in still if finding.kind == kind]
                await repairs.write(self._connection, kind, rows)
        return still

    def _row(self, finding: Finding) -> dict[str, Any]:
        """What to write, and who it is about."""
        ids = {
            "peer_mentor_id": finding.peer_mentor_id,
            "badge_definition_id": finding.badge_definition_id,
        }
        if finding.kind == "stats":
            return {**ids, "stats": finding.expected}
        return {**ids, **(finding.expected or {}), "audit": self._number}


async def repair(
    connection: Connection,
    findings: Sequence[Finding],
    number: int,
    since: date | None,
) -> tuple[list[Finding], list[str]]:
    """Write what the findings of audit `number` say is missing or wrong.

    Returns what was mended, and why Postgres refused to write others. Awards that should not be
    there are left, and so is what has changed since it was found. Raises Failure where no log is
    live, or where it is replaced meanwhile.
    """
    log = await generations.live(connection)
    if log is None:
        raise Failure("no log is live, so nothing is repaired", hint="Run `badges provision`")
    work = _Repair(connection, number, since, log.log_id)
    for partition, chunk in _chunks(findings, lambda m: partition_of(str(m), log.partitions)):
        await work.mend(partition, chunk)
    mended = [finding for finding in findings if finding.subject in work.mended]
    return mended, sorted(work.refused)


def _chunks(
    findings: Sequence[Finding], place: Callable[[UUID], int]
) -> Iterator[tuple[int, dict[UUID, list[Finding]]]]:
    """What can be mended, by mentor: so many of a partition at once."""
    partitions: dict[int, dict[UUID, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in findings:
        if finding.kind in REPAIRABLE and finding.expected is not None:
            partitions[place(finding.peer_mentor_id)][finding.peer_mentor_id].append(finding)
    for partition, mentors in sorted(partitions.items()):
        ids = list(mentors)
        for start in range(0, len(ids), _AT_ONCE):
            yield partition, {each: mentors[each] for each in ids[start : start + _AT_ONCE]}
