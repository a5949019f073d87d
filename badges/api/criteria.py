"""/v1/criteria/validate: what is wrong with criteria, or what they ask for."""

from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel

from badges.api.callers import AnyCaller
from badges.api.criteria_schema import REFERENCE
from badges.api.database import acting
from badges.api.languages import AnswersIn
from badges.api.problem import Violation
from badges.queries.verdicts import judge_alone, judge_further

router = APIRouter(prefix="/v1/criteria", tags=["criteria"])

_STATEMENT_TIMEOUT_S: Final = 5.0


class CriteriaVerdict(BaseModel):
    """All that is wrong with a criteria document; or what it asks for, in a sentence."""

    valid: bool
    errors: list[Violation]
    warnings: list[str]
    summary: str | None


@router.post(
    "/validate",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": REFERENCE}}}
    },
)
async def validate(request: Request, caller: AnyCaller, language: AnswersIn) -> CriteriaVerdict:
    """Judge the criteria that are the body, as one may save them in the caller's organization."""
    # As it was sent: a parser that is kinder than ours would hide doubled keys, NaN and the like.
    text = await request.body()
    verdict = judge_alone(text, language)
    if verdict.asks_organization:
        async with acting(request, caller, statement_timeout_s=_STATEMENT_TIMEOUT_S) as connection:
            verdict = await judge_further(connection, verdict, language)
    return CriteriaVerdict(**verdict.answer())
