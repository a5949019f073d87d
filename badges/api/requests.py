"""Requests from their first byte to their last: a line of the log and a metric for each."""

import time
from http import HTTPMethod, HTTPStatus
from typing import Final
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from badges.api.metrics import REQUEST_SECONDS
from badges.api.problem import problem

REQUEST_ID: Final = "X-Request-Id"

_GONE: Final = 499
"""The status, in the log alone, of an answer that nobody waited for."""
_METHODS: Final = frozenset(HTTPMethod)
_NO_ROUTE: Final = "none"

log = structlog.get_logger(__name__)


class Recorded:
    """Writes down each request: by its route and organization, for paths and names are personal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), _GONE
        request_id = uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                name = REQUEST_ID.lower().encode()
                message["headers"] = [*message["headers"], (name, request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, sending)
            finally:
                _record(scope, status, time.perf_counter() - begun)


def _record(scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = getattr(scope.get("route"), "path", None) or _NO_ROUTE
    REQUEST_SECONDS.labels(method, route, status).observe(seconds)
    log.info(
        "request",
        method=method,
        route=route,
        status=status,
        duration_ms=round(1000 * seconds, 1),
        organization=scope["state"].get("organization"),
    )


class Guarded:
    """Answers what nobody has foreseen: the log has the trace, and the answer its id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            return
        except Exception:
            if scope["type"] != "http":
                raise
            log.exception("a request ended in an error that nobody has foreseen")
            if not started:
                await _unforeseen(scope["state"]["request_id"])(scope, receive, send)


def _unforeseen(request_id: str) -> ASGIApp:
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"This is a fault of the API, not yours: its log says more under {request_id}",
        request_id=request_id,
    )
