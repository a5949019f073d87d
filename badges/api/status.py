"""/v1/status: whether badges are on time, and what of the whole service a person wants to see.

It is answered within `_PATIENCE_S`, whatever does not answer: then what is known is told.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BeforeValidator
from starlette.datastructures import State

from badges.api.dead_letters import DeadLettersWaiting
from badges.api.history import History, Sample
from badges.api.languages import AnswersIn
from badges.api.networks import CoordinatorOrOpenNetwork
from badges.api.overview import Overview, Pace, Unlocks
from badges.api.shared import Shared
from badges.api.wrong_values import INSTANT
from badges.queries.overview import AwardSeconds, Definitions, LastAudit
from badges.remedies import remedy_of
from sinks.errors import StoreError
from streams.lag.stages import Lag
from tables.criteria.fields import expected
from tables.languages import Language

_PATIENCE_S: Final = 2.0

router = APIRouter(tags=["status"])

_Told = TypeVar("_Told")


@dataclass(frozen=True)
class WaitingCount:
    """How many there are that wait for somebody."""

    waiting: int


@dataclass(frozen=True)
class Alert:
    """A kind of alert that is open: since when (null where its row could not be written yet), how
    many there are, what it means and what to do, in the language asked for."""

    kind: str
    since: datetime | None
    count: int
    what: str
    todo: str
    command: str | None
    page: str


@dataclass(frozen=True)
class Status:
    """Everything the dashboard shows. What is null cannot be told now.

    `at` is when this was answered and `measured_at` when the lag was measured, by the API's clock.
    `award_seconds` are of the last 15 minutes, `history` of the last 15 at most.
    """

    at: datetime
    measured_at: datetime | None
    lag: Lag | None
    unlocks: Unlocks | None
    award_seconds: AwardSeconds | None
    events_per_minute: float | None
    history: list[Sample]
    dead_letters: WaitingCount | None
    refused_writes: WaitingCount | None
    definitions: Definitions | None
    last_audit: LastAudit | None
    alerts: list[Alert]


def _no_number(text: object) -> object:
    # Which would be taken for seconds since 1970.
    if isinstance(text, str) and "T" not in text.upper():
        raise expected(INSTANT)
    return text


@router.get("/v1/status", openapi_extra={"security": [{}]})
async def status(
    request: Request,
    language: AnswersIn,
    _: CoordinatorOrOpenNetwork,
    since: Annotated[
        AwareDatetime | None,
        BeforeValidator(_no_number),
        Query(description="Of the history, what is newer than this alone."),
    ] = None,
) -> Status:
    """Whether badges are on time, how fast they come, what waits and what is wrong."""
    history: History = request.app.state.history
    dead_letters: DeadLettersWaiting = request.app.state.dead_letters
    overview, pace = await _asked(request.app.state)
    unlocks, award_seconds = pace or (None, None)
    measured_at, lag = history.newest or (None, None)
    return Status(
        at=datetime.now(UTC),
        measured_at=measured_at,
        lag=lag,
        unlocks=unlocks,
        award_seconds=award_seconds,
        events_per_minute=history.records_per_minute(),
        history=history.since(since),
        dead_letters=WaitingCount(dead_letters.waiting)
        if dead_letters.waiting is not None
        else None,
        refused_writes=WaitingCount(overview.refused_writes) if overview else None,
        definitions=overview.definitions if overview else None,
        last_audit=overview.last_audit if overview else None,
        alerts=list(_alerts(lag, overview, language)),
    )


async def _asked(
    state: State,
) -> tuple[Overview | None, Pace | None]:
    """Let the history measure, and what Postgres tells meanwhile. Raises what measuring does.

    Whoever waits too long leaves; what is being asked goes on.
    """
    measuring = asyncio.create_task(state.history.measure())
    counting = asyncio.create_task(_known(state.overview))
    timing = asyncio.create_task(_known(state.pace))
    tasks = (measuring, counting, timing)
    await asyncio.wait(tasks, timeout=_PATIENCE_S)
    if measuring.done():
        measuring.result()
    overview = counting.result() if counting.done() else None
    pace = timing.result() if timing.done() else None
    for each in tasks:
        each.cancel()
    return overview, pace


async def _known(shared: Shared[_Told]) -> _Told | None:
    try:
        return await shared.now()
    except StoreError:
        return None


def _alerts(lag: Lag | None, overview: Overview | None, language: Language) -> Iterator[Alert]:
    """The kinds that the measurement knows, and those that Postgres has, each once."""
    rows = {each.kind: each for each in (overview.alerts if overview else ())}
    for kind in dict.fromkeys([*(lag.alerts if lag else ()), *rows]):
        remedy = remedy_of(kind)
        row = rows.get(kind)
        yield Alert(
            kind=kind,
            since=row.since if row else (lag.alerts_since.get(kind) if lag else None),
            count=row.count if row else 1,
            what=remedy.what(language),
            todo=remedy.todo(language),
            command=remedy.command,
            page=remedy.page,
        )
