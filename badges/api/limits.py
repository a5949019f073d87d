"""How large a body may be, looked at before anything of it is read."""

from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from badges.api.problem import problem

MAX_BODY: Final = 1024 * 1024
"""Bytes: the longest criteria document with every character escaped."""


class DeclaredLength:
    """Refuses a body that says itself that it is too large; one that does not is counted later."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _declared(scope) > MAX_BODY:
            await problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {MAX_BODY:,} bytes"
            )(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _declared(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length[:20]) if length.isascii() and length.isdigit() else 0
