"""GET /v1/unlocks: what happens to awards, as server-sent events, each exactly once.

A client that comes again with the id of the last event that it was sent goes on behind that: it
reads what it has missed by itself, under its own claims, and then joins the feed of the process.
"""

import asyncio
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
from starlette.types import Receive, Scope, Send

from badges.api.callers import AnyCaller, Caller
from badges.api.database import acting
from badges.api.follower import Follower
from badges.api.metrics import UNLOCKS_SENT
from badges.api.problem import SOON, ProblemError, responses
from badges.api.unlock_feed import UnlockFeed
from badges.api.unlock_pages import MOST, UnlockPage, page_of
from sinks.errors import Refused, StoreError

router = APIRouter(tags=["unlocks"])

_RETRY_MS: Final = 2_000
"""After so long clients are to come again."""
_JOIN_WITHIN_S: Final = 10.0
_READ_WITHIN_S: Final = 15.0
_NO_CURSOR: Final = "22023"
"""The SQLSTATE by which badges_private.read_unlock_cursor refuses one."""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    # A proxy would gather events until its buffer is full.
    "X-Accel-Buffering": "no",
}

_READ: Final = "SELECT next, finished, unlocks FROM badges_private.unlocks($1, $2, $3, false)"

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
    """Sends what is made for one client, and ends that at once when the client goes."""

    media_type = "text/event-stream"

    def __init__(self, stream: "_Stream") -> None:
        self._stream = stream
        super().__init__(stream.frames(), headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self.body_iterator):  # type: ignore[type-var]
                await super().__call__(scope, receive, send)
        finally:
            self._stream.leave()


_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    **responses(HTTPStatus.BAD_REQUEST),
    200: {
        "description": "Events, as long as the token is valid: `id` is opaque, `event` the kind, "
        "`data` as in the schema. Events without data and comments say that the feed is alive.",
        "content": {"text/event-stream": {"schema": UnlockData.model_json_schema()}},
    },
}


@router.get("/v1/unlocks", status_code=200, response_class=_UnlockStream, responses=_ANSWERS)
async def unlocks(
    request: Request,
    caller: AnyCaller,
    last_event_id: Annotated[
        str | None, Header(description="the id of the last event received; without it, from now on")
    ] = None,
) -> StreamingResponse:
    """What happens to the organization's awards, or to a mentor's own, each event exactly once."""
    _check_room(request, caller)
    stream = _Stream(request, caller)
    await stream.begin(last_event_id)
    return _UnlockStream(stream)


def _check_room(request: Request, caller: Caller) -> None:
    """Refuse a client too many: of all, or of one organization, which may take half of them."""
    state = request.app.state
    most: int = state.settings.unlock_streams
    if state.stopping.is_set() or state.unlocks.streams >= most:
        whose = "As many clients"
    elif state.unlocks.streams_of(str(caller.organization_id)) >= (most + 1) // 2:
        whose = "As many clients of your organization"
    else:
        return
    raise ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"{whose} follow the unlocks as this process allows: try again soon",
        headers=SOON,
    )


class _Stream:
    """What one client is sent: first what it has missed, then what comes."""

    def __init__(self, request: Request, caller: Caller) -> None:
        self._request = request
        self._caller = caller
        self._feed: UnlockFeed = request.app.state.unlocks
        self._heartbeat: float = request.app.state.settings.unlock_heartbeat
        self._ends_at = time.monotonic() + caller.expires_at - time.time()
        self._follower = Follower(
            str(caller.organization_id), str(caller.mentor_id) if caller.role == "mentor" else None
        )
        self._upto = ""
        self._missed: UnlockPage

    async def begin(self, cursor: str | None) -> None:
        """Join the feed, and read the first page of what was missed behind the cursor.

        Raises ProblemError: 400 when that is none, 503 while very much is being told. Until it is
        awaited for the first time nobody else begins, so no room that was found is taken twice.
        """
        self._feed.enter(self._follower)
        try:
            async with asyncio.timeout(_JOIN_WITHIN_S):
                self._upto = await self._feed.join(self._follower)
            if cursor:
                self._missed = await self._read(cursor)
            else:
                self._missed = UnlockPage([], self._upto, is_last=True)
        except TimeoutError:
            self.leave()
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Very many unlocks are being told, now or once more: try again soon",
                headers=SOON,
            ) from None
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Hear no more."""
        self._feed.leave(self._follower)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Everything that the client is sent until it goes, or its token ends, or the process."""
        yield format_sse_event(comment="welcome", retry=_RETRY_MS)
        try:
            while self._goes_on:
                UNLOCKS_SENT.inc(len(self._missed.unlocks))
                yield _together(self._missed)
                if self._missed.is_last:
                    break
                self._missed = await self._read(self._missed.next)
        except (StoreError, TimeoutError) as error:
            # The client comes again, and goes on behind what it has got.
            log.warning("a client of the unlock feed has to come again", error=repr(error))
            return
        while self._goes_on:
            frames = await self._follower.take(min(self._heartbeat, self._left))
            if not frames and self._goes_on:
                # Nothing is awaited here: the client has all that lies before the cursor.
                frames = format_sse_event(comment="nothing new", id=self._feed.cursor)
            if frames:
                yield frames

    @property
    def _goes_on(self) -> bool:
        return not self._follower.has_ended and self._left > 0

    @property
    def _left(self) -> float:
        """Seconds for which the token is still valid."""
        return self._ends_at - time.monotonic()

    async def _read(self, cursor: str) -> UnlockPage:
        """A page of what lies between the cursor and what the feed of the process will tell.

        Raises TimeoutError while too many others read what they have missed.
        """
        try:
            async with (
                self._feed.place_to_catch_up(),
                acting(
                    self._request, self._caller, statement_timeout_s=_READ_WITHIN_S
                ) as connection,
            ):
                row = await connection.fetchrow(_READ, cursor, self._upto, MOST)
        except Refused as error:
            if error.sqlstate != _NO_CURSOR:
                raise
            raise ProblemError(
                HTTPStatus.BAD_REQUEST,
                "Last-Event-ID is no id that this feed has given: connect without it, "
                "and the feed begins now",
            ) from None
        assert row is not None
        return page_of(row)


def _together(page: UnlockPage) -> bytes:
    """Its events; without any, an event without data, which says where the client is now."""
    if not page.unlocks:
        return format_sse_event(id=page.next)
    return b"".join(unlock.frame for unlock in page.unlocks)
