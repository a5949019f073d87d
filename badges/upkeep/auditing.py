"""One run of the audit on a live system: look, wait for the stream, look again, and leave a record.

What differs may only be on its way. So a difference counts when the very same is there twice: once
before, and once after the stream has decided everything that the first look saw.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import date
from functools import partial
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from badges.queries.audit import comparison
from badges.queries.audit.findings import Audit, Checked, Finding
from badges.upkeep import repairing
from sinks.failures import UNREACHED, reason_of
from sinks.pool import Connection
from sinks.queries import QUERIES
from streams.errors import Failure
from streams.lag.catching_up import Behind, until_decided
from streams.log.kafka import KafkaAccess
from streams.log.wal import insert_lsn

_ALERT: Final = "audit_differs"

_RECORD_PATIENCE_S = 5.0

_BEGIN: Final = (
    "INSERT INTO public.badge_audits (organization_id, since) VALUES ($1, $2) RETURNING id"
)
_FINISH: Final = """
    UPDATE public.badge_audits
    SET finished_at = clock_timestamp(), checked = $2::text::jsonb, findings = $3::text::jsonb,
        explained = $4, repaired = $5, ok = $6
    WHERE id = $1
"""
_FAIL: Final = """
    UPDATE public.badge_audits SET finished_at = clock_timestamp(), error = $2 WHERE id = $1
"""
_RESOLVE: Final = """
    UPDATE public.badge_alerts SET resolved_at = clock_timestamp()
    WHERE kind = $1 AND resolved_at IS NULL
        AND ($2::text IS NULL OR detail ->> 'subject' = $2)
        AND ($3::date IS NULL OR (detail ->> 'since')::date >= $3)
        AND NOT ($4 AND coalesce(detail ->> 'subject', '') = coalesce($2, '')
                 AND (detail ->> 'since')::date IS NOT DISTINCT FROM $3)
"""
"""The alerts of scopes that one covers; with the last argument but for that of the very scope."""


class AuditScope(Struct, frozen=True):
    """What is audited: an organization, or all; awards of a date and later, or all."""

    organization: UUID | None = None
    since: date | None = None


class Audited(Struct, frozen=True):
    """What a run came to.

    If that was asked for, some of the findings are `repaired`; `refused` says why Postgres did not
    let others be.
    """

    audit: int
    ok: bool
    checked: Checked
    findings: Sequence[Finding]
    explained: Sequence[Finding]
    repaired: Sequence[Finding]
    refused: Sequence[str]


async def run(
    connection: Connection,
    kafka: KafkaAccess,
    scope: AuditScope,
    *,
    limit: float,
    repair: bool,
    tell: Callable[[str], None],
    beside: "Connection | None" = None,
) -> Audited:
    """Audit, and mend what can be mended if that is asked for.

    With another connection `beside` the first it takes about half the time.
    `limit` is how long, in seconds, the stream may take to decide what the first look saw. What is
    done is told to `tell`. Raises Failure when it takes longer, and what Postgres and Kafka raise.
    """
    async with _recorded(connection, scope) as number:
        looking = partial(look, connection, beside, scope)
        found = await _look_twice(connection, kafka, looking, limit, tell)
        repaired, refused = list[Finding](), list[str]()
        if repair and found.findings:
            tell(f"repairing {len(found.findings)} findings")
            repaired, refused = await repairing.repair(
                connection, found.findings, number, scope.since
            )
        outcome = Audited(
            audit=number,
            ok=not found.findings,
            checked=found.checked,
            findings=found.findings,
            explained=found.explained,
            repaired=repaired,
            refused=refused,
        )
        await _finish(connection, outcome)
    await _alert(connection, scope, outcome)
    return outcome


@asynccontextmanager
async def _recorded(connection: Connection, scope: AuditScope) -> AsyncIterator[int]:
    """The number of a run, whose row says why it failed, if it does."""
    number: int = await connection.fetchval(_BEGIN, scope.organization, scope.since)
    try:
        yield number
    except BaseException as error:
        # Who stops a run, or takes Postgres away, is told of that and not of what follows from it.
        with suppress(asyncpg.PostgresError, *UNREACHED):
            async with asyncio.timeout(_RECORD_PATIENCE_S):
                await connection.execute(_FAIL, number, _reason(error))
        raise


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, asyncpg.PostgresError):
        return reason_of(error)
    return str(error) or type(error).__name__


async def _look_twice(
    connection: Connection,
    kafka: KafkaAccess,
    looking: Callable[[], Awaitable[tuple[Audit, int]]],
    limit: float,
    tell: Callable[[str], None],
) -> Audit:
    tell("comparing")
    first, lsn = await looking()
    if not first.findings:
        return first
    tell(f"waiting until the stream has decided what {len(first.findings)} differences may be")
    try:
        await until_decided(connection, kafka, lsn, limit)
    except Behind as behind:
        raise Failure(
            f"something differs ({len(first.findings)}), and whether it is only on its way cannot "
            f"be told: {behind}",
            hint="Run it again once `badges lag` is on time, or with a higher --limit",
        ) from None
    tell("comparing again")
    second, _ = await looking()
    before = {finding.subject: finding for finding in first.findings}
    lasting = [each for each in second.findings if before.get(each.subject) == each]
    return msgspec.structs.replace(second, findings=lasting)


async def look(
    connection: Connection, beside: "Connection | None", scope: AuditScope
) -> tuple[Audit, int]:
    """What one snapshot says, and the WAL position (bytes) below which all of it was committed."""
    async with AsyncExitStack() as looks:
        await looks.enter_async_context(_reading(connection))
        lsn = await insert_lsn(connection)
        if beside is not None:
            shared = await connection.fetchval("SELECT pg_export_snapshot()")
            await looks.enter_async_context(_reading(beside, shared))
        found = await comparison.find(
            connection, organization=scope.organization, since=scope.since, beside=beside
        )
        return found, lsn


@asynccontextmanager
async def _reading(connection: Connection, snapshot: str | None = None) -> AsyncIterator[None]:
    """A transaction that reads one snapshot, its own or another's."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        if snapshot is not None:
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        # Who may not see every row is refused: what is hidden would look like what is wrong.
        await connection.execute("SET LOCAL row_security = off")
        yield


async def _finish(connection: Connection, outcome: Audited) -> None:
    kinds = Counter(finding.kind for finding in outcome.findings)
    await connection.execute(
        _FINISH,
        outcome.audit,
        msgspec.json.encode(outcome.checked).decode(),
        msgspec.json.encode(kinds).decode(),
        len(outcome.explained),
        len(outcome.repaired),
        outcome.ok,
    )


async def _alert(connection: Connection, scope: AuditScope, outcome: Audited) -> None:
    """Open an alert of findings, in the place of those whose scope this run covers.

    So the run of a narrower scope never closes what a wider one has told. One of this very scope
    stays as it is: it tells since when something differs.
    """
    subject = str(scope.organization) if scope.organization else None
    kinds = Counter(finding.kind for finding in outcome.findings)
    detail = {
        "message": f"audit {outcome.audit} found {len(outcome.findings)} results that are not what "
        f"the source tables say, and repaired {len(outcome.repaired)}",
        "audit": outcome.audit,
        "findings": kinds,
        **({"subject": subject} if subject else {}),
        **({"since": scope.since} if scope.since else {}),
    }
    async with connection.transaction():
        await connection.execute(_RESOLVE, _ALERT, subject, scope.since, not outcome.ok)
        if not outcome.ok:
            told = msgspec.json.encode(detail).decode()
            await connection.execute(QUERIES["raise_alert"], _ALERT, told)
