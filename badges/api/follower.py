"""One client of the unlock feed: whose events it may see, and what waits to be sent to it."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from badges.api.metrics import UNLOCK_STREAMS_DROPPED

_MOST_WAITING: Final = 5_000
"""Events that may wait for one client. The bytes are shared, so many slow clients take little."""


class Follower:
    """What the feed hands to one client, in order; a slow one is dropped, and has to come again.

    A mentor follows their own events, everybody else those of the organization.
    """

    def __init__(self, organization_id: str, peer_mentor_id: str | None) -> None:
        self.organization_id = organization_id
        self.peer_mentor_id = peer_mentor_id
        self.has_ended = False
        """Nothing more will be handed to it."""
        self._waiting: deque[bytes] = deque()
        self._events = 0
        self._changed = asyncio.Event()

    @property
    def is_behind(self) -> bool:
        """Whether it would soon be dropped."""
        return self._events > _MOST_WAITING // 2

    def offer(self, frames: bytes, events: int) -> None:
        """Let so many events wait to be sent; where they are too many, drop the client."""
        if self._events + events > _MOST_WAITING:
            UNLOCK_STREAMS_DROPPED.inc()
            self.end()
            return
        self._waiting.append(frames)
        self._events += events
        self._changed.set()

    def end(self) -> None:
        """Forget what waits, and let the stream come to its end."""
        self.has_ended = True
        self._waiting.clear()
        self._events = 0
        self._changed.set()

    async def take(self, within: float) -> bytes:
        """Return what waits, as soon as something does; nothing after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._changed.wait()
        self._changed.clear()
        frames = b"".join(self._waiting)
        self._waiting.clear()
        self._events = 0
        return frames
