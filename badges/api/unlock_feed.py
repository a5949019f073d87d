"""The unlock feed of a process: one reader for all clients, however many follow.

It reads badge_award_events of every organization as they commit, and hands each event to those who
may see it. schema/migrations/20261130090300_unlocks.sql says what a cursor is.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from itertools import groupby
from typing import Final, TypeAlias

import structlog

from badges.api.follower import Follower
from badges.api.metrics import UNLOCK_DELAY, UNLOCK_STREAMS, UNLOCKS_SENT
from badges.api.queueing import queued
from badges.api.unlock_pages import MOST, Unlock, page_of
from sinks.errors import StoreError
from sinks.failures import translated
from sinks.listening import at_each_notify
from sinks.polling import poll
from sinks.pool import Pool

_CHANNEL: Final = "badges_unlocks"
_AGAIN_S: Final = 1.0
_PAUSE_S: Final = 0.005
"""Between two reads, so that a burst of small transactions is read together."""
_PATIENCE_S: Final = 1.0
"""How long one page of many waits for clients that are behind."""
_CATCHING_UP: Final = 3
"""Clients that read what they have missed at a time: other requests need connections too."""
_PLACE_WITHIN_S: Final = 5.0
"""How long a client waits for its turn to do so before it is told to come again."""
_CONNECTION_WITHIN_S: Final = 5.0
"""How long the feed waits for a connection; whoever wants to join waits for it meanwhile."""
_READ: Final = "SELECT next, finished, unlocks FROM badges_private.unlocks_of_all($1, $2)"

log = structlog.get_logger(__name__)


_Place: TypeAlias = tuple[str, str | None]
"""An organization, and one mentor of it or everybody."""


class UnlockFeed:
    """Reads while somebody follows, and knows everybody who does."""

    def __init__(self, pool: Pool, stopping: asyncio.Event) -> None:
        self._pool = pool
        self._stopping = stopping
        self._cursor: str | None = None
        self._is_between = True
        """Whether all that one snapshot sees has been handed out, and nothing of the next one."""
        self._begun = 0
        self._done = 0
        """Reads, counted: which was begun last, and which had come to its end by then."""
        self._reading = asyncio.Lock()
        self._places: defaultdict[_Place, set[Follower]] = defaultdict(set)
        self._connected: set[Follower] = set()
        """Until they leave: those who were dropped are among them."""
        self._connected_of: Counter[str] = Counter()
        """How many of them an organization has."""
        self._catching_up = asyncio.Semaphore(_CATCHING_UP)

    @property
    def cursor(self) -> str:
        """Where a follower is for whom nothing waits."""
        assert self._cursor is not None
        return self._cursor

    @property
    def streams(self) -> int:
        """Clients that are connected."""
        return len(self._connected)

    def streams_of(self, organization_id: str) -> int:
        """Clients of an organization that are connected."""
        return self._connected_of[organization_id]

    def enter(self, follower: Follower) -> None:
        """Count a follower among the clients that are connected, until it leaves."""
        self._connected.add(follower)
        self._connected_of[follower.organization_id] += 1
        UNLOCK_STREAMS.set(self.streams)

    def place_to_catch_up(self) -> AbstractAsyncContextManager[None]:
        """For whoever reads what a client has missed. Raises TimeoutError while others go on."""
        return queued(self._catching_up, _PLACE_WITHIN_S)

    async def join(self, follower: Follower) -> str:
        """Hand all that comes from now on to who has entered; return the cursor from which on.

        What was committed before the call lies before that cursor. Raises StoreError.
        """
        wanted = self._begun + 1
        async with self._reading:
            if not self._followers():
                self._cursor = None
            while self._cursor is None or self._done < wanted or not self._is_between:
                await self._read()
            self._places[_place(follower)].add(follower)
            if self._stopping.is_set():
                follower.end()
            return self.cursor

    def leave(self, follower: Follower) -> None:
        """Forget a follower, also one who never entered or joined, or was dropped."""
        place = _place(follower)
        self._places[place].discard(follower)
        if not self._places[place]:
            del self._places[place]
        if follower in self._connected:
            self._connected.remove(follower)
            self._connected_of[follower.organization_id] -= 1
            if not self._connected_of[follower.organization_id]:
                del self._connected_of[follower.organization_id]
            UNLOCK_STREAMS.set(self.streams)

    async def end_with_the_process(self) -> None:
        """Let every stream come to its end when the process is to; never returns before."""
        await self._stopping.wait()
        for follower in self._connected:
            follower.end()
        await asyncio.Event().wait()

    async def follow(self) -> None:
        """Read on every NOTIFY, and each second in case one was lost; never returns."""
        while True:
            try:
                await at_each_notify(
                    self._pool, _CHANNEL, self._read_for_all, within=_CONNECTION_WITHIN_S
                )
            except StoreError as error:
                log.warning("unlocks cannot be read, asking again", error=str(error))
                await asyncio.sleep(_AGAIN_S)

    async def _read_for_all(self) -> None:
        if self._followers():
            async with self._reading:
                await self._read()
        await asyncio.sleep(_PAUSE_S)

    async def _read(self) -> None:
        """Hand out all that is there and was not; the lock is held."""
        self._begun += 1
        number = self._begun
        self._is_between = False
        while not self._is_between:
            with translated():
                async with self._pool.acquire(timeout=_CONNECTION_WITHIN_S) as connection:
                    row = await connection.fetchrow(_READ, self._cursor, MOST)
            assert row is not None
            page = page_of(row)
            # Nothing is awaited between these: who is handed an event is at its cursor.
            self._hand_out(page.unlocks)
            self._cursor = page.next
            self._is_between = page.is_last
            if not self._is_between:
                await self._wait_for_the_slow()
        self._done = number

    def _hand_out(self, unlocks: Sequence[Unlock]) -> None:
        by_organization = sorted(unlocks, key=lambda each: each.organization_id)
        for organization, group in groupby(by_organization, lambda each: each.organization_id):
            frames: defaultdict[str | None, list[bytes]] = defaultdict(list)
            for unlock in group:
                UNLOCK_DELAY.observe(unlock.age)
                frame = unlock.frame
                frames[None].append(frame)
                frames[unlock.peer_mentor_id].append(frame)
            for mentor, theirs in frames.items():
                self._offer(self._places.get((organization, mentor)), theirs)

    def _offer(self, followers: set[Follower] | None, frames: Sequence[bytes]) -> None:
        if not followers:
            return
        together = b"".join(frames)
        for follower in followers:
            follower.offer(together, len(frames))
        UNLOCKS_SENT.inc(len(frames) * len(followers))
        followers.difference_update([each for each in followers if each.has_ended])

    async def _wait_for_the_slow(self) -> None:
        """Many events at once drop nobody who reads; who does not read keeps nobody waiting."""

        async def nobody_is_behind() -> bool:
            return not any(follower.is_behind for follower in self._followers())

        with suppress(TimeoutError):
            await poll(nobody_is_behind, within=_PATIENCE_S, every=_PAUSE_S)

    def _followers(self) -> list[Follower]:
        return [follower for place in self._places.values() for follower in place]


def _place(follower: Follower) -> _Place:
    return follower.organization_id, follower.peer_mentor_id
