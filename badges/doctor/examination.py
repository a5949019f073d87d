"""Asking all checks in their order, each within its limit; what is away is said once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain
from typing import Literal, TypeAlias

import asyncpg
import httpx
from aiokafka.errors import KafkaError
from msgspec import Struct

from badges.doctor.deployment import Deployment
from badges.doctor.lines import Area, CheckResult, Line, failed
from schema.database import first_line
from sinks.errors import StoreError
from sinks.failures import UNREACHED
from streams.errors import CannotTell, ConnectAway, ConnectRefused, Failure

Server: TypeAlias = Literal["postgres", "kafka", "connect"]
"""Whom a check asks; the check of that name says whether it answers."""

UNANSWERED = (
    *UNREACHED,
    httpx.HTTPError,
    KafkaError,
    StoreError,
    CannotTell,
    ConnectAway,
    ConnectRefused,
    Failure,
    asyncpg.PostgresError,
)


class Check(Struct, frozen=True):
    """One question. `ask` gives what it found, nothing where the question does not arise.

    It is not asked where one of `needs` is away, or a check of `after` was not ok: it would say the
    same in other words. It may take `patience` times the usual limit. `silent` is what to do where
    it gets no answer.
    """

    id: str
    area: Area
    ask: Callable[[Deployment], Awaitable[Sequence[CheckResult]]]
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
    round_ = _Round(deployment, servers)
    await round_.begin()
    for check in checks:
        await round_.ask(check)
    return Examination(round_.lines, round_.unasked)


class _Round:
    """What was found so far, and what need not be asked because of it."""

    def __init__(self, deployment: Deployment, servers: Mapping[Server, Check]) -> None:
        self._deployment = deployment
        self._servers = servers
        self._away: set[str] = set()
        self._troubled: set[str] = set()
        """The checks that were not ok, or not asked."""
        self.lines: list[Line] = []
        self.unasked: dict[str, str] = {}

    async def begin(self) -> None:
        """Ask the servers."""
        asked = (_ask(check, self._deployment) for check in self._servers.values())
        for found in await asyncio.gather(*asked):
            self._note(found)
            self._away |= {line.id for line in found if line.failed}

    async def ask(self, check: Check) -> None:
        """Ask one check, unless another has said already why it cannot be well."""
        obstacle = self._obstacle(check)
        found: Sequence[Line] = ()
        if obstacle is None:
            try:
                found = await _answered(check, self._deployment)
            except UNANSWERED as error:
                await self._look_again(check.needs)
                obstacle = self._obstacle(check)
                reason = _reason(check, self._deployment, error)
                untold = failed(check.id, "this cannot be told", check.silent, words=reason)
                found = () if obstacle else [Line(check.id, check.area, untold)]
        if obstacle:
            self.unasked[check.id] = obstacle
            # Whoever waits for this one waits as well.
            self._troubled.add(check.id)
        self._note(found)

    def _obstacle(self, check: Check) -> str | None:
        away = (each for each in check.needs if each in self._away)
        troubled = (each for each in check.after if each in self._troubled)
        return next(chain(away, troubled), None)

    async def _look_again(self, servers: Sequence[Server]) -> None:
        """Note which of them have gone away since they were asked."""
        for name in servers:
            found = await _ask(self._servers[name], self._deployment)
            if any(line.failed for line in found):
                self.lines = [line for line in self.lines if line.id != name]
                self._away.add(name)
                self._note(found)

    def _note(self, found: Sequence[Line]) -> None:
        self.lines += found
        self._troubled |= {line.id for line in found if line.result.status != "ok"}


async def _ask(server: Check, deployment: Deployment) -> list[Line]:
    try:
        return await _answered(server, deployment)
    except UNANSWERED as error:
        reason = _reason(server, deployment, error)
        away = failed(server.area, f"{server.area} does not answer", server.silent, words=reason)
        return [Line(server.id, server.area, away)]


async def _answered(check: Check, deployment: Deployment) -> list[Line]:
    async with asyncio.timeout(deployment.limit_s * check.patience):
        return [Line(check.id, check.area, result) for result in await check.ask(deployment)]


def _reason(check: Check, deployment: Deployment, error: BaseException) -> str:
    limit = deployment.limit_s * check.patience
    late = isinstance(error, TimeoutError) and not str(error)
    return f"no answer within {limit:g} s" if late else first_line(error)
