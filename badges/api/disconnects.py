"""Work that ends when the client has gone: nobody waits for its outcome."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

_Outcome = TypeVar("_Outcome")


async def while_connected(request: Request, work: Coroutine[Any, Any, _Outcome]) -> _Outcome:
    """Do the work, and cancel it as soon as the client has gone; the body must have been read.

    Raises ClientDisconnect then.
    """
    working = asyncio.create_task(work)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, gone):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
