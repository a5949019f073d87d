"""Requests with a test's patience, however busy the machine is."""

import asyncio
import time
from typing import Any

import httpx

from tests.stack import LIMIT_S

ANEW = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request: one that rests may be closed by the server as it is used again."""

# One for all, for to read whom to trust takes longer than most answers; servers come and go.
_client = httpx.Client(timeout=LIMIT_S, limits=ANEW)


class Patient(httpx.Client):
    """A client that comes again where it is told to. What it hears after LIMIT_S it believes."""

    def request(self, *call: Any, **more: Any) -> httpx.Response:
        until = time.monotonic() + LIMIT_S
        while True:
            answer = super().request(*call, **more)
            if "retry-after" not in answer.headers or time.monotonic() > until:
                return answer
            time.sleep(0.1)


class AsyncPatient(httpx.AsyncClient):
    """The same, for many calls at once."""

    async def request(self, *call: Any, **more: Any) -> httpx.Response:
        until = time.monotonic() + LIMIT_S
        while True:
            answer = await super().request(*call, **more)
            if "retry-after" not in answer.headers or time.monotonic() > until:
                return answer
            await asyncio.sleep(0.1)


def get(url: str, **more: Any) -> httpx.Response:
    return _client.get(url, **more)
