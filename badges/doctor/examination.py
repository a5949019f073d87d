"""Asking all checks in their order, each within its limit; what is away is said once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import asyncpg
from aiokafka.errors import KafkaError
from msgspec import Struct

from badges.doctor.deployment import Deployment
from badges.doctor.lines import Area, Finding, Line, failed
from schema.database import first_line
from sinks.errors import StoreError
from streams.errors import CannotTell, ConnectAway, ConnectRefused, Problem

Server: TypeAlias = Literal["postgres", "kafka", "connect"]
"""Whom a check asks; the check of that name says whether it answers."""

UNANSWERED = (
    OSError,  # a TimeoutError is one
    KafkaError,
    StoreError,
    CannotTell,
    ConnectAway,
    ConnectRefused,
    Problem,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class Check(Struct, frozen=True):
    """One question. `ask` gives what it found, nothing where the question does not arise.

    It is not asked where one of `needs` is away, or a check of `after` was not ok: it would say the
    same in other words. It may take `patience` times the usual limit. `silent` is what to do where
    it gets no answer.
    """

    id: str
    area: Area
    ask: Callable[[Deployment], Awaitable[Sequence[Finding]]]
    needs: tuple[Server, ...] = ()
    after: tuple[str, ...] = ()
    patience: int = 1
    silent: str = "badges doctor --timeout 30"


class Examination(Struct, frozen=True):
    """All lines, and the checks that were not asked, each with what they wait for."""

    lines: Sequence[Line]
    unasked: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether nothing failed; a warning is no failure."""
        return not any(line.failed for line in self.lines)


async def examine(
    deployment: Deployment, servers: Mapping[Server, Check], checks: Sequence[Check]
) -> Examination:
    """Ask whether the servers answer, all at once, then the checks one after another."""
    reached = await asyncio.gather(*(_ask(check, deployment) for check in servers.values()))
    lines = [line for found in reached for line in found]
    away = {line.id for line in lines if line.failed}
    troubled = {line.id for line in lines if line.finding.status != "ok"}
    unasked: dict[str, str] = {}
    for check in checks:
        behind = [each for each in check.needs if each in away]
        waits_for = next(iter([*behind, *(each for each in check.after if each in troubled)]), "")
        if waits_for:
            unasked[check.id] = waits_for
            # Whoever waits for this one waits as well.
            troubled.add(check.id)
            continue
        try:
            found = await _answered(check, deployment)
        except UNANSWERED as error:
            again = [each for name in check.needs for each in await _ask(servers[name], deployment)]
            gone = [line for line in again if line.failed]
            lines = [line for line in lines if line.id not in {each.id for each in gone}] + gone
            away |= {line.id for line in gone}
            found = [] if gone else [_unanswered(check, deployment, error)]
            if gone:
                unasked[check.id] = gone[0].id
                troubled.add(check.id)
        lines += found
        troubled |= {line.id for line in found if line.finding.status != "ok"}
    return Examination(lines, unasked)


async def _ask(check: Check, deployment: Deployment) -> list[Line]:
    try:
        return await _answered(check, deployment)
    except UNANSWERED as error:
        return [_unanswered(check, deployment, error)]


async def _answered(check: Check, deployment: Deployment) -> list[Line]:
    async with asyncio.timeout(deployment.limit_s * check.patience):
        return [Line(check.id, check.area, finding) for finding in await check.ask(deployment)]


def _unanswered(check: Check, deployment: Deployment, error: BaseException) -> Line:
    limit = deployment.limit_s * check.patience
    late = isinstance(error, TimeoutError) and not str(error)
    reason = f"no answer within {limit:g} s" if late else first_line(error)
    away = not check.needs
    message = f"{check.area} does not answer" if away else "this cannot be told"
    subject = check.area if away else check.id
    return Line(check.id, check.area, failed(subject, message, check.silent, words=reason))
