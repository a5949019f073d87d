"""/v1/vocabulary: the names that an organization has seen, for whoever writes criteria."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from badges.api.callers import Coordinator
from badges.api.database import acting
from badges.queries.vocabulary import seen_names
from tables.criteria.fields import NameKind

router = APIRouter(prefix="/v1/vocabulary", tags=["criteria"])


class SeenNames(BaseModel):
    """Names in alphabetical order, a thousand of a kind at most."""

    names: dict[NameKind, list[str]] = Field(
        description="by the kind that `x-names-of` says in the schema of criteria"
    )


@router.get("")
async def read_names(request: Request, caller: Coordinator) -> SeenNames:
    """The activity types and courses that there are rows of, and the keys of badges."""
    async with acting(request, caller) as connection:
        return SeenNames(names=await seen_names(connection))
