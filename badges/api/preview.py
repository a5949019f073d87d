"""/v1/criteria/preview: who would hold a badge, before anybody saves its criteria."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Final
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from badges.api import definitions
from badges.api.bodies import Sent, described, read_body
from badges.api.callers import Admin, Caller
from badges.api.criteria_schema import CriteriaDocument
from badges.api.database import acting
from badges.api.definition_body import CountsFrom
from badges.api.disconnects import while_connected
from badges.api.languages import AnswersIn
from badges.api.paging import Limit, page
from badges.api.problem import SOON, ProblemError, invalid_criteria, responses
from badges.api.queueing import queued
from badges.queries.preview import ComparedRule, Difference, WouldHold, preview
from badges.queries.verdicts import judge
from sinks.errors import Unavailable
from sinks.pool import Connection
from tables.criteria.parsing import parse_saved
from tables.languages import Language

router = APIRouter(prefix="/v1/criteria", tags=["criteria"])

_PLACE_WITHIN_S: Final = 25.0
"""How long a preview waits for those of others."""


class PreviewBody(BaseModel):
    """Criteria that may be saved, as a new definition or in place of those of one that is there."""

    model_config = ConfigDict(extra="forbid")

    criteria: CriteriaDocument
    counts_from: CountsFrom = None
    definition_id: UUID | None = None


class Preview(BaseModel):
    """Who would hold the badge now; and compared with the version that is saved, if one is named.

    `gains` are those for whom the saved criteria do not hold, `losses` those for whom they alone
    do: of a badge that is not revocable they keep it.
    """

    count: int
    items: list[WouldHold]
    next: str | None
    gains: Difference | None
    losses: Difference | None
    against_version: int | None


@router.post(
    "/preview",
    responses=responses(HTTPStatus.NOT_FOUND),
    openapi_extra=described(PreviewBody),
)
async def show(
    request: Request,
    caller: Admin,
    language: AnswersIn,
    limit: Limit = 100,
    after: UUID | None = None,
) -> Preview:
    """Say who of the active mentors would hold the badge; the lists go on behind `after`."""
    sent = read_body(await request.body(), PreviewBody, language)
    work = _preview(request, caller, language, sent, limit, after)
    return await while_connected(request, work)


async def _preview(
    request: Request,
    caller: Caller,
    language: Language,
    sent: Sent[PreviewBody],
    limit: int,
    after: UUID | None,
) -> Preview:
    seconds = request.app.state.settings.preview_seconds
    try:
        async with (
            # However many admins preview at once, half of the connections are for everybody else.
            queued(request.app.state.previews, _PLACE_WITHIN_S, _too_many()),
            acting(request, caller, statement_timeout_s=seconds) as connection,
        ):
            named = sent.body.definition_id
            saved = None if named is None else await definitions.find(connection, named)
            await _check(connection, language, sent, None if saved is None else saved["key"])
            found = await preview(
                connection,
                ComparedRule(sent.criteria, sent.body.counts_from),
                _rule(saved),
                definition_id=named,
                after=after,
                limit=limit + 1,
            )
    except Unavailable as error:
        if error.sqlstate == asyncpg.QueryCanceledError.sqlstate:
            raise _too_slow(seconds) from error
        raise
    return _answer(found, limit, None if saved is None else saved["version"])


async def _check(
    connection: Connection, language: Language, sent: Sent[PreviewBody], key: str | None
) -> None:
    """Raise ProblemError, 422, with all that is wrong with the criteria."""
    verdict = await judge(
        connection, sent.criteria, language, key=key, counts_from=sent.body.counts_from
    )
    if not verdict.valid:
        raise invalid_criteria(verdict.errors)


def _rule(saved: asyncpg.Record | None) -> ComparedRule | None:
    """What is saved, unless it is set aside."""
    if saved is None or parse_saved(saved["criteria"]) is None:
        return None
    return ComparedRule(saved["criteria"], saved["counts_from"])


def _too_slow(seconds: float) -> ProblemError:
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"This preview takes more than {seconds:g} s, which BADGES_PREVIEW_SECONDS allows: "
        "preview fewer parts at once, or try again when the database has less to do",
        headers=SOON,
    )


def _too_many() -> ProblemError:
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"Others preview too, and no place was free within {_PLACE_WITHIN_S:g} s: try again soon",
        headers=SOON,
    )


def _answer(found: Sequence[Difference], limit: int, against_version: int | None) -> Preview:
    holders, gains, losses = found
    shown = page(holders.items, limit, lambda each: each.peer_mentor_id)
    compared = against_version is not None
    return Preview(
        count=holders.count,
        items=shown.items,
        next=shown.next,
        gains=replace(gains, items=gains.items[:limit]) if compared else None,
        losses=replace(losses, items=losses.items[:limit]) if compared else None,
        against_version=against_version,
    )
