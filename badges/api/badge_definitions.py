"""/v1/badge-definitions: an admin writes an organization's badges, a coordinator reads them."""

import hashlib
from http import HTTPStatus
from typing import Annotated, Final, Literal
from uuid import UUID, uuid4

from asyncpg import Record
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AfterValidator

from badges.api import definitions, saving
from badges.api.bodies import described
from badges.api.callers import Admin, Coordinator
from badges.api.conditions import IF_MATCH, IF_NONE_MATCH, check, etag_of, knows
from badges.api.database import acting
from badges.api.definition_body import DefinitionBody, Status
from badges.api.definitions import BadgeDefinition
from badges.api.languages import AnswersIn
from badges.api.paging import Limit, Page, page
from badges.api.problem import ProblemError, responses
from badges.api.verbatim import answer
from badges.api.writing import writing
from badges.queries.definition_lock import lock_definitions
from badges.queries.verdicts import Verdict, judge, judge_alone
from sinks.pool import Connection
from tables.criteria.fields import expected
from tables.criteria.union import TYPES
from tables.languages import Language, Text

router = APIRouter(prefix="/v1/badge-definitions", tags=["badge definitions"])

_BODY: Final = described(DefinitionBody)

_FIRST_REQUEST: Final = "SELECT * FROM badges_private.first_request($1, $2, $3)"


_TYPES: Final = Text("one of the types {types}", "en av typene {types}").filled(
    types=", ".join(TYPES)
)


def _known_type(name: str) -> str:
    if name not in TYPES:
        raise expected(_TYPES)
    return name


@router.get("", response_model=Page[BadgeDefinition])
async def list_all(
    request: Request,
    caller: Coordinator,
    language: AnswersIn,
    status: Status | None = None,
    criteria_type: Annotated[
        Annotated[str, AfterValidator(_known_type)] | None,
        Query(alias="type", description=f"a type of criteria: {', '.join(TYPES)}"),
    ] = None,
    include: Annotated[
        Literal["holders"] | None, Query(description="holders: how many hold each badge")
    ] = None,
    limit: Limit = 100,
    after: UUID | None = None,
) -> Response:
    """The definitions that apply to the organization, global ones included, by id."""
    async with acting(request, caller) as connection:
        rows = await definitions.find_all(
            connection, status=status, kind=criteria_type, after=after, limit=limit + 1
        )
        holders = None if include is None else await definitions.holders_of(connection, rows)
    found = [
        definitions.told(
            row,
            judge_alone(row["criteria"], language),
            language,
            None if holders is None else holders.get(row["id"], 0),
        )
        for row in rows
    ]
    return answer(page(found, limit, lambda each: each.id))


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=BadgeDefinition,
    responses={HTTPStatus.OK: {"model": BadgeDefinition, "description": "it was made before"}},
    openapi_extra=_BODY,
)
async def create(
    request: Request,
    caller: Admin,
    language: AnswersIn,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> Response:
    """Save a new definition of the organization; the same request again makes no other one."""
    body = await request.body()
    definition_id = uuid4()
    async with acting(request, caller) as connection, writing(connection):
        await lock_definitions(connection, caller.organization_id)
        if idempotency_key is not None:
            made = await _made_before(connection, idempotency_key, body, definition_id)
            if made != definition_id:
                return await _answer(connection, made, language)
        new, verdict = await saving.judged(connection, body, language)
        row = await saving.insert(connection, definition_id, new)
        return _told(row, verdict, language, HTTPStatus.CREATED)


@router.get(
    "/{definition_id}",
    response_model=BadgeDefinition,
    responses={
        HTTPStatus.NOT_MODIFIED: {"description": "the client has this version"},
        **responses(HTTPStatus.BAD_REQUEST),
    },
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
async def get(
    request: Request, caller: Coordinator, language: AnswersIn, definition_id: UUID
) -> Response:
    """One definition; 304 where If-None-Match names the version that it is in."""
    async with acting(request, caller) as connection:
        row = await definitions.find(connection, definition_id)
        if knows(request, etag_of(row["version"])):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=_headers(row))
        return await _judged(connection, row, language)


@router.put(
    "/{definition_id}",
    response_model=BadgeDefinition,
    responses=responses(HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED),
    openapi_extra={"parameters": [IF_MATCH | {"required": True}], **_BODY},
)
async def replace(
    request: Request, caller: Admin, language: AnswersIn, definition_id: UUID
) -> Response:
    """Save a definition in place of the version that If-Match names."""
    body = await request.body()
    async with acting(request, caller) as connection, writing(connection):
        old = await saving.hold(connection, definition_id)
        check(request, old["version"], needed=True)
        new, verdict = await saving.judged(connection, body, language)
        row = await saving.update(connection, old, new)
        return _told(row, verdict, language)


@router.delete(
    "/{definition_id}",
    response_model=BadgeDefinition,
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.PRECONDITION_FAILED),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def retire(
    request: Request, caller: Admin, language: AnswersIn, definition_id: UUID
) -> Response:
    """Retire a definition: who holds the badge keeps it, and nobody else is given it."""
    async with acting(request, caller) as connection, writing(connection):
        old = await saving.hold(connection, definition_id)
        check(request, old["version"], needed=False)
        await saving.retire(connection, definition_id)
        return await _answer(connection, definition_id, language)


async def _made_before(connection: Connection, key: str, body: bytes, definition_id: UUID) -> UUID:
    """The definition that this request made before, or else the one that it is to make.

    Raises ProblemError, 422, where the key was another request's.
    """
    row = await connection.fetchrow(
        _FIRST_REQUEST, key, hashlib.sha256(body).digest(), definition_id
    )
    if row is None:
        return definition_id
    if not row["same"]:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "This Idempotency-Key was sent with another body: choose a new one",
        )
    made: UUID = row["badge_definition_id"]
    return made


async def _answer(connection: Connection, definition_id: UUID, language: Language) -> Response:
    row = await definitions.find(connection, definition_id)
    return await _judged(connection, row, language)


async def _judged(connection: Connection, row: Record, language: Language) -> Response:
    """What is saved, judged as if it were to be saved now."""
    verdict = await judge(
        connection,
        row["criteria"],
        language,
        key=row["key"],
        counts_from=row["counts_from"],
    )
    return _told(row, verdict, language)


def _told(
    row: Record, verdict: Verdict, language: Language, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    headers = _headers(row)
    if status == HTTPStatus.CREATED:
        headers["Location"] = f"{router.prefix}/{row['id']}"
    return answer(definitions.told(row, verdict, language), status, headers)


def _headers(row: Record) -> dict[str, str]:
    return {"ETag": etag_of(row["version"]), "Vary": "Accept-Language"}
