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
    """A client that comes again where it is told to. What it hears after LIMIT_S it believes.

    That is for a busy machine: should many be told to, it is the API that is at fault.
    """

    asked = told = 0
    """How many requests of this process there were, and how many were told to come again."""

    def __init__(self, **more: Any) -> None:
        super().__init__(timeout=LIMIT_S, limits=ANEW, **more)

    def send(self, *call: Any, **more: Any) -> httpx.Response:
        until = time.monotonic() + LIMIT_S
        Patient.asked += 1
        answer = super().send(*call, **more)
        Patient.told += "retry-after" in answer.headers
        assert Patient.told <= 5 + Patient.asked / 20, "the API tells many to come again"
        while "retry-after" in answer.headers and time.monotonic() < until:
            answer.close()
            time.sleep(0.1)
            answer = super().send(*call, **more)
        return answer


class AsyncPatient(httpx.AsyncClient):
    """The same for many calls at once, of which the API may well refuse some."""

    def __init__(self, **more: Any) -> None:
        super().__init__(timeout=LIMIT_S, limits=ANEW, **more)

    async def send(self, *call: Any, **more: Any) -> httpx.Response:
        until = time.monotonic() + LIMIT_S
        answer = await super().send(*call, **more)
        while "retry-after" in answer.headers and time.monotonic() < until:
            await answer.aclose()
            await asyncio.sleep(0.1)
            answer = await super().send(*call, **more)
        return answer


def get(url: str, **more: Any) -> httpx.Response:
    return _client.get(url, **more)
