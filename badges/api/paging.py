"""Lists, a page at a time."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Final, Generic, TypeAlias, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

_Item = TypeVar("_Item")

Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000, description="the most items of a page")]

AS_OF: Final = "the commit time up to which the stream has decided; null while nobody knows"


class Page(BaseModel, Generic[_Item]):
    """Some items of a list, and what `after` has to be for those that follow them."""

    items: list[_Item]
    next: str | None


class DecidedPage(Page[_Item], Generic[_Item]):
    """A page of what the stream decides."""

    as_of: datetime | None = Field(description=AS_OF)


def page(found: Sequence[_Item], limit: int, after: Callable[[_Item], object]) -> Page[_Item]:
    """The first `limit` of what was found, one more having been asked for.

    `after` says of an item where to go on behind it.
    """
    behind = str(after(found[limit - 1])) if len(found) > limit else None
    return Page(items=list(found[:limit]), next=behind)
