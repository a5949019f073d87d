"""How large a body may be: looked at before it is read, and counted while it is."""

import asyncio
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from badges.api.problem import problem

_MAX_BODY: Final = 1024 * 1024
"""Bytes: the longest criteria document with every character escaped."""
TOO_LARGE: Final = f"A body has at most {_MAX_BODY:,} bytes"

_MOST_DISCARDED: Final = 16 * _MAX_BODY
_DISCARD_S: Final = 5.0
"""So much of a body that is too large is thrown away first, for who is still sending reads no
answer, and who is cut off gets none."""


class BoundedBody:
    """Refuses a body that says that it is too large, and one that turns out to be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared(scope) > _MAX_BODY:
            await _discard(receive)
            refusal = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
            await refusal(scope, receive, send)
            return
        read = 0

        async def counting() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > _MAX_BODY:
                if message.get("more_body"):
                    await _discard(receive)
                # Of the kind that FastAPI lets through where it reads a body.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self._app(scope, counting, send)


def _declared(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length[:20]) if length.isascii() and length.isdigit() else 0


async def _discard(receive: Receive) -> None:
    read, more = 0, True
    try:
        async with asyncio.timeout(_DISCARD_S):
            while more and read < _MOST_DISCARDED:
                message = await receive()
                read += len(message.get("body", b""))
                more = message.get("more_body", False)
    except TimeoutError:
        return
