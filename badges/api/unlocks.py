"""GET /v1/unlocks: what happens to awards, as server-sent events, each exactly once.

A client that comes again with the id of the last event that it was sent goes on behind that: it
reads what it has missed by itself, under its own claims, and then joins the feed of the process.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel
from starlette.types import Send

from badges.api.callers import AnyCaller, Caller
from badges.api.database import acting
from badges.api.feed_metrics import SENT
from badges.api.follower import Follower
from badges.api.problem import ProblemError
from badges.api.unlock_feed import PAGE, Page, UnlockFeed, page_of
from sinks.errors import Refused, StoreError

router = APIRouter(tags=["unlocks"])

_RETRY_MS: Final = 2_000
"""After so long clients are to come again."""
_READ_WITHIN_S: Final = 15.0
_NO_CURSOR: Final = "22023"
"""The SQLSTATE by which badges_private.read_unlock_cursor refuses one."""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    # A proxy would gather events until its buffer is full.
    "X-Accel-Buffering": "no",
}

_BEGIN: Final = """
    SELECT CASE WHEN $1::text IS NULL
        THEN (SELECT next FROM badges_private.unlocks(NULL, NULL, 1))
        ELSE (SELECT $1 FROM badges_private.read_unlock_cursor($1)) END
"""
_READ: Final = "SELECT next, finished, unlocks FROM badges_private.unlocks($1, $2, $3)"

log = structlog.get_logger(__name__)


class UnlockData(BaseModel):
    """The data of an event. Names are those of now; null where the badge is gone."""

    id: int
    kind: Literal["granted", "promoted", "revoked", "restored"]
    peer_mentor_id: UUID
    badge_definition_id: UUID
    key: str | None
    name: str | None
    tier: str | None
    earned_on: date | None
    at: datetime
    source: Literal["stream", "replay", "admin"]


class _UnlockStream(StreamingResponse):
    """Ends what feeds it at once when the client goes."""

    media_type = "text/event-stream"

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self.body_iterator):  # type: ignore[type-var]
            await super().stream_response(send)


_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events, as long as the token is valid: `id` is opaque, `event` the kind, "
        "`data` as in the schema. Events without data and comments say that the feed is alive.",
        "content": {"text/event-stream": {"schema": UnlockData.model_json_schema()}},
    }
}


@router.get("/v1/unlocks", response_class=_UnlockStream, responses=_ANSWERS)
async def unlocks(
    request: Request,
    caller: AnyCaller,
    last_event_id: Annotated[
        str | None, Header(description="the id of the last event received; without it, from now on")
    ] = None,
) -> StreamingResponse:
    """What happens to the organization's awards, or to a mentor's own, each event exactly once."""
    feed: UnlockFeed = request.app.state.unlocks
    if feed.is_closed or feed.streams >= request.app.state.settings.unlock_streams:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "As many clients follow the unlocks as this process allows: try again soon",
            headers={"Retry-After": "5"},
        )
    try:
        async with acting(request, caller, statement_timeout_s=_READ_WITHIN_S) as connection:
            cursor: str = await connection.fetchval(_BEGIN, last_event_id or None)
    except Refused as error:
        if error.sqlstate != _NO_CURSOR:
            raise
        raise ProblemError(
            HTTPStatus.BAD_REQUEST,
            "Last-Event-ID is no id that this feed has given: connect without it, "
            "and the feed begins now",
        ) from None
    return _UnlockStream(_Stream(request, caller, feed).frames(cursor), headers=_HEADERS)


class _Stream:
    """What one client is sent."""

    def __init__(self, request: Request, caller: Caller, feed: UnlockFeed) -> None:
        self._request = request
        self._caller = caller
        self._feed = feed
        self._ends_at = time.monotonic() + caller.expires_at - time.time()
        self._heartbeat: float = request.app.state.settings.unlock_heartbeat
        self._follower = Follower(
            str(caller.organization_id), caller.sub.lower() if caller.role == "mentor" else None
        )

    @property
    def _goes_on(self) -> bool:
        return not self._follower.has_ended and self._left > 0

    @property
    def _left(self) -> float:
        """Seconds for which the token is still valid."""
        return self._ends_at - time.monotonic()

    async def frames(self, cursor: str) -> AsyncGenerator[bytes, None]:
        """Everything behind the cursor: first what was missed, then what comes."""
        # From here on the client has a place in the feed, whatever comes.
        yield format_sse_event(id=cursor, retry=_RETRY_MS)
        try:
            with self._feed.counted():
                upto = await self._feed.join(self._follower)
                async with aclosing(self._missed(cursor, upto)) as missed:
                    async for frames in missed:
                        yield frames
                while self._goes_on:
                    frames = await self._follower.take(min(self._heartbeat, self._left))
                    if not frames and self._goes_on:
                        # Nothing is awaited here: the client has all that lies before the cursor.
                        frames = format_sse_event(comment="nothing new", id=self._feed.cursor)
                    if frames:
                        yield frames
        except StoreError as error:
            # The client comes again, from the last cursor that it has got.
            log.warning("a client of the unlock feed has to come again", error=str(error))
        finally:
            self._feed.leave(self._follower)

    async def _missed(self, cursor: str, upto: str) -> AsyncGenerator[bytes, None]:
        """What lies between the two cursors, a page at a time, as fast as the client reads."""
        is_last = cursor == upto
        while self._goes_on and not is_last:
            page = await self._page(cursor, upto)
            if page.unlocks:
                SENT.inc(len(page.unlocks))
                yield b"".join(unlock.frame for unlock in page.unlocks)
            else:
                yield format_sse_event(id=page.next)
            cursor, is_last = page.next, page.is_last

    async def _page(self, cursor: str, upto: str) -> Page:
        async with (
            self._feed.catching_up,
            acting(self._request, self._caller, statement_timeout_s=_READ_WITHIN_S) as connection,
        ):
            row = await connection.fetchrow(_READ, cursor, upto, PAGE)
        assert row is not None
        return page_of(row)
